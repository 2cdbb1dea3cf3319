"""A transaction is still open when the return value is serialised.

## What it does
Finds handlers that return a value for FastAPI to validate and serialise (anything but a `Response`) while a
transaction is open, one that the handler began or one that a dependency of it began.

## Why is this bad
A `yield` dependency never ends before the return value is serialised, in no version of FastAPI. All that time the
connection sits `idle in transaction` and is lost to the pool. With a large value that is most of the request, and with
a `def` endpoint it can stop the whole app (see LG601).

## Known problems
With `expire_on_commit=True`, the default of SQLAlchemy, a commit makes the next attribute read open a new transaction.
Build the response model before the commit, or use `expire_on_commit=False`.

## Fix safety
Nothing that is read after a `close()` may need the session: an unloaded relationship raises `DetachedInstanceError`.
Don't close or roll back in the handler where the dependency commits after its `yield`: the write would be lost behind
a 200. Commit instead.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, open_since
from letgo.rules.finding import of_waits, told_otherwise
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, OrderOut, get_db

app = FastAPI()


@app.get("/orders/{order_id}", response_model=OrderOut)
async def read_order(order_id: int, db: AsyncSession = Depends(get_db)):
    return await db.get(Order, order_id)  # expect: LG101
""",
    """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, get_db

app = FastAPI()


async def current_customer(customer_id: int, db: Annotated[AsyncSession, Depends(get_db)]) -> Customer:
    return await db.get_one(Customer, customer_id)  # expect: LG101


@app.get("/hello")
async def hello(customer: Annotated[Customer, Depends(current_customer)]):
    return {"hello": customer.email}
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
    return order
""",
    """\
from fastapi import FastAPI

from shop import NewSession, Order, OrderOut

app = FastAPI()


@app.get("/orders/{order_id}", response_model=OrderOut)
async def read_order(order_id: int):
    async with NewSession() as db:
        order = OrderOut.model_validate(await db.get_one(Order, order_id))
    return order
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    told = told_otherwise(facts)

    def wanted(hold: Hold, wait: Wait) -> bool:
        return wait.kind is WaitKind.SERIALISE and not told(hold)

    return of_waits(RULE, facts.holds, wanted, message, advice)


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} while the return value is serialised{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return f"{let_go_before(hold, '`return`')} What is returned must then need no query."


RULE = Rule("LG101", "open-while-serialising", Group.RESPONSE, 30, __doc__, BAD, GOOD, check)
