"""H11: after `close()`, the session opens again silently, and what it loaded can't load any more."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import vendor
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped, Session, deferred, joinedload, mapped_column, undefer

from shop import Base, Customer, NewSession, NewSyncSession, Order, engine, get_db, sync_engine

app = FastAPI()
log = logging.getLogger(__name__)

ExpiringAsync = async_sessionmaker(engine)


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


def read_once_before(order_id: int) -> str:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        order.customer
    return order.customer.email


async def nothing_loads_by_being_read(order_id: int) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        email = order.customer.email  # expect: LG402
        return email + order.customer.email


async def of_each_row(db: AsyncSession) -> list[str]:
    orders = (await db.scalars(select(Order).where(Order.amount > 1))).all()
    return [order.customer.email for order in orders]  # expect: LG402


async def awaited_where_it_can_be(order_id: int) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        customer = await order.awaitable_attrs.customer
        return customer.email


async def refreshed_by_its_name(order_id: int) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        await db.refresh(order, ["customer"])
        return order.customer.email


async def assigned_before_it_is_read(order_id: int, customer: Customer) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        order.customer = customer
        email = order.customer.email
        await db.commit()
        return email


async def a_new_object_has_nothing_to_load() -> str:
    async with NewSession() as db:
        order = Order(amount=1)
        db.add(order)
        email = order.customer.email
        await db.commit()
        return email


async def run_in_the_session_inside(order_id: int) -> str:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        return await db.run_sync(lambda _: order.customer.email)


class Scan(Base):
    __tablename__ = "scans"

    id: Mapped[int] = mapped_column(primary_key=True)
    pages: Mapped[str] = mapped_column(deferred=True)
    image: Mapped[bytes] = deferred(mapped_column())


async def a_deferred_column_is_not_loaded_either(scan_id: int) -> str:
    async with NewSession() as db:
        scan = await db.get_one(Scan, scan_id)
        return scan.pages  # expect: LG402


async def nor_an_older_way_to_defer_it(scan_id: int) -> bytes:
    async with NewSession() as db:
        scan = await db.get_one(Scan, scan_id)
    return scan.image  # expect: LG402


async def unless_the_query_says_so(scan_id: int) -> str:
    async with NewSession() as db:
        scan = await db.get_one(Scan, scan_id, options=[undefer(Scan.pages)])
        return scan.pages


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


async def an_expired_attribute_has_nothing_to_wait_with(order_id: int) -> None:
    async with ExpiringAsync() as db:
        order = await db.get_one(Order, order_id)
        await db.commit()
        httpx.post("https://partner.example/orders", json={"id": order.id})  # expect: LG402


async def a_rollback_expires_what_was_loaded(order_id: int) -> int:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        try:
            order.state = "closed"
            await db.commit()
        except IntegrityError:
            await db.rollback()
            log.warning("order %s is closed already", order.id)  # expect: LG402
        return order_id


async def kept_before_the_rollback(order_id: int) -> None:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        number = order.id
        try:
            order.state = "closed"
            await db.commit()
        except IntegrityError:
            await db.rollback()
            log.warning("order %s is closed already", number)


async def refreshed_after_the_rollback(order_id: int) -> None:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        await db.rollback()
        await db.refresh(order)
        log.warning("order %s is closed already", order.id)


async def a_rollback_of_no_transaction(order_id: int) -> None:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        await db.commit()
        try:
            httpx.post("https://partner.example/orders", json={"id": order.id})
        except httpx.HTTPError:
            await db.rollback()
            log.warning("the partner knows nothing of order %s", order.id)


async def a_new_object_that_was_never_a_row(amount: int) -> None:
    async with NewSession() as db:
        order = Order(amount=amount)
        db.add(order)
        try:
            await db.commit()
        except IntegrityError:
            await db.rollback()
            log.warning("no order of %s", order.amount)


async def a_deleted_object_stays_as_it_was(order_id: int) -> int:
    async with ExpiringAsync() as db:
        order = await db.get_one(Order, order_id)
        await db.delete(order)
        await db.commit()
        return order.amount


def total(db: Session) -> int:
    order = db.get_one(Order, 1)
    db.rollback()
    return order.amount


async def inside_run_sync_it_is_loaded() -> int:
    async with NewSession() as db:
        return await db.run_sync(total)


async def awaitable_attributes_wait_for_it(order_id: int) -> int:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        await db.rollback()
        return await order.awaitable_attrs.amount


async def expunged(order_id: int) -> Order:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        db.expunge(order)
        await db.rollback()
        log.info("order of %s", order.amount)
        return order


async def all_expunged() -> list[int]:
    async with NewSession() as db:
        orders = (await db.scalars(select(Order))).all()
        db.expunge_all()
        await db.rollback()
        return [order.amount for order in orders]


async def expunged_one_by_one() -> list[Order]:
    async with NewSession() as db:
        orders = (await db.scalars(select(Order))).all()
        for order in orders:
            db.expunge(order)
        await db.rollback()
        return orders


async def read_by_who_is_given_them() -> list[int]:
    return [order.amount for order in await expunged_one_by_one()]


async def another_is_expunged(order_id: int) -> int:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        other = Order(amount=1)
        db.expunge(other)
        await db.rollback()
        return order.amount  # expect: LG402


@contextmanager
def opened_elsewhere() -> Iterator[Session]:
    yield vendor.current_session()


def nobody_saw_it_closed(order_id: int) -> str:
    with opened_elsewhere() as db:
        order = db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
    httpx.post("https://partner.example/orders")
    return order.customer.email
