"""A commit ends the transaction, and the next touch begins another: a query, a refresh, an attribute that expired."""

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, sessionmaker

from shop import NewSyncSession, Order, OrderOut, get_db, sync_engine

app = FastAPI()

Expiring = sessionmaker(sync_engine)


def a_query_after_the_commit(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        db.commit()
        db.scalars(select(Order)).all()
        httpx.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201


def a_refresh_after_the_commit(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        db.commit()
        db.refresh(order)
        httpx.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201


def the_refresh_after_the_wait(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        db.commit()
        httpx.post("https://partner.example/orders", json={"id": order.id})
        db.refresh(order)


def an_attribute_that_expired(order_id: int) -> None:
    with Expiring() as db:
        order = db.get_one(Order, order_id)
        db.commit()
        number = order.id
        httpx.post("https://partner.example/orders", json={"id": number})  # expect: LG201


def an_attribute_read_as_it_is_sent(order_id: int) -> None:
    with Expiring() as db:
        order = db.get_one(Order, order_id)
        db.commit()
        httpx.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201


def an_attribute_read_before_the_commit(order_id: int) -> None:
    with Expiring() as db:
        number = db.get_one(Order, order_id).id
        db.commit()
        httpx.post("https://partner.example/orders", json={"id": number})


def without_expiry(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        db.commit()
        httpx.post("https://partner.example/orders", json={"id": order.id})


def expiry_turned_off_for_one(order_id: int) -> None:
    with Session(sync_engine, expire_on_commit=False) as db:
        order = db.get_one(Order, order_id)
        db.commit()
        httpx.post("https://partner.example/orders", json={"id": order.id})


def a_rollback_expires_always(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        db.rollback()
        httpx.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201


@app.post("/refreshed", response_model=OrderOut)
async def refreshed_and_returned(db: AsyncSession = Depends(get_db)):
    order = Order(id=1)
    db.add(order)
    await db.commit()
    await db.refresh(order)  # expect: LG104
    return order


@app.post("/refreshed/committed", response_model=OrderOut)
async def refreshed_before_the_commit(db: AsyncSession = Depends(get_db)):
    order = Order(id=1)
    db.add(order)
    await db.flush()
    await db.refresh(order)
    await db.commit()
    return order


async def a_dependency_that_commits(db: AsyncSession = Depends(get_db)) -> None:
    await db.scalars(select(Order))
    await db.commit()


@app.get("/committed", dependencies=[Depends(a_dependency_that_commits)])
async def committed_by_a_dependency_before(db: AsyncSession = Depends(get_db)):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


def merged_again(order: Order) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        db.commit()
        db.merge(order)
        httpx.post("https://partner.example/orders")  # expect: LG201
        db.commit()


def add_alone_sends_nothing() -> None:
    with NewSyncSession() as db:
        db.add(Order(id=1))
        httpx.post("https://partner.example/orders")
        db.commit()


def a_new_object_is_a_row_once_it_was_added(order_id: int) -> None:
    with Expiring() as db:
        order = Order(id=order_id)
        db.add(order)
        db.commit()
        number = order.id
        httpx.post("https://partner.example/orders", json={"id": number})  # expect: LG201
