"""The usual cures: read, let go, wait, write."""

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from shop import NewSession, NewSyncSession, Order, get_db

app = FastAPI()


def read_wait_write(order_id: int) -> None:
    with NewSyncSession() as db:
        amount = db.get_one(Order, order_id).amount
    answer = httpx.post("https://partner.example/price", json={"amount": amount})
    with NewSyncSession() as db:
        db.execute(update(Order).where(Order.id == order_id).values(state=answer.text))
        db.commit()


@app.post("/dependency-dropped")
async def a_short_session_instead_of_the_dependency(order_id: int):
    async with NewSession() as db:
        amount = (await db.get_one(Order, order_id)).amount
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/price", json={"amount": amount})
    return {}


@app.post("/commit-and-close")
async def commit_and_close(order_id: int, db: AsyncSession = Depends(get_db)):
    amount = (await db.get_one(Order, order_id)).amount
    await db.commit()
    await db.close()
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/price", json={"amount": amount})
    return {}


def expunged_rows_need_nothing(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.scalars(select(Order).options(selectinload(Order.customer))).one()
        db.expunge_all()
    httpx.post("https://partner.example/orders", json={"email": order.customer.email})


def one_session_a_row() -> None:
    with NewSyncSession() as db:
        numbers = db.scalars(select(Order.id)).all()
    for number in numbers:
        answer = httpx.get(f"https://partner.example/{number}")
        with NewSyncSession() as db:
            db.get_one(Order, number).state = answer.text
            db.commit()


def half_a_cure(order_id: int) -> None:
    with NewSyncSession() as db:
        amount = db.get_one(Order, order_id).amount
        db.commit()
        answer = httpx.post("https://partner.example/price", json={"amount": amount})
        order = db.get_one(Order, order_id)
        order.state = answer.text
        httpx.post("https://partner.example/done", json={"id": order.id})  # expect: LG201
        db.commit()
