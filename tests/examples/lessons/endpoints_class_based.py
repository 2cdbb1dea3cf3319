"""Class-based views, sessions made by the app's factory, and endpoints that are generators."""

from collections.abc import AsyncIterator
from typing import TypeVar

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi_utils.cbv import cbv
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import NewSession, Order, get_db

app = FastAPI()
T = TypeVar("T")
router = APIRouter()


@cbv(router)
class Orders:
    db: AsyncSession = Depends(get_db)

    @router.get("/cbv")
    async def numbers(self):
        return (await self.db.scalars(select(Order.id))).all()  # expect: LG101

    @router.get("/cbv/released")
    async def released(self):
        numbers = (await self.db.scalars(select(Order.id))).all()
        await self.db.commit()
        return numbers


app.state.new_session = NewSession


@app.get("/app-state")
async def a_factory_of_the_app(request: Request):
    async with request.app.state.new_session() as db:
        await db.get_one(Order, 1)
        async with httpx.AsyncClient() as client:
            await client.post("https://partner.example/orders")  # expect: LG201
    return {}


@app.get("/generator")
async def a_generator_endpoint(db: AsyncSession = Depends(get_db)) -> AsyncIterator[int]:
    for number in await db.scalars(select(Order.id)):
        yield number  # expect: LG302


async def first(db: AsyncSession, model: type[T]) -> T:
    found = (await db.scalars(select(model))).first()
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/orders")
    return found


@app.get("/generic")
async def a_generic_function(db: AsyncSession = Depends(get_db)):
    order = await first(db, Order)  # expect: LG201
    await db.commit()
    return order.id


app.include_router(router)
