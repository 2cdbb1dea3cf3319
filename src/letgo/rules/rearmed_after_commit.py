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

from letgo.holds import Event, Finding, Misuse, MisuseKind, Site
from letgo.lifetime.facts import Facts
from letgo.picture.words import is_in, place, quoted
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
    inner = _further_down(misuse)
    where = f" in {place(inner)}" if inner else ""
    return f"{quoted(misuse, 'this')} opens a new transaction after the commit{where}, and it stays open"


def advice(misuse: Misuse) -> str:
    inner = _further_down(misuse)
    if inner is None:
        return f"Move {quoted(misuse, 'it')} before the commit, or drop it: `flush()` and `refresh()` can come first."
    return f"In {place(inner)}, do that before the commit, or commit once more after {quoted(misuse, 'the call')}."


def _further_down(misuse: Misuse) -> Site | None:
    """Where the transaction begins, if that is not in the function itself."""
    opened = [step.site for step in misuse.trail if step.event is Event.OPENED]
    return opened[-1] if opened and not is_in(opened[-1], misuse.function) else None


RULE = Rule("LG104", "rearmed-after-commit", Group.RESPONSE, 32, __doc__, BAD, GOOD, check)
