"""A generator hands out values with its session open in between.

## What it does
Finds a `yield` while a transaction is open, in a generator that a response streams or a caller drains: one that opened
a session itself, or one that uses the session of the request.

## Why is this bad
Between two values the generator stands still until its reader asks again, and the reader is a client on the network.
When that client goes away, the `with` block of a suspended generator ends only when the garbage collector finds it.

## Known problems
Dependencies and context managers must yield with their session open; those are not reported.

## Fix safety
Reading in pages gives each page a transaction of its own, so rows that change in between may be seen twice or not at
all. Page by key, not by offset.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, open_since
from letgo.rules.finding import of_waits
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from shop import NewSession, Order

app = FastAPI()


async def order_lines() -> AsyncIterator[str]:
    async with NewSession() as db:
        async for order in await db.stream_scalars(select(Order)):
            yield f"{order.id},{order.amount}\\n"  # expect: LG302


@app.get("/orders.csv")
async def export_orders():
    return StreamingResponse(order_lines(), media_type="text/csv")
""",
    """\
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


async def order_lines(db: AsyncSession) -> AsyncIterator[str]:
    async for order in await db.stream_scalars(select(Order)):
        yield f"{order.id},{order.amount}\\n"


@app.get("/orders.csv")
async def export_orders(db: AsyncSession = Depends(get_db)):
    return StreamingResponse(order_lines(db), media_type="text/csv")  # expect: LG302
""",
)

GOOD = (
    """\
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from shop import NewSession, Order

app = FastAPI()


async def order_lines() -> AsyncIterator[str]:
    last = 0
    while True:
        async with NewSession() as db:
            page = select(Order.id, Order.amount).where(Order.id > last).order_by(Order.id).limit(500)
            rows = (await db.execute(page)).all()
        if not rows:
            return
        for row in rows:
            yield f"{row.id},{row.amount}\\n"
        last = rows[-1].id


@app.get("/orders.csv")
async def export_orders():
    return StreamingResponse(order_lines(), media_type="text/csv")
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.STREAM and keeps_session(wait)


def keeps_session(wait: Wait) -> bool:
    """Whether what streams is a generator that stands at its `yield` with the session open."""
    return "yield" in wait.what


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} while the generator stands at its `yield`{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return (
        f"Let `{wait.site.function}` read a page in a short session of its own, end that session, "
        "and only then yield the rows."
    )


RULE = Rule("LG302", "generator-keeps-session", Group.STREAMS, 100, __doc__, BAD, GOOD, check)
