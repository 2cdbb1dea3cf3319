"""The same jobs without a hold: nothing in this file is a finding."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from sqlalchemy import select

from app.async_database import AsyncDb, AsyncSessionLocal
from app.database import Db, SessionLocal
from app.models import Book, Order
from app.partner import PARTNER_URL, Wholesaler
from app.routers.responses import templates
from app.schemas import BookOut

router = APIRouter(prefix="/clean")


@router.get("/books/{book_id}")
def read_book(book_id: int, db: Db) -> BookOut:
    book = BookOut.model_validate(db.get_one(Book, book_id))
    db.commit()
    return book


@router.get("/page")
def shelf_page(request: Request) -> Response:
    with SessionLocal() as db:
        books = db.scalars(select(Book)).all()
    return templates.TemplateResponse(request, "shelf.html", {"books": books})


@router.get("/books/{book_id}/offer")
def offer(book_id: int, db: Db) -> Any:
    book = db.get_one(Book, book_id)
    db.commit()
    if not book.stock:
        return RedirectResponse("/clean/page")
    return {"title": book.title, "price": book.price}


@router.post("/books/{book_id}/reprice")
def reprice(book_id: int, db: Db) -> dict[str, int]:
    title = db.get_one(Book, book_id).title
    db.commit()
    price = Wholesaler().price(title)
    db.get_one(Book, book_id).price = price
    db.commit()
    return {"price": price}


@router.get("/books/{book_id}/rating")
async def rating(book_id: int, db: AsyncDb) -> dict[str, Any]:
    book = await db.get_one(Book, book_id)
    await db.commit()
    async with httpx.AsyncClient(base_url=PARTNER_URL) as partner:
        answer = await partner.get("/rating", params={"title": book.title})
    return {"title": book.title, "rating": int(answer.text)}


@router.get("/wait")
async def ask_before_the_first_query(db: AsyncDb) -> dict[str, int]:
    await asyncio.sleep(0.02)
    books = (await db.scalars(select(Book.id))).all()
    await db.commit()
    return {"books": len(books)}


@router.get("/orders")
def export_orders() -> StreamingResponse:
    return StreamingResponse(order_lines(size=100))


def order_lines(size: int) -> Iterator[str]:
    last = 0
    while orders := orders_after(last, size):
        for order in orders:
            yield f"{order.id},{order.status}\n"
        last = orders[-1].id


def orders_after(last: int, size: int) -> list[Order]:
    with SessionLocal() as db:
        return list(db.scalars(select(Order).where(Order.id > last).order_by(Order.id).limit(size)))


@router.post("/orders/{order_id}/ship")
async def ship(order_id: int, tasks: BackgroundTasks) -> dict[str, bool]:
    tasks.add_task(mark_shipped, order_id)
    return {"accepted": True}


async def mark_shipped(order_id: int) -> None:
    async with AsyncSessionLocal() as db:
        order = await db.get_one(Order, order_id)
        order.status = "shipped"
        await db.commit()


@router.get("/books/{book_id}/stock")
def stock(book_id: int) -> dict[str, int]:
    db = SessionLocal()
    try:
        book = db.get(Book, book_id)
        return {"stock": book.stock if book else 0}
    finally:
        db.close()
