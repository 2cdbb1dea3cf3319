"""Run it with `uvicorn app.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import select

from app.database import Base, SessionLocal, engine
from app.models import Book, Customer, Order
from app.routers import clean, responses, sources, stalls, streams, used_again, waiting


def stock_the_shelves() -> None:
    Base.metadata.create_all(engine)
    with SessionLocal() as db:
        if db.scalar(select(Book)) is None:
            deep = Book(title="The Deep End of the Pool", price=12, stock=3)
            none = Book(title="One Hundred Years of Idle in Transaction", price=9, stock=0)
            db.add_all([deep, none, Customer(email="ada@example.org", password=b""), Order(book=deep)])
            db.commit()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    stock_the_shelves()
    yield


app = FastAPI(title="The Leaky Bookshop", lifespan=lifespan)
for part in (responses, waiting, streams, used_again, sources, stalls, clean):
    app.include_router(part.router)
