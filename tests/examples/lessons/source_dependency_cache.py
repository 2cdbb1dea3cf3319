"""FastAPI calls a dependency once a request, if it has the same callable and scope: else there are two sessions.

Each of these endpoints commits its own session and leaves that of its dependency open.
"""

from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, NewSession, Order, get_db

app = FastAPI()


async def get_other_db() -> AsyncIterator[AsyncSession]:
    async with NewSession() as db:
        yield db


async def first_customer(number: int, db: AsyncSession = Depends(get_db)) -> Customer:
    return await db.get_one(Customer, number)  # expect: LG101


@app.get("/functions")
async def two_functions(customer: Customer = Depends(first_customer), db: AsyncSession = Depends(get_other_db)):
    await db.get_one(Order, customer.id)  # expect: LG504
    await db.commit()
    return {"email": customer.email}


async def second_customer(number: int, db: AsyncSession = Depends(get_db)) -> Customer:
    return await db.get_one(Customer, number)  # expect: LG101


@app.get("/scopes")
async def two_scopes(
    customer: Customer = Depends(second_customer), db: AsyncSession = Depends(get_db, scope="function")
):
    await db.commit()
    return {"email": customer.email}


async def third_customer(number: int, db: AsyncSession = Depends(get_db)) -> Customer:
    return await db.get_one(Customer, number)  # expect: LG101


@app.get("/uncached")
async def no_cache(customer: Customer = Depends(third_customer), db: AsyncSession = Depends(get_db, use_cache=False)):
    await db.commit()
    return {"email": customer.email}
