"""A handler returns without having committed and closed its session itself.

## What it does
Finds handlers with an injected session in which some path returns without an explicit commit and an explicit close
before it.

## Why is this bad
`commit()` alone gives the connection back, so this is no hold in itself. It is a convention for teams that want to see
in each handler where its database work ends: after both, nothing later can touch the session unnoticed.

## Known problems
With `close()` before the return, whatever is returned must be plain data or fully loaded.

## Fix safety
Build the response first, then commit and close, then return it.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, OrderOut, get_db

app = FastAPI()


@app.get("/orders/{order_id}", response_model=OrderOut)
async def read_order(order_id: int, db: AsyncSession = Depends(get_db)):
    order = OrderOut.model_validate(await db.get_one(Order, order_id))
    await db.commit()
    return order  # expect: LG901
""",
)

GOOD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, OrderOut, get_db

app = FastAPI()


@app.get("/orders/{order_id}", response_model=OrderOut)
async def read_order(order_id: int, db: AsyncSession = Depends(get_db)):
    order = OrderOut.model_validate(await db.get_one(Order, order_id))
    await db.commit()
    await db.close()
    return order
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.CONVENTION, message, advice)


def message(misuse: Misuse) -> str:
    return f"returns without {misuse.detail or 'commit and close'} of the session from `{misuse.session.name}`"


def advice(misuse: Misuse) -> str:
    return "Build the response, commit, close, and then return it, on every path."


RULE = Rule("LG901", "convention", Group.CONVENTION, 1, __doc__, BAD, GOOD, check, strict=True)
