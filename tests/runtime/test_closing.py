"""Leaving a session that has let go already."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from letgo.runtime import closing
from letgo.runtime.releasing import Handling, Policy
from letgo.runtime.request import entered

closing.hook()


class Careful(AsyncSession):
    """Of somebody who does more when it is closed."""

    closed = 0

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1
        await super().close()


async def leave(session: AsyncSession) -> None:
    async with session:
        pass


async def leave_in_transaction(session: AsyncSession) -> None:
    async with session:
        await session.begin()
    assert not session.in_transaction()


def tasks_made(leaving: Callable[[AsyncSession], Awaitable[None]], session: AsyncSession, in_request: bool) -> int:
    made: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        made.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def run() -> int:
        asyncio.get_running_loop().set_task_factory(factory)
        if in_request:
            with entered({"type": "http"}) as request, Handling(request, Policy()):
                await leaving(session)
        else:
            await leaving(session)
        return len(made)

    return asyncio.run(run())


def test_a_session_without_a_transaction_is_closed_without_a_task() -> None:
    session = AsyncSession(close_resets_only=False)
    assert tasks_made(leave, session, in_request=True) == 0
    with pytest.raises(InvalidRequestError, match="closed"):
        session.sync_session.begin()


def test_a_session_in_a_transaction_is_closed_as_ever() -> None:
    assert tasks_made(leave_in_transaction, AsyncSession(), in_request=True) == 1


def test_outside_of_requests_all_is_as_ever() -> None:
    assert tasks_made(leave, AsyncSession(), in_request=False) == 1


def test_a_close_of_ones_own_is_called() -> None:
    session = Careful()
    assert tasks_made(leave, session, in_request=True) == 1
    assert session.closed == 1
