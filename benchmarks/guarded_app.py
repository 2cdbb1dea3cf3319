"""A small real app: one query a request, an answer from a model.

`LETGO` says what of letgo it uses: "install", one of the guards in `RATES`, or nothing at all.
"""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

DSN = os.environ["LETGO_BENCH_DSN"]
SessionLocal = sessionmaker(create_engine(DSN.replace("postgresql:", "postgresql+psycopg:"), pool_size=10))
AsyncSessionLocal = async_sessionmaker(
    create_async_engine(DSN.replace("postgresql:", "postgresql+psycopg:"), pool_size=10)
)
QUERY = text("select 1 as id, 'The Deep End of the Pool' as title, 12 as price")

RATES = {"guard all": None, "guard none": 0, "guard a fifth": 4}
"""How many requests a second the guard watches: all, none, or a fifth of what it does unless told otherwise."""


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
match os.environ.get("LETGO"):
    case "install":
        from letgo.runtime import install

        install(app)
    case "guard all" | "guard none" | "guard a fifth" as which:
        from letgo.runtime import Guard

        app.add_middleware(Guard, rate=RATES[which])


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
