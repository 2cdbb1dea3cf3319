"""A6, A12: a dependency is a generator; taken out of it by hand, its session outlives it or lacks it."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import NewSession, NewSyncSession, Order, get_db, get_sync_db

app = FastAPI()


def nobody_keeps_the_generator(order_id: int) -> str:
    db = next(get_sync_db())  # expect: LG503
    return db.get_one(Order, order_id).state


def nobody_keeps_it_and_a_wait(order_id: int) -> str:
    db = next(get_sync_db())  # expect: LG503
    order = db.get_one(Order, order_id)
    return httpx.get(f"https://partner.example/{order.id}").text  # expect: LG201


def closed_by_hand_it_is_sound(order_id: int) -> str:
    db = next(get_sync_db())
    try:
        return db.get_one(Order, order_id).state
    finally:
        db.close()


def kept_and_closed(order_id: int) -> str:
    sessions = get_sync_db()
    db = next(sessions)
    try:
        return db.get_one(Order, order_id).state
    finally:
        sessions.close()


def kept_and_exhausted(order_id: int) -> str:
    sessions = get_sync_db()
    db = next(sessions)
    try:
        return db.get_one(Order, order_id).state
    finally:
        next(sessions, None)


def kept_until_the_function_ends(order_id: int) -> str:
    sessions = get_sync_db()
    db = next(sessions)
    return db.get_one(Order, order_id).state


class Reader:
    def __init__(self) -> None:
        self.sessions = get_sync_db()
        self.db = next(self.sessions)

    def state(self, order_id: int) -> str:
        return self.db.get_one(Order, order_id).state


def with_another_generator_function(order_id: int, sessions: Callable[[], Iterator[Session]] = get_sync_db) -> str:
    db = next(sessions())  # expect: LG503
    return db.get_one(Order, order_id).state


def of_a_function_that_is_only_declared(order_id: int, make: Callable[[], Generator[Session, None, None]]) -> str:
    sessions = make()
    db = next(sessions)
    try:
        order = db.get_one(Order, order_id)
        return httpx.get(f"https://partner.example/{order.id}").text  # expect: LG201
    finally:
        sessions.close()


def exhausted_before_the_wait(order_id: int, make: Callable[[], Generator[Session, None, None]]) -> str:
    sessions = make()
    try:
        number = next(sessions).get_one(Order, order_id).id
    finally:
        next(sessions, None)
    return httpx.get(f"https://partner.example/{number}").text


async def an_async_one(order_id: int) -> str:
    db = await anext(get_db())  # expect: LG503
    return (await db.get_one(Order, order_id)).state


async def by_its_method(order_id: int) -> str:
    db = await get_db().__anext__()  # expect: LG503
    return (await db.get_one(Order, order_id)).state


async def a_loop_that_runs_once(order_id: int) -> None:
    async for db in get_db():
        order = await db.get_one(Order, order_id)
        async with httpx.AsyncClient() as client:
            await client.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201


async def a_loop_and_then_a_wait(order_id: int) -> None:
    async for db in get_db():
        number = (await db.get_one(Order, order_id)).id
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/orders", json={"id": number})


def a_sync_loop(order_id: int) -> None:
    for db in get_sync_db():
        number = db.get_one(Order, order_id).id
        httpx.post("https://partner.example/orders", json={"id": number})  # expect: LG201


async def get_serializable_db() -> AsyncIterator[AsyncSession]:
    db = NewSession()
    try:
        await db.connection(execution_options={"isolation_level": "SERIALIZABLE"})
        yield db
    finally:
        await db.close()


async def partner_of(number: int) -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/orders", json={"id": number})


async def a_loop_over_one_that_is_open_already(order_id: int) -> None:
    async for db in get_serializable_db():
        number = (await db.get_one(Order, order_id)).id
    await partner_of(number)


async def a_loop_that_is_broken_off(order_id: int) -> None:
    async for db in get_serializable_db():
        number = (await db.get_one(Order, order_id)).id
        break
    await partner_of(number)


async def a_return_out_of_a_loop(order_id: int) -> Order:
    async for db in get_serializable_db():
        return await db.get_one(Order, order_id)


async def what_such_a_loop_returned(order_id: int) -> None:
    order = await a_return_out_of_a_loop(order_id)
    await partner_of(order.id)


async def a_wait_in_such_a_loop(order_id: int) -> None:
    async for db in get_serializable_db():
        order = await db.get_one(Order, order_id)
        await partner_of(order.id)  # expect: LG201


def a_generator_that_forgets_to_close() -> Iterator[Session]:
    db = NewSyncSession()
    yield db
    db.close()


def breaking_off_one_that_forgets(order_id: int) -> None:
    for db in a_generator_that_forgets_to_close():
        number = db.get_one(Order, order_id).id
        break
    httpx.post("https://partner.example/orders", json={"id": number})  # expect: LG201


def running_one_to_its_end(order_id: int) -> None:
    for db in a_generator_that_forgets_to_close():
        number = db.get_one(Order, order_id).id
    httpx.post("https://partner.example/orders", json={"id": number})
