"""Leaving an `async with AsyncSession()` that has let go already.

SQLAlchemy closes the session in a task and a greenlet of their own, so that a cancellation can't keep its connection
out of the pool. A session without a transaction has none to give back: closing it waits for nothing, and the task
would cost a request more than all else that letting go does.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from letgo.runtime.releasing import handling
from letgo.runtime.wrapping import wrap


def hook() -> None:
    """Wrap SQLAlchemy's function, once however often it is called."""
    wrap(AsyncSession, ["__aexit__"], _leaving)


def _leaving(original: Callable[..., Any]) -> Callable[..., Any]:
    async def __aexit__(self: AsyncSession, *error: Any) -> None:
        session = self.sync_session
        if handling.get() is None or session.in_transaction() or not _closes_as_ever(self, session):
            await original(self, *error)
        else:
            session.close()

    return __aexit__


def _closes_as_ever(asynchronous: AsyncSession, session: Session) -> bool:
    """Whether nobody has written a close() of their own, which may wait for whatever it likes."""
    return type(asynchronous).close is AsyncSession.close and type(session).close is Session.close
