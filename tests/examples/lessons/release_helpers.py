"""A release may stand in a helper, a base class, a decorator or at the end of a context manager."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order, get_db

app = FastAPI()


def release(db: Session) -> None:
    try:
        db.commit()
    finally:
        db.close()


def by_a_helper(order_id: int) -> None:
    db = NewSyncSession()
    try:
        db.get_one(Order, order_id)
    finally:
        release(db)
    httpx.post("https://partner.example/orders")


def release_if(db: Session, done: bool) -> None:
    if done:
        db.commit()


def by_a_helper_that_may_not(order_id: int, done: bool) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        release_if(db, done)
        httpx.post("https://partner.example/orders")  # expect: LG201


def by_a_helper_that_is_told_to(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        release_if(db, True)
        httpx.post("https://partner.example/orders")


def by_a_helper_that_is_told_not_to(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        release_if(db, False)
        httpx.post("https://partner.example/orders")  # expect: LG201


async def release_connection(db: AsyncSession) -> None:
    if db.in_transaction():
        await db.rollback()


@app.get("/released")
async def by_an_async_helper(db: AsyncSession = Depends(get_db)):
    await db.get_one(Order, 1)
    await release_connection(db)
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/orders")
    return {}


@contextmanager
def released_while(db: Session) -> Iterator[None]:
    db.commit()
    yield
    db.connection()


def by_a_context_manager(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        with released_while(db):
            httpx.post("https://partner.example/orders")


class Closing:
    def __init__(self) -> None:
        self.db = NewSyncSession()

    def done(self) -> None:
        self.db.close()


class Job(Closing):
    def run(self, order_id: int) -> None:
        self.db.get_one(Order, order_id)
        self.done()
        httpx.post("https://partner.example/orders")

    def run_with_the_session(self, order_id: int) -> None:
        self.db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
        self.done()
