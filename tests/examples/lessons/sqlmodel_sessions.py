"""SQLModel's sessions are SQLAlchemy's."""

from typing import Annotated

import httpx
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, select
from sqlmodel.ext.asyncio.session import AsyncSession

app = FastAPI()
engine = create_engine("postgresql+psycopg://localhost/shop")


class Book(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str


def get_session():
    with Session(engine) as session:
        yield session


Db = Annotated[Session, Depends(get_session)]


@app.get("/books")
async def read_books(session: Db) -> list[Book]:
    return session.exec(select(Book)).all()  # expect: LG101


@app.get("/books/{book_id}/price")
async def price(book_id: int, session: Db) -> dict:
    book = session.get(Book, book_id)
    httpx.get("https://partner.example/price", params={"title": book.title})  # expect: LG201
    session.commit()
    return {}


@app.post("/books")
async def create_book(book: Book, session: Db) -> Book:
    session.add(book)
    session.commit()
    session.refresh(book)  # expect: LG104
    return book


async def an_async_one(session: AsyncSession) -> None:
    (await session.exec(select(Book))).all()
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/books")  # expect: LG201
    await session.commit()


def the_model_expires_by_default(book_id: int) -> None:
    with Session(engine) as session:
        book = session.get(Book, book_id)
        session.commit()
        httpx.post("https://partner.example/books", json={"title": book.title})  # expect: LG201
