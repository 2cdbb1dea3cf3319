"""A branch returns a finished response, such as a redirect, with the transaction open.

## What it does
Finds returns of a ready response (a redirect, a `JSONResponse`, a plain one) while a transaction is open. A handler
often lets go on its long path and forgets the short ones: not found, not allowed, already done.

## Why is this bad
The connection stays with the request until the dependency ends: from FastAPI 0.118 on, and before 0.106, that is after
the last byte was sent and after the background tasks.

## Known problems
It is the shortest of the holds, unless a middleware or a slow client makes sending slow. A return that also renders,
streams or waits on the same line is left to the rule for that.

## Fix safety
Commit before the branches part, when they only read. Where the dependency commits after its `yield`, don't roll back.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, open_since
from letgo.rules.finding import of_waits, shown_at, told_otherwise
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import Depends, FastAPI
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.post("/orders/{order_id}/close")
async def close_order(order_id: int, db: AsyncSession = Depends(get_db)):
    order = await db.get(Order, order_id)
    if order is None:
        return RedirectResponse("/orders", status_code=303)  # expect: LG103
    order.state = "closed"
    await db.commit()
    return RedirectResponse(f"/orders/{order_id}", status_code=303)
""",
)

GOOD = (
    """\
from fastapi import Depends, FastAPI
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.post("/orders/{order_id}/close")
async def close_order(order_id: int, db: AsyncSession = Depends(get_db)):
    order = await db.get(Order, order_id)
    if order is not None:
        order.state = "closed"
    await db.commit()
    return RedirectResponse("/orders" if order is None else f"/orders/{order_id}", status_code=303)
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    told = told_otherwise(facts)

    def wanted(hold: Hold, wait: Wait) -> bool:
        return wait.kind is WaitKind.BRANCH and not told(hold) and not waits_otherwise(hold, wait)

    return of_waits(RULE, facts.holds, wanted, message, advice)


def waits_otherwise(hold: Hold, wait: Wait) -> bool:
    """Whether the same line waits for something longer too."""
    line = shown_at(hold, wait)
    return any(other.kind is not WaitKind.BRANCH and shown_at(hold, other) == line for other in hold.waits)


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} when this branch returns{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return let_go_before(hold, "this `return`")


RULE = Rule("LG103", "open-on-branch", Group.RESPONSE, 20, __doc__, BAD, GOOD, check)
