"""A helper asks first whether what it is given can be closed, or is a session: of a session that is always so."""

import httpx
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import NewSession, NewSyncSession, Order


def close_by_hasattr(db) -> None:
    if hasattr(db, "close"):
        db.close()


def after_hasattr(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        close_by_hasattr(db)
        httpx.post("https://partner.example/orders")


def close_what_can_answer(db) -> None:
    if hasattr(db, "answer"):
        db.close()


def after_a_question_that_may_be_denied(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        close_what_can_answer(db)
        httpx.post("https://partner.example/orders")  # expect: LG201


def close_by_getattr(db) -> None:
    close = getattr(db, "close", None)
    if callable(close):
        close()


def after_getattr(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        close_by_getattr(db)
        httpx.post("https://partner.example/orders")


def close_by_getattr_if_any(db) -> None:
    close = getattr(db, "close", None)
    if close:
        close()


def after_getattr_if_any(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        close_by_getattr_if_any(db)
        httpx.post("https://partner.example/orders")


def not_closed_before(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        if not getattr(db, "closed", False):
            db.close()
        httpx.post("https://partner.example/orders")


def while_it_is_active(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        active = db.is_active
        if active:
            db.close()
        httpx.post("https://partner.example/orders")  # expect: LG201


def close_a_session(db: object) -> None:
    if isinstance(db, Session):
        db.close()


def after_isinstance(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        close_a_session(db)
        httpx.post("https://partner.example/orders")


async def close_either(db: Session | AsyncSession) -> None:
    if isinstance(db, AsyncSession):
        await db.close()
    else:
        db.close()


async def after_isinstance_async(order_id: int) -> None:
    async with NewSession() as db, httpx.AsyncClient() as client:
        await db.get_one(Order, order_id)
        await close_either(db)
        await client.post("https://partner.example/orders")


async def close_an_async_one(db: object) -> None:
    if isinstance(db, AsyncSession):
        await db.close()


async def after_isinstance_of_the_other_kind(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        await close_an_async_one(db)
        async with httpx.AsyncClient() as client:
            await client.post("https://partner.example/orders")  # expect: LG201
