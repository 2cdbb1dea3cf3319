"""A stream starts while a transaction is open.

## What it does
Finds streaming responses, server-sent events, files and the like that are returned while a transaction is open, though
what they stream does not need the session any more.

## Why is this bad
The connection is held for as long as the client reads: an event stream can last for hours, and a slow client decides.
As many open streams as the pool has connections stop the app.

## Known problems
When a `yield` dependency ends depends on the version of FastAPI: after the last byte up to 0.105 and from 0.118 on,
before the first in between. letgo takes the version from the lock file, the installed one, or `--fastapi-version`.

## Fix safety
`Depends(get_db, scope="function")` (FastAPI 0.121) ends the session before the first byte, but makes a second session
beside one of default scope, and leaks a connection where the stream does use it (see LG304). A commit before the return
is simpler.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, open_since
from letgo.rules.finding import of_waits
from letgo.rules.generator_keeps_session import keeps_session
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.get("/orders.csv")
async def export_orders(db: AsyncSession = Depends(get_db)):
    rows = (await db.execute(select(Order.id, Order.amount))).all()
    lines = [f"{row.id},{row.amount}\\n" for row in rows]
    return StreamingResponse(iter(lines), media_type="text/csv")  # expect: LG301
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
async def export_orders(db: AsyncSession = Depends(get_db)):
    rows = (await db.execute(select(Order.id, Order.amount))).all()
    lines = [f"{row.id},{row.amount}\\n" for row in rows]
    await db.commit()
    return StreamingResponse(iter(lines), media_type="text/csv")
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.STREAM and not keeps_session(wait)


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} while the response is streamed{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return f"{let_go_before(hold, 'the stream starts')} Read what it needs first."


RULE = Rule("LG301", "open-while-streaming", Group.STREAMS, 98, __doc__, BAD, GOOD, check)
