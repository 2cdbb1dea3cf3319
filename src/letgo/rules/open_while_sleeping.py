"""A transaction is open while the code sleeps, or waits for a lock or a queue.

## What it does
Finds sleeps, waits for locks, events, conditions and futures, and blocking reads of queues while a transaction is open.

## Why is this bad
A loop that polls the database and sleeps in between keeps one connection for as long as it polls. A lock taken inside a
transaction also invites a deadlock that the database can't see: one side waits for the lock, the other for a row.

## Known problems
A lock that is never contended waits for nothing; letgo can't know that. Say so with an ignore comment and its reason.

## Fix safety
A loop that gets a new transaction each time sees what others have committed meanwhile. That is usually what polling
is for.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, open_since
from letgo.rules.finding import of_waits
from letgo.rules.rule import Group, Rule

BAD = (
    """\
import asyncio

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.get("/orders/{order_id}/paid")
async def wait_until_paid(order_id: int, db: AsyncSession = Depends(get_db)):
    state = "new"
    while state != "paid":
        state = await db.scalar(select(Order.state).where(Order.id == order_id))
        await asyncio.sleep(1)  # expect: LG202
    await db.commit()
    return {"state": state}
""",
)

GOOD = (
    """\
import asyncio

from fastapi import FastAPI
from sqlalchemy import select

from shop import NewSession, Order

app = FastAPI()


@app.get("/orders/{order_id}/paid")
async def wait_until_paid(order_id: int):
    state = "new"
    while state != "paid":
        async with NewSession() as db:
            state = await db.scalar(select(Order.state).where(Order.id == order_id))
        await asyncio.sleep(1)
    return {"state": state}
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.SLEEP


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} while `{wait.what}` makes it wait{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return f"{let_go_before(hold, 'waiting')} In a loop, take a short session each time round."


RULE = Rule("LG202", "open-while-sleeping", Group.WAITING, 70, __doc__, BAD, GOOD, check)
