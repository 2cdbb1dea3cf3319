"""A11: classes, instances, methods, lambdas and functions made by functions are dependencies as well."""

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import Customer, NewSession, NewSyncSession, Order, get_db

app = FastAPI()


class GiveSession:
    async def __call__(self) -> AsyncIterator[AsyncSession]:
        async with NewSession() as db:
            yield db


give_session = GiveSession()


@app.get("/instance")
async def an_instance(db: AsyncSession = Depends(give_session)):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


@app.get("/instance-inline")
async def an_instance_made_here(db: AsyncSession = Depends(GiveSession())):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


class Filters:
    def __init__(self, state: str, db: AsyncSession = Depends(get_db)) -> None:
        self.state = state
        self.db = db

    async def orders(self) -> list[Order]:
        return list(await self.db.scalars(select(Order).where(Order.state == self.state)))


@app.get("/class")
async def a_class(filters: Filters = Depends(Filters)):
    return await filters.orders()  # expect: LG101


@app.get("/class-short")
async def a_class_by_annotation(filters: Filters = Depends()):
    return await filters.orders()  # expect: LG101


@app.get("/class-committed")
async def a_class_committed(filters: Filters = Depends()):
    found = await filters.orders()
    await filters.db.commit()
    return found


class Database:
    def session(self) -> Iterator[Session]:
        with NewSyncSession() as db:
            yield db


database = Database()


@app.get("/method")
async def a_method(db: Session = Depends(database.session)):
    return db.scalars(select(Order.id)).all()  # expect: LG101


class Require:
    def __init__(self, permission: str) -> None:
        self.permission = permission

    async def __call__(self, number: int, db: AsyncSession = Depends(get_db)) -> Customer:
        return await db.get_one(Customer, number)  # expect: LG101


@app.get("/permission", dependencies=[Depends(Require("orders:read"))])
async def a_parametrised_class():
    return {}


def require(permission: str):
    async def check(number: int, db: AsyncSession = Depends(get_db)) -> Customer:
        return await db.get_one(Customer, number)  # expect: LG101

    return check


@app.get("/permission-function")
async def a_function_made_by_a_function(customer: Customer = Depends(require("orders:read"))):
    return {}


def session_of(maker) -> Iterator[Session]:
    with maker() as db:
        yield db


@app.get("/partial")
async def a_partial(db: Session = Depends(functools.partial(session_of, NewSyncSession))):
    return db.scalars(select(Order.id)).all()  # expect: LG101


@app.get("/lambda")
async def a_lambda(db: Session = Depends(lambda: NewSyncSession())):  # expect: LG501
    return db.scalars(select(Order.id)).all()  # expect: LG101


class Bus:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    @classmethod
    def create(cls, db: AsyncSession = Depends(get_db)) -> "Bus":
        return cls(db)

    async def read(self) -> None:
        await self.db.get_one(Order, 1)


@app.get("/made-by-its-class")
async def made_by_its_class(bus: Bus = Depends(Bus.create)):
    await asyncio.sleep(1)
    return {}


@app.get("/made-by-its-class-and-used")
async def made_by_its_class_and_used(bus: Bus = Depends(Bus.create)):
    await bus.read()
    await asyncio.sleep(1)  # expect: LG202
    return {}  # expect: LG101
