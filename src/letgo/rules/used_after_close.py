"""A session is used after its close, and so silently opens again.

## What it does
Finds statements on a session that was closed before on the same path.

## Why is this bad
`Session.close()` resets a session and does not end its life: the next statement takes a connection again without a
word. Whoever wrote the close believes that the connection is back, so nothing will give this one back.

## Known problems
Sessions made with `close_resets_only=False` (SQLAlchemy 2.0.22) raise `InvalidRequestError` here, which is the better
way to find it. The dependency may still close the session at the end of the request; the hold until then is real.

## Fix safety
Move the close down, or open a new session for what comes after it. An object loaded before the close is detached and
must be loaded again before it is changed.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import quoted
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.get("/orders/{order_id}/share")
async def share(order_id: int, db: AsyncSession = Depends(get_db)):
    amount = await db.scalar(select(Order.amount).where(Order.id == order_id))
    await db.close()
    total = await db.scalar(select(func.sum(Order.amount)))  # expect: LG401
    return {"share": amount / total}
""",
)

GOOD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.get("/orders/{order_id}/share")
async def share(order_id: int, db: AsyncSession = Depends(get_db)):
    amount = await db.scalar(select(Order.amount).where(Order.id == order_id))
    total = await db.scalar(select(func.sum(Order.amount)))
    await db.close()
    return {"share": amount / total}
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.REOPENED, message, advice)


def message(misuse: Misuse) -> str:
    return f"{quoted(misuse, 'this')} uses the session after its close, which silently opens it again"


def advice(misuse: Misuse) -> str:
    return "Close after the last use, or open a new session here."


RULE = Rule("LG401", "used-after-close", Group.AFTER_RELEASE, 56, __doc__, BAD, GOOD, check)
