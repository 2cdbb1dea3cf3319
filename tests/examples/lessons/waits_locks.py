"""A lock that lives in a call's own variables is waited for by that call's tasks alone: it is no wait of its own."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from shop import NewSession, Order


async def double(number: int) -> int:
    return number * 2


async def send(number: int) -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/orders", json={"id": number})


async def few_at_once(works: list[Awaitable], most: int = 10) -> list:
    semaphore = asyncio.Semaphore(most)

    async def one(work: Awaitable) -> object:
        async with semaphore:
            return await work

    return await asyncio.gather(*[one(work) for work in works])


async def within_a_call(numbers: list[int]) -> None:
    async with NewSession() as db:
        await db.get_one(Order, 1)
        await few_at_once([double(number) for number in numbers])


async def one_in_turn(lock: asyncio.Lock, number: int) -> int:
    async with lock:
        await asyncio.sleep(0)
        return await double(number)


async def handed_to_the_tasks_of_a_call(numbers: list[int]) -> None:
    lock = asyncio.Lock()
    async with NewSession() as db:
        await db.get_one(Order, 1)
        await asyncio.gather(*[one_in_turn(lock, number) for number in numbers])


async def what_the_tasks_do_is_waited_for(numbers: list[int]) -> None:
    semaphore = asyncio.Semaphore(3)

    async def one(number: int) -> None:
        async with semaphore:
            await send(number)

    async with NewSession() as db:
        await db.get_one(Order, 1)
        await asyncio.gather(*[one(number) for number in numbers])  # expect: LG201


everybody = asyncio.Semaphore(3)


async def of_the_whole_app(number: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, 1)
        async with everybody:  # expect: LG202
            await double(number)


class Worker:
    def __init__(self) -> None:
        semaphore = asyncio.Semaphore(3)
        self.semaphore = semaphore

    async def work(self, number: int) -> None:
        async with NewSession() as db:
            await db.get_one(Order, 1)
            async with self.semaphore:  # expect: LG202
                await double(number)


def limited(function: Callable) -> Callable:
    semaphore = asyncio.Semaphore(3)

    async def wrapper(*args: object) -> object:
        async with semaphore:
            return await function(*args)

    return wrapper


async def kept_by_a_function_that_is_given(number: int) -> None:
    work = limited(double)
    async with NewSession() as db:
        await db.get_one(Order, 1)
        await work(number)  # expect: LG202
