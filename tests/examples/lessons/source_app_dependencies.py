"""A dependency of the whole app is one of every endpoint."""

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, get_db


async def identify(number: int, db: AsyncSession = Depends(get_db)) -> None:
    await db.get_one(Customer, number)  # expect: LG101


app = FastAPI(dependencies=[Depends(identify)])


@app.get("/hello")
async def hello():
    return {}


@app.get("/committed")
async def commits_for_all(db: AsyncSession = Depends(get_db)):
    await db.commit()
    return {}
