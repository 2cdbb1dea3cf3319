"""What has begun goes on while thousands come."""

import asyncio
import time
from itertools import pairwise

from starlette.types import Receive, Scope, Send

from letgo_gateway.pacing import Paced

SCOPE = {"type": "http"}


async def nothing() -> None:
    raise AssertionError("not asked for")


async def nowhere(_: object) -> None:
    raise AssertionError("not told")


def test_few_begin_between_two_steps_of_one_that_has_begun_and_all_do_in_their_order() -> None:
    begun: list[int] = []
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append(scope["number"])
        if scope["number"] == 0:  # as a transaction does, with a word of the database at each step
            for _ in range(10):
                await asyncio.sleep(0)
                seen.append(len(begun))

    async def all_at_once() -> None:
        paced = Paced(app, most=8, seconds=60)
        await asyncio.gather(*(paced(SCOPE | {"number": number}, nothing, nowhere) for number in range(1000)))
        assert not paced._waiting

    asyncio.run(all_at_once())
    assert begun == list(range(1000))
    assert max(later - earlier for earlier, later in pairwise(seen)) <= 8


def test_fewer_begin_when_their_beginning_takes_long() -> None:
    begun: list[int] = []
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append(scope["number"])
        if scope["number"] == 0:
            while len(begun) < 100:
                await asyncio.sleep(0)
                seen.append(len(begun))
        else:
            time.sleep(0.001)

    async def all_at_once() -> None:
        paced = Paced(app, most=16, seconds=0.002)
        await asyncio.gather(*(paced(SCOPE | {"number": number}, nothing, nowhere) for number in range(100)))

    asyncio.run(all_at_once())
    assert max(later - earlier for earlier, later in pairwise(seen[-20:])) <= 2


def test_who_leaves_the_queue_takes_nobodys_turn() -> None:
    begun: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append(scope["number"])

    async def some_leave() -> None:
        paced = Paced(app, most=1)
        tasks = [asyncio.create_task(paced(SCOPE | {"number": at}, nothing, nowhere)) for at in range(20)]
        await asyncio.sleep(0)
        for task in tasks[1::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await paced(SCOPE | {"number": 20}, nothing, nowhere)

    asyncio.run(some_leave())
    assert begun == list(range(0, 21, 2))
