"""A session of function scope is used by a stream or a task that runs after its end.

## What it does
Finds sessions whose dependency ends when the handler returns (`scope="function"` from FastAPI 0.121 on, every `yield`
dependency from 0.106 to 0.117) and which a streamed generator, a background task or a generator endpoint still uses.

## Why is this bad
A closed SQLAlchemy session opens itself again at the next use, and now nothing will close it: the connection is gone
until the garbage collector finds the session, which measured more than twenty seconds.

## Known problems
With `close_resets_only=False` (SQLAlchemy 2.0.22) the use raises `InvalidRequestError` instead of leaking. It is
reported all the same.

## Fix safety
Give the generator or task a session of its own. Going back to the default scope trades the leak for a long hold.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import quoted
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


async def order_lines(db: AsyncSession) -> AsyncIterator[str]:
    for order in await db.scalars(select(Order)):
        yield f"{order.id},{order.amount}\\n"


@app.get("/orders.csv")
async def export_orders(db: AsyncSession = Depends(get_db, scope="function")):
    return StreamingResponse(order_lines(db), media_type="text/csv")  # expect: LG304
""",
)

GOOD = (
    """\
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.get("/orders.csv")
async def export_orders(db: AsyncSession = Depends(get_db, scope="function")):
    rows = (await db.execute(select(Order.id, Order.amount))).all()
    lines = [f"{row.id},{row.amount}\\n" for row in rows]
    return StreamingResponse(iter(lines), media_type="text/csv")
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.ESCAPES_SCOPE, message, advice)


def message(misuse: Misuse) -> str:
    return f"{quoted(misuse, 'what runs later')} uses the session after `{misuse.session.name}` has closed it"


def advice(misuse: Misuse) -> str:
    return f"Let {quoted(misuse, 'what runs later')} open a short session of its own; give it ids or plain data."


RULE = Rule("LG304", "function-scope-escapes", Group.STREAMS, 88, __doc__, BAD, GOOD, check)
