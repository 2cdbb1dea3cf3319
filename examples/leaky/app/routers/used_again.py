"""LG4: a session, or what came out of it, is used after it was let go."""

from fastapi import APIRouter
from sqlalchemy import func, select

from app.database import Db, SessionLocal
from app.models import Book, Order

router = APIRouter(prefix="/used-again")


@router.get("/books/{book_id}")
async def count_orders(book_id: int) -> dict[str, int]:
    with SessionLocal() as db:
        book = db.get_one(Book, book_id)
    orders = db.scalar(select(func.count()).where(Order.book_id == book.id))  # expect: LG401 used after close
    return {"orders": orders or 0}


@router.get("/orders/{order_id}/title")
async def ordered_title(order_id: int, db: Db) -> dict[str, str]:
    order = db.get_one(Order, order_id)
    db.close()
    return {"title": order.book.title}  # expect: LG402 detached read
