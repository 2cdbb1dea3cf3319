"""A3: an authentication dependency queries, and the endpoint that names no session holds its transaction.

Only the dependency can let go of it, so what all its endpoints wait for is said once, where the transaction begins.
"""

from collections.abc import AsyncIterator

import httpx
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Security
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, NewSession, get_db

app = FastAPI()


async def holding_user(number: int, db: AsyncSession = Depends(get_db)) -> Customer:
    customer = await db.get(Customer, number)  # expect: LG101, LG201
    if customer is None:
        raise HTTPException(401)
    return customer


async def releasing_user(number: int, db: AsyncSession = Depends(get_db)) -> Customer:
    customer = await db.get(Customer, number)
    await db.commit()
    if customer is None:
        raise HTTPException(401)
    return customer


async def own_session_user(number: int) -> Customer | None:
    async with NewSession() as db:
        return await db.get(Customer, number)


async def call_partner() -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/hello")


@app.get("/holding")
async def holding(user: Customer = Depends(holding_user)):
    await call_partner()
    return {}


@app.get("/security")
async def security_is_a_dependency_too(user: Customer = Security(holding_user, scopes=["me"])):
    await call_partner()
    return {}


@app.get("/releasing")
async def releasing(user: Customer = Depends(releasing_user)):
    await call_partner()
    return {}


@app.get("/own")
async def own(user: Customer | None = Depends(own_session_user)):
    await call_partner()
    return {}


@app.get("/decorator", dependencies=[Depends(holding_user)])
async def from_the_decorator():
    await call_partner()
    return {}


router = APIRouter(prefix="/router", dependencies=[Depends(holding_user)])


@router.get("/one")
async def from_the_router():
    await call_partner()
    return {}


inner = APIRouter(prefix="/inner")


@inner.get("/two")
async def from_where_the_router_is_included():
    await call_partner()
    return {}


free = APIRouter(prefix="/free")


@free.get("/three")
async def from_nowhere():
    await call_partner()
    return {}


app.include_router(router)
app.include_router(inner, dependencies=[Depends(holding_user)])
app.include_router(free)


async def audited(user: Customer = Depends(holding_user)) -> AsyncIterator[None]:
    await call_partner()  # expect: LG201
    yield


@app.get("/audited", dependencies=[Depends(audited)])
async def a_dependency_waits():
    return {}
