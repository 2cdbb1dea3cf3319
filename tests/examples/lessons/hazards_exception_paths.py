"""H7, H8: what an exception or a cancelled task passes over."""

import json
import logging

import httpx
from fastapi import HTTPException
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import NewSession, NewSyncSession, Order

logger = logging.getLogger(__name__)
running: dict[int, object] = {}


def closed_at_the_end_only(order_id: int) -> None:
    db = NewSyncSession()  # expect: LG502
    db.get_one(Order, order_id).state = "closed"
    db.commit()
    db.close()


def what_is_added_is_written_by_the_commit() -> None:
    db = NewSyncSession()  # expect: LG502
    db.add(Order(amount=1))
    db.commit()
    db.close()


def the_commit_failed_and_nobody_closes() -> None:
    db = NewSyncSession()  # expect: LG501
    try:
        db.add(Order(amount=1))
        db.commit()
        db.close()
    except Exception:
        logger.exception("no order")


def the_commit_failed_and_is_rolled_back(db: Session) -> None:
    try:
        db.add(Order(amount=1))
        db.commit()
    except IntegrityError:
        db.rollback()
        httpx.post("https://partner.example/orders")


def raised_before_it_is_closed(order_id: int) -> str:
    db = NewSyncSession()  # expect: LG502
    order = db.get(Order, order_id)
    if order is None:
        raise HTTPException(404)
    db.close()
    return order.state


def a_commit_in_finally_may_fail(order_id: int) -> None:
    db = NewSyncSession()  # expect: LG502
    try:
        db.get_one(Order, order_id).state = "closed"
    finally:
        db.commit()
        db.close()


async def cancellation_is_no_exception(order_id: int) -> None:
    db = NewSession()  # expect: LG502
    try:
        (await db.get_one(Order, order_id)).state = "closed"
        await db.commit()
    except Exception:
        await db.close()
        raise
    await db.close()


async def finally_catches_cancellation(order_id: int) -> None:
    db = NewSession()
    try:
        (await db.get_one(Order, order_id)).state = "closed"
        await db.commit()
    finally:
        await db.close()


async def opened_by_hand() -> AsyncSession:
    return NewSession()


async def not_closed_by_who_asked(order_id: int) -> str:
    db = await opened_by_hand()  # expect: LG501
    return (await db.get_one(Order, order_id)).state


def cleanup_after_a_bare_yield():
    db = NewSyncSession()
    yield db
    db.close()  # an exception at the yield passes it over; in a dependency that is not seen


def forget(order_id: int) -> None:
    running.pop(order_id, None)


async def forget_later(order_id: int) -> None:
    forget(order_id)
    print("forgotten", order_id)


def report(order_id: int) -> None:
    running[order_id] = json.loads("{}")


async def what_raises_nothing_comes_before_the_close(order_id: int) -> None:
    db = NewSession()
    try:
        (await db.get_one(Order, order_id)).state = "closed"
        await db.commit()
    except Exception as error:
        logger.error("order %s: %s", order_id, error)
        forget(order_id)
        await db.rollback()
        raise
    finally:
        logger.info("done with %s", str(order_id))
        await forget_later(order_id)
        await db.close()


def what_may_raise_comes_before_the_close(order_id: int) -> None:
    db = NewSyncSession()  # expect: LG502
    try:
        db.get_one(Order, order_id).state = "closed"
        db.commit()
    finally:
        report(order_id)
        db.close()


def what_is_tried_may_raise_in_a_library(order_id: int) -> None:
    db = NewSyncSession()
    try:
        order = db.get_one(Order, order_id)
        json.loads(order.state)
        db.commit()
    except ValueError:
        logger.exception("order %s", order_id)
    finally:
        db.close()
