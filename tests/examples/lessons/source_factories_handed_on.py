"""A session factory is handed on like any other object: what it gives when it is called is a session."""

import time
from collections.abc import AsyncIterator

import httpx
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, selectinload, sessionmaker

from shop import NewSession, Order


def as_a_parameter(make: sessionmaker[Session]) -> None:
    with make() as db:
        db.execute(text("select 1"))
        time.sleep(1)  # expect: LG202


class Worker:
    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions

    async def run(self) -> None:
        async with self.sessions() as db, httpx.AsyncClient() as client:
            await db.execute(text("select 1"))
            await client.get("https://partner.example")  # expect: LG201


def record(db: Session | None) -> None:
    note(db)  # expect: LG202


def note(db: Session | None) -> None:
    if db is not None:
        db.execute(text("select 1"))
        time.sleep(1)


def without_a_session() -> None:
    record(None)


class Store:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def first(self) -> Order:
        return await self.db.get_one(Order, 1)


async def opened() -> AsyncIterator[Store]:
    async with NewSession() as db:
        yield Store(db)


async def given() -> AsyncIterator[Store]:
    async for store in opened():
        yield store


async def through_two_generators() -> None:
    async for store in given():
        await store.first()
        async with httpx.AsyncClient() as client:
            await client.get("https://partner.example")  # expect: LG201


def of_one_statement(db: Session, full: bool) -> Order:
    statement = select(Order)
    if full:
        statement = statement.options(selectinload(Order.lines))
    return db.execute(statement).scalar_one()
