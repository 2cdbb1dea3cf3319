"""LG2: the transaction is open while the code waits for something else."""

import asyncio
import hashlib
import subprocess
import sys
import time
from typing import Any

import httpx
from fastapi import APIRouter
from sqlalchemy import select

from app.async_database import AsyncDb
from app.database import Db
from app.models import Book, Customer, Order
from app.partner import PARTNER_URL, Wholesaler

router = APIRouter(prefix="/waiting")
printer = asyncio.Lock()


@router.post("/books/{book_id}/reprice")
def reprice(book_id: int, db: Db) -> dict[str, int]:
    book = db.get_one(Book, book_id)
    answer = httpx.get(f"{PARTNER_URL}/price", params={"title": book.title})  # expect: LG201 external call
    book.price = int(answer.text)
    db.commit()
    return {"price": book.price}


@router.post("/books/{book_id}/restock")
def restock(book_id: int, db: Db) -> dict[str, int]:
    book = db.get_one(Book, book_id)
    book.stock = Wholesaler().stock(book.title)  # expect: LG201 external call
    db.commit()
    return {"stock": book.stock}


@router.get("/books/{book_id}/rating")
async def rating(book_id: int, db: AsyncDb) -> dict[str, Any]:
    book = await db.get_one(Book, book_id)
    async with httpx.AsyncClient(base_url=PARTNER_URL) as client:
        answer = await client.get("/rating", params={"title": book.title})  # expect: LG201 external call
    await db.commit()
    return {"title": book.title, "rating": int(answer.text)}


@router.get("/orders/{order_id}/arrival")
def wait_for_arrival(order_id: int, db: Db) -> dict[str, str]:
    order = db.get_one(Order, order_id)
    for _ in range(3):
        if order.status == "arrived":
            break
        time.sleep(0.02)  # expect: LG202 sleep
        db.refresh(order)
    status = order.status
    db.commit()
    return {"status": status}


@router.get("/books/{book_id}/label")
def print_label(book_id: int, db: Db) -> dict[str, str]:
    book = db.get_one(Book, book_id)
    label = subprocess.run(  # expect: LG203 subprocess
        [sys.executable, "-c", "import time; time.sleep(0.1); print(input().upper())"],
        input=book.title,
        capture_output=True,
        text=True,
        check=True,
    )
    db.commit()
    return {"label": label.stdout.strip()}


@router.get("/catalogue")
async def print_catalogue(db: AsyncDb) -> dict[str, int]:
    titles = (await db.scalars(select(Book.title))).all()
    async with printer:  # expect: LG202 lock
        pages = await asyncio.to_thread(len, titles)
    await db.commit()
    return {"pages": pages}


@router.post("/customers/{customer_id}/password")
def change_password(customer_id: int, password: str, db: Db) -> dict[str, bool]:
    customer = db.get_one(Customer, customer_id)
    customer.password = hashlib.scrypt(password.encode(), salt=b"bookshop", n=2**14, r=8, p=1)  # expect: LG204 CPU
    db.commit()
    return {"changed": True}
