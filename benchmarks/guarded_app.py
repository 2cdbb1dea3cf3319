"""A small real app: one query a request, an answer from a model.

`LETGO` says what of letgo it uses: "install", "guard", "guard all" (which watches every request), "guard none" (which
watches none), or nothing at all.
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
    case "guard":
        from letgo.runtime import Guard

        app.add_middleware(Guard)
    case "guard all" | "guard none" as which:
        from letgo.runtime import Guard

        app.add_middleware(Guard, rate=None if which == "guard all" else 0)


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
