"""LG6: enough users at once, and the app stands still.

A handler that holds a connection and needs a thread to answer waits for the threads; they wait for connections. With
this pool of 10 and Starlette's 40 threads, 50 users are enough.
"""

from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, HTTPException

from app.database import Db
from app.models import Book, Customer, Order
from app.partner import PARTNER_URL
from app.schemas import BookOut, CustomerOut, OrderOut

router = APIRouter(prefix="/stalls")


@router.get("/books/{book_id}", response_model=BookOut)
def read_book(book_id: int, db: Db) -> Any:  # expect: LG601 stall
    return db.get_one(Book, book_id)  # expect: LG101 serialise


def current_customer(db: Db) -> Customer:
    customer = db.get(Customer, 1)  # expect: LG101 serialise
    if customer is None:
        raise HTTPException(401)
    return customer


@router.get("/me")
def read_me(customer: Annotated[Customer, Depends(current_customer)]) -> CustomerOut:  # expect: LG601 stall
    return CustomerOut.model_validate(customer)


@router.get("/orders/{order_id}")
async def track_order(order_id: int, db: Db) -> OrderOut:  # expect: LG601 stall
    order = db.get_one(Order, order_id)
    async with httpx.AsyncClient(base_url=PARTNER_URL) as partner:
        await partner.get("/track", params={"order": order_id})  # expect: LG201 external call
    db.commit()
    return OrderOut.model_validate(order)
