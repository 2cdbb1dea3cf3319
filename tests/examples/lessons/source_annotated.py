"""A2: `Annotated` and its aliases, which may hide a session several levels down."""

from typing import Annotated, TypeAlias

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, Order, get_db

app = FastAPI()

Db = Annotated[AsyncSession, Depends(get_db)]
DbAgain: TypeAlias = Db


@app.get("/inline")
async def inline(db: Annotated[AsyncSession, Depends(get_db)]):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


@app.get("/alias")
async def alias(db: Db):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


@app.get("/alias-of-alias")
async def alias_of_an_alias(*, number: int = 0, db: DbAgain):
    return (await db.scalars(select(Order.id))).all()  # expect: LG101


@app.get("/released")
async def released(db: Db):
    found = (await db.scalars(select(Order.id))).all()
    await db.commit()
    return found


# The endpoints below name no session and can't let go of it: what they wait for is said once, where the transaction
# begins.
async def current_customer(number: int, db: Db) -> Customer:
    return await db.get_one(Customer, number)  # expect: LG101, LG201


async def admin(customer: Annotated[Customer, Depends(current_customer)]) -> Customer:
    return customer


Admin = Annotated[Customer, Depends(admin)]


@app.get("/hello")
async def two_levels_down(customer: Admin):
    return {"hello": customer.email}


@app.get("/hello/slowly")
async def two_levels_down_and_slow(customer: Admin):
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/hello", json={"to": customer.email})
    return {"hello": customer.email}
