"""A transaction is open while the code waits for another service.

## What it does
Finds HTTP requests, LLM and cloud calls, mail, queues and other network clients that are reached, directly or through
any number of calls, while a transaction is open.

## Why is this bad
The other side decides how long the connection is held. When it slows down, the pool runs dry and every other endpoint
stops with it. Nothing in the framework can help: only code can let go in the middle of a handler.

## Known problems
A client that letgo does not know is no wait to it; `waits` in `[tool.letgo]` names more of them, and `harmless` takes
some away. A call on an object that only looks like a client is reported as `likely`.

## Fix safety
Two transactions are not one: what was read before the call may have changed after it. Read the row again in the second
transaction, or update it with a condition on what was read. An object of the first session is detached in the second,
and changing it there writes nothing.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, open_since
from letgo.rules.finding import of_waits
from letgo.rules.rule import Group, Rule

BAD = (
    """\
import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.post("/orders/{order_id}/pay")
async def pay(order_id: int, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, order_id)
    async with httpx.AsyncClient() as client:
        answer = await client.post("https://bank.example/charge", json={"amount": order.amount})  # expect: LG201
    order.state = answer.json()["state"]
    await db.commit()
    return {"state": "paid"}
""",
    """\
import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


class Bank:
    def __init__(self) -> None:
        self.client = httpx.AsyncClient(base_url="https://bank.example")

    async def charge(self, amount: int) -> str:
        answer = await self.client.post("/charge", json={"amount": amount})
        return answer.json()["state"]


bank = Bank()


@app.post("/orders/{order_id}/pay")
async def pay(order_id: int, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, order_id)
    order.state = await bank.charge(order.amount)  # expect: LG201
    await db.commit()
    return {"state": "paid"}
""",
)

GOOD = (
    """\
import httpx
from fastapi import FastAPI

from shop import NewSession, Order

app = FastAPI()


@app.post("/orders/{order_id}/pay")
async def pay(order_id: int):
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        amount = order.amount
    async with httpx.AsyncClient() as client:
        answer = await client.post("https://bank.example/charge", json={"amount": amount})
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        order.state = answer.json()["state"]
        await db.commit()
    return {"state": "paid"}
""",
    """\
import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()


@app.get("/orders/{order_id}/rate")
async def rate(order_id: int, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, order_id)
    amount = order.amount
    await db.commit()
    async with httpx.AsyncClient() as client:
        answer = await client.get("https://bank.example/rate")
    return {"euros": amount * answer.json()["rate"]}
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.EXTERNAL


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} while waiting for `{wait.what}`{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return f"{let_go_before(hold, 'the call')} Keep what the call needs in variables; write its answer afterwards."


RULE = Rule("LG201", "open-during-external-call", Group.WAITING, 90, __doc__, BAD, GOOD, check)
