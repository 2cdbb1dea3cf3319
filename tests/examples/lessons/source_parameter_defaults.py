"""A1: the session is the default of a parameter; the dependency closes it after the response."""

from collections.abc import Iterator

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order, get_db, get_sync_db

app = FastAPI()


@app.get("/count")
async def read_count(db: AsyncSession = Depends(get_db)):
    return len((await db.scalars(select(Order.id))).all())  # expect: LG101


@app.get("/count/committed")
async def read_count_and_commit(db: AsyncSession = Depends(get_db)):
    count = len((await db.scalars(select(Order.id))).all())
    await db.commit()
    return count


@app.get("/sync")
async def with_a_sync_session(db: Session = Depends(get_sync_db)):
    return len(db.scalars(select(Order.id)).all())  # expect: LG101


def own_db() -> Iterator[Session]:
    """A dependency is what it does, whatever it is called."""
    things = NewSyncSession()
    try:
        yield things
    finally:
        things.close()


@app.get("/other")
async def other_names(things: Session = Depends(own_db)):
    order = things.get_one(Order, 1)
    httpx.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201
    things.commit()
    return {}


def undeclared():
    db = NewSyncSession()
    try:
        yield db
    finally:
        db.close()


@app.get("/undeclared")
async def no_types_anywhere(db=Depends(undeclared)):
    return [order.id for order in db.query(Order).all()]  # expect: LG101


@app.get("/unasked")
async def asks_first(db: AsyncSession = Depends(get_db)):
    async with httpx.AsyncClient() as client:
        await client.get("https://partner.example/state")
    order = await db.get_one(Order, 1)
    state = order.state
    await db.commit()
    return state


def committing() -> Iterator[Session]:
    with NewSyncSession.begin() as db:
        yield db


@app.post("/orders")
async def commit_is_left_to_the_dependency(db: Session = Depends(committing)):
    db.add(Order(id=1))
    db.flush()
    return {}  # expect: LG101
