"""A background task or thread runs while the session of the request is kept open.

## What it does
Finds background tasks, created asyncio tasks and threads that are given the session of a handler, in an argument, a
closure or an object that keeps it. And background tasks that wait for something, such as an HTTP request, after a
handler that returns with a transaction open: its dependency ends only when they are done.

## Why is this bad
The request's connection is held until the task is done, long after the client has its answer. Up to FastAPI 0.105 and
from 0.118 on this is so even for a task that is given nothing, unless the handler commits or closes before it returns.
In between, the dependency ends before the task runs: a task that is given the session silently opens it again, and
nobody closes it. A session must not be used by two tasks at once either.

## Known problems
A task that is given rows instead of the session still needs it for a lazy load. That is not seen when the session is
not in reach of the task. A task that only queries in a session of its own is taken to be quick.

## Fix safety
Pass ids, not rows: a row of the request's session is detached in the task's, and changing it there writes nothing.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Origin, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, of_task, open_since
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
    """\
import httpx
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


async def tell_partner(order_id: int) -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/closed", json={"order": order_id})


@app.post("/orders/{order_id}/close")
async def close_order(order_id: int, tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, order_id)
    tasks.add_task(tell_partner, order.id)  # expect: LG303
    return {"state": "closing"}  # expect: LG101
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
    """\
import httpx
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


async def tell_partner(order_id: int) -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/closed", json={"order": order_id})


@app.post("/orders/{order_id}/close")
async def close_order(order_id: int, tasks: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, order_id)
    tasks.add_task(tell_partner, order.id)
    await db.commit()
    return {"state": "closing"}
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.TASK


def message(hold: Hold, wait: Wait) -> str:
    task, inner = of_task(wait)
    if inner:
        return f"{open_since(hold)} while the background task `{task}` waits for `{inner}`{inside(hold, wait)}"
    return f"the session of `{hold.session.name}` is kept while the task `{task}` runs"


def advice(hold: Hold, wait: Wait) -> str:
    task, inner = of_task(wait)
    if inner:
        return f"{let_go_before(hold, '`return`')} The task runs before that."
    own = f"Give `{task}` ids instead of the session, and let it open a session of its own."
    return f"{own} {let_go_before(hold, '`return`')}" if hold.session.origin is Origin.DEPENDENCY else own


RULE = Rule("LG303", "task-keeps-session", Group.STREAMS, 60, __doc__, BAD, GOOD, check)
