"""A small real app: one query a request, an answer from a model.

`LETGO_GUARD` says whether it is guarded, and with "every request" that all of them are watched.
"""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from letgo.runtime import Guard
from letgo.runtime.guard import Settings

DSN = os.environ["LETGO_BENCH_DSN"]
SessionLocal = sessionmaker(create_engine(DSN.replace("postgresql:", "postgresql+psycopg:"), pool_size=10))
AsyncSessionLocal = async_sessionmaker(
    create_async_engine(DSN.replace("postgresql:", "postgresql+psycopg:"), pool_size=10)
)
QUERY = text("select 1 as id, 'The Deep End of the Pool' as title, 12 as price")


class Book(BaseModel):
    id: int
    title: str
    price: int


def get_db() -> Iterator[Session]:
    with SessionLocal() as db:
        yield db


async def get_async_db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionLocal() as db:
        yield db


app = FastAPI()
if mode := os.environ.get("LETGO_GUARD"):
    app.add_middleware(Guard, rate=None if mode == "every request" else Settings().rate)


@app.get("/sync")
def read_book(db: Annotated[Session, Depends(get_db)]) -> Book:
    book = Book.model_validate(db.execute(QUERY).one()._asdict())
    db.commit()
    return book


@app.get("/async")
async def read_book_async(db: Annotated[AsyncSession, Depends(get_async_db)]) -> Book:
    book = Book.model_validate((await db.execute(QUERY)).one()._asdict())
    await db.commit()
    return book
