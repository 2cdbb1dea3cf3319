"""After the commit something touches the session again, and a new transaction stays open.

## What it does
Finds `refresh`, a query, a lazy load or the read of an expired attribute after a commit or rollback, where nothing ends
the transaction that it begins.

## Why is this bad
The commit gave the connection back; the touch takes one again, silently. The code looks as if it let go. The usual pair
`commit(); refresh(obj)` costs a second transaction and a round trip, and then holds through the response.

## Known problems
Whether an attribute read queries depends on `expire_on_commit`, which must be readable from the code. After a rollback
attributes are always expired.

## Fix safety
With `expire_on_commit=False` a `refresh` after a commit is needed only for what the database itself computes. `flush()`
and `refresh()` before the commit fetch that in the first transaction.
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
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, OrderOut, get_db

app = FastAPI()


@app.post("/orders", response_model=OrderOut)
async def create_order(customer_id: int, amount: int, db: AsyncSession = Depends(get_db)):
    order = Order(customer_id=customer_id, amount=amount, state="new")
    db.add(order)
    await db.commit()
    await db.refresh(order)  # expect: LG104
    return order
""",
)

GOOD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, OrderOut, get_db

app = FastAPI()


@app.post("/orders", response_model=OrderOut)
async def create_order(customer_id: int, amount: int, db: AsyncSession = Depends(get_db)):
    order = Order(customer_id=customer_id, amount=amount, state="new")
    db.add(order)
    await db.flush()
    await db.refresh(order)
    created = OrderOut.model_validate(order)
    await db.commit()
    return created
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.REARMED, message, advice)


def message(misuse: Misuse) -> str:
    return f"{quoted(misuse, 'this')} opens a new transaction after the commit, and it stays open"


def advice(misuse: Misuse) -> str:
    return f"Move {quoted(misuse, 'it')} before the commit, or drop it: `flush()` and `refresh()` can come first."


RULE = Rule("LG104", "rearmed-after-commit", Group.RESPONSE, 32, __doc__, BAD, GOOD, check)
