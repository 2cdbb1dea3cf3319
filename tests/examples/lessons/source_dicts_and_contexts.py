"""A7: a session travels in a dict, a tuple, a context object or a context variable."""

from contextvars import ContextVar
from dataclasses import dataclass

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import Customer, NewSyncSession, Order, get_db

app = FastAPI()


async def user_context(number: int, db: AsyncSession = Depends(get_db)) -> dict:
    return {"id": number, "db": db}


@app.get("/dict")
async def in_a_dict(user: dict = Depends(user_context)):
    db = user["db"]
    await db.get_one(Customer, user["id"])
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/hello")  # expect: LG201
    return {}  # expect: LG101


@app.get("/dict-get")
async def in_a_dict_by_get(user: dict = Depends(user_context)):
    await user.get("db").get_one(Customer, 1)
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/hello")  # expect: LG201
    await user["db"].commit()
    return {}


async def user_and_session(number: int, db: AsyncSession = Depends(get_db)):
    return number, db


@app.get("/tuple")
async def in_a_tuple(found=Depends(user_and_session)):
    number, db = found
    await db.get_one(Customer, number)
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/hello")  # expect: LG201
    return {}  # expect: LG101


@dataclass
class Context:
    db: Session
    user: int


def work(context: Context) -> None:
    context.db.get_one(Customer, context.user)
    httpx.post("https://partner.example/hello")


def in_a_context_object() -> None:
    with NewSyncSession() as db:
        work(Context(db=db, user=1))  # expect: LG201


current: ContextVar[Session] = ContextVar("current")


def in_a_context_variable(order_id: int) -> None:
    current.get().get_one(Order, order_id)
    httpx.post("https://partner.example/orders")  # expect: LG201


shared: ContextVar[Session | None] = ContextVar("shared", default=None)


def which_may_not_have_been_set(order_id: int) -> None:
    if shared.get() is not None:
        raise RuntimeError("one at a time")
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201


class OfTheContext(type):
    @property
    def session(cls) -> Session:
        return current.get()


class Unit(metaclass=OfTheContext):
    def __enter__(self) -> "type[Unit]":
        self.token = current.set(NewSyncSession())
        return type(self)

    def __exit__(self, *failure: object) -> None:
        current.get().close()
        current.reset(self.token)


def of_a_class_that_its_metaclass_gives(order_id: int) -> None:
    with Unit():
        Unit.session.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201


def left_before(order_id: int) -> None:
    with Unit():
        Unit.session.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")


def kept_in_a_list() -> None:
    with NewSyncSession() as first:
        sessions = [first]
        sessions[0].get_one(Order, 1)
        httpx.post("https://partner.example/orders")  # expect: LG201


def set_in_a_dict() -> None:
    context = {}
    with NewSyncSession() as db:
        context["db"] = db
        context["db"].get_one(Order, 1)
        httpx.post("https://partner.example/orders")  # expect: LG201


def spread_over_keywords() -> None:
    with NewSyncSession() as db:
        options = {"db": db, "user": 1}
        work(Context(**options))  # expect: LG201
