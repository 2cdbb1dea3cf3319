"""LG5: how the session was got leaves nobody, or the wrong one, to close it."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import insert, select

from app.database import Db, SessionLocal, get_db
from app.models import Book, Order, Visit

router = APIRouter(prefix="/sources")


@router.get("/books/{book_id}/stock")
async def stock(book_id: int) -> dict[str, int]:
    db = SessionLocal()  # expect: LG501 never closed
    book = db.get(Book, book_id)
    if book is None:
        return {"stock": 0}  # expect: LG101 serialise
    db.close()
    return {"stock": book.stock}


@router.get("/books/{book_id}/price")
async def price(book_id: int) -> dict[str, int]:
    db = SessionLocal()  # expect: LG502 not closed on an exception
    book = db.get_one(Book, book_id)
    db.close()
    return {"price": book.price}


@router.get("/titles")
async def titles() -> list[str]:
    db = next(get_db())  # expect: LG503 next(get_db())
    found = list(db.scalars(select(Book.title)))
    db.commit()
    return found


@router.get("/books/{book_id}")
async def visit(book_id: int, db: Db) -> dict[str, str]:
    book = db.get_one(Book, book_id)
    with SessionLocal() as log:
        log.execute(insert(Visit).values(path=f"/books/{book_id}"))  # expect: LG504 nested session
        log.commit()
    db.commit()
    return {"title": book.title}


@router.post("/books/{book_id}/order")
async def order(book_id: int, db: Db) -> dict[str, bool]:
    db.add(Order(book_id=book_id))  # expect: LG505 never committed
    return {"ordered": True}


@router.get("/health")
async def health(db: Db) -> dict[str, Any]:  # expect: LG506 unused
    return {"ok": True}
