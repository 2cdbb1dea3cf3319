"""A background task or thread works with the session of the request.

## What it does
Finds background tasks, created asyncio tasks and threads that are given the session of a handler, in an argument, a
closure or an object that keeps it.

## Why is this bad
The request's connection is held until the task is done, long after the client has its answer. Where the dependency
ends before the task runs (FastAPI 0.106 to 0.117), the task silently opens the closed session again and nobody closes
it. A session must not be used by two tasks at once either.

## Known problems
A task that is given rows instead of the session still needs it for a lazy load. That is not seen when the session is
not in reach of the task.

## Fix safety
Pass ids, not rows: a row of the request's session is detached in the task's, and changing it there writes nothing.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.rules.finding import of_waits
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


async def close_order(order_id: int, db: AsyncSession) -> None:
    order = await db.get_one(Order, order_id)
    order.state = "closed"
    await db.commit()


@app.post("/orders/{order_id}/close")
async def close_later(order_id: int, tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    tasks.add_task(close_order, order_id, db)  # expect: LG303
    return {"state": "closing"}
""",
)

GOOD = (
    """\
from fastapi import BackgroundTasks, FastAPI

from shop import NewSession, Order

app = FastAPI()


async def close_order(order_id: int) -> None:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        order.state = "closed"
        await db.commit()


@app.post("/orders/{order_id}/close")
async def close_later(order_id: int, tasks: BackgroundTasks):
    tasks.add_task(close_order, order_id)
    return {"state": "closing"}
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.TASK


def message(hold: Hold, wait: Wait) -> str:
    return f"the session of `{hold.session.name}` is kept while the task `{wait.what}` runs"


def advice(hold: Hold, wait: Wait) -> str:
    return f"Give `{wait.what}` ids instead of the session, and let it open a session of its own."


RULE = Rule("LG303", "task-keeps-session", Group.STREAMS, 60, __doc__, BAD, GOOD, check)
