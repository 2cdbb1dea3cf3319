"""H11: after `close()`, the session opens again silently, and what it loaded can't load any more."""

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, joinedload

from shop import NewSession, NewSyncSession, Order, get_db, sync_engine

app = FastAPI()


@app.get("/again")
async def used_after_close(db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, 1)
    await db.close()
    await db.scalar(select(func.count()))  # expect: LG401
    return order.id


def used_after_its_block() -> int:
    with NewSyncSession() as db:
        db.get_one(Order, 1)
    return db.scalar(select(func.count()))  # expect: LG401


def count(db) -> int:
    return db.scalar(select(func.count()))


def used_by_a_function_after_its_block() -> int:
    with NewSyncSession() as db:
        db.get_one(Order, 1)
    return count(db)  # expect: LG401


def opened_again_on_purpose() -> int:
    with NewSyncSession() as db:
        db.get_one(Order, 1)
    with NewSyncSession() as db:
        return db.scalar(select(func.count()))


async def a_relationship_too_late(order_id: int) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
    return order.customer.email  # expect: LG402


async def a_relationship_in_time(order_id: int) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id, options=[joinedload(Order.customer)])
    return order.customer.email


async def a_column_needs_no_session(order_id: int) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
    return order.state


async def read_once_before(order_id: int) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        order.customer
    return order.customer.email


def closed_on_one_branch_only(order_id: int) -> int:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        if order.amount == 0:
            db.close()
        return db.scalar(select(func.count()))  # expect: LG401


class OrderOut(BaseModel):
    id: int


def validated_after_the_block(order_id: int) -> OrderOut:
    with Session(sync_engine) as db:
        order = db.get_one(Order, order_id)
        order.state = "closed"
        db.commit()
    return OrderOut.model_validate(order, from_attributes=True)  # expect: LG402


def validated_before_the_commit(order_id: int) -> OrderOut:
    with Session(sync_engine) as db:
        order = db.get_one(Order, order_id)
        order.state = "closed"
        db.flush()
        result = OrderOut.model_validate(order, from_attributes=True)
        db.commit()
    return result
