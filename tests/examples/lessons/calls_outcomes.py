"""A call that ends in several ways leaves the session in several states: what it returned tells which."""

import asyncio

import httpx
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shop import NewSyncSession, Order, OrderOut, get_sync_db

app = FastAPI()


def find_order(db: Session, order_id: int) -> Order | None:
    try:
        order = db.get_one(Order, order_id)
        db.commit()
        return order
    except SQLAlchemyError:
        return None


@app.get("/orders/{order_id}/state")
def state_of(order_id: int, db: Session = Depends(get_sync_db)) -> str:  # expect: LG601
    order = find_order(db, order_id)
    if order is None:
        return "unknown"  # expect: LG101
    return "known"


@app.get("/orders/{order_id}/known")
def is_known(order_id: int, db: Session = Depends(get_sync_db)) -> str:
    order = find_order(db, order_id)
    if not order:
        raise HTTPException(404)
    return "known"


def lock_order(db: Session, order_id: int) -> bool:
    order = db.get(Order, order_id, with_for_update=True)
    if order is None:
        db.rollback()
        return False
    return True


def notify_if_locked(order_id: int) -> None:
    with NewSyncSession() as db:
        if not lock_order(db, order_id):
            httpx.post("https://partner.example/missing")
            return
        httpx.post("https://partner.example/orders")  # expect: LG201
        db.commit()


def passed_on(db: Session, order_id: int) -> bool:
    return lock_order(db, order_id)


def notify_if_missing(order_id: int) -> None:
    with NewSyncSession() as db:
        locked = passed_on(db, order_id)
        if locked:
            return
        httpx.post("https://partner.example/missing")


async def read_order(db: Session, order_id: int) -> OrderOut | None:
    try:
        await asyncio.sleep(0)
        found = OrderOut.model_validate(db.get_one(Order, order_id))
        db.commit()
        return found
    except Exception:
        db.rollback()
        return None


@app.get("/orders/{order_id}/cancelled", response_model=OrderOut)
async def only_a_cancellation_leaves_it_open(order_id: int, db: Session = Depends(get_sync_db)) -> OrderOut | None:
    try:
        return await read_order(db, order_id)
    except Exception:
        return None
