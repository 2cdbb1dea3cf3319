"""The session lets go before the code waits for something else, and begins anew when it is used again."""

import time

import httpx
from fastapi import APIRouter, Depends, Request
from fastapi.templating import Jinja2Templates
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import Customer, NewSyncSession, Order, get_db, get_sync_db

router = APIRouter()
templates = Jinja2Templates("templates")


# Only reading comes before the call: a commit there changes nothing but who has the connection.
@router.post("/orders/{order_id}/charge")
async def charge(order_id: int, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, order_id)
    await db.commit()
    async with httpx.AsyncClient() as client:
        # The bank takes its time.
        answer = await client.post("https://bank.example/charge", json={"amount": order.amount})
    order.state = answer.text
    await db.commit()
    return {"state": answer.text}


# Unsafe: what was written before would be saved even if the call fails.
@router.post("/orders/{order_id}/mark")
def mark(order_id: int, db: Session = Depends(get_sync_db)):
    order = db.get_one(Order, order_id)
    order.state = "marking"
    db.flush()
    db.commit()
    httpx.post("https://marks.example", json={"id": order_id})
    order.state = "marked"
    db.commit()
    return {"marked": True}


# The commit that stands after the render moves before it.
@router.get("/page")
def page(request: Request, db: Session = Depends(get_sync_db)):
    orders = db.scalars(select(Order)).all()
    db.commit()
    response = templates.TemplateResponse(request, "orders.html", {"orders": orders})
    return response


# What the template is given is read first.
@router.get("/customers")
def customers(request: Request, db: Session = Depends(get_sync_db)):
    context = {"all": db.scalars(select(Customer)).all()}
    db.commit()
    return templates.TemplateResponse(request, "customers.html", context)


# In a loop, too, where the rows are there already.
def remind(db: Session) -> None:
    for customer in db.scalars(select(Customer)).all():
        db.commit()
        httpx.post("https://mail.example", json={"to": customer.email})


# Left: the loop still fetches rows, and a commit would take its cursor away.
def remind_slowly() -> None:
    with NewSyncSession() as db:
        for customer in db.execute(select(Customer.email)):
            httpx.post("https://mail.example", json={"to": customer.email})


# The query and the wait are both in the function it calls: it is let go between them, there.
@router.get("/slow")
def slow(db: Session = Depends(get_sync_db)):
    read_slowly(db)
    db.commit()


def read_slowly(db: Session) -> None:
    db.get_one(Order, 1)
    db.commit()
    time.sleep(1)


# One call leads to the same wait on another way: both are let go before, or neither.
def tell(text: str) -> None:
    time.sleep(len(text))


@router.post("/orders/{order_id}/tell")
def tell_twice(order_id: int, db: Session = Depends(get_sync_db)):
    order = db.get(Order, order_id)
    if order is None:
        db.commit()
        tell("nobody")
        response = {"told": False}
        db.commit()
        db.close()
        return response
    if order.state == "lost":
        db.commit()
        tell("lost")
        response = {"told": False}
        db.commit()
        db.close()
        return response
    db.commit()
    return {"told": True}
