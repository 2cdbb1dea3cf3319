"""Short units of work, and letting go of a session by hand.

```python
with fresh_session(SessionLocal) as db:             # async with, for an async_sessionmaker
    db.add(row)                                     # committed at the end, rolled back on any exception
release(db)                                         # before a slow call; `await release(db)` for an AsyncSession
```
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Literal, TypeVar, get_args, overload

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from letgo.runtime.transactions import end_reads, work_of

Unsaved = Literal["commit", "rollback", "refuse"]
S = TypeVar("S", bound=Session)
A = TypeVar("A", bound=AsyncSession)


class UnsavedWork(RuntimeError):
    """A session was to let go while it had work that nobody has said what to do with. The work is still there."""


@overload
def fresh_session(factory: async_sessionmaker[A]) -> AbstractAsyncContextManager[A]: ...
@overload
def fresh_session(factory: Callable[[], S]) -> AbstractContextManager[S]: ...
def fresh_session(
    factory: async_sessionmaker[A] | Callable[[], S],
) -> AbstractAsyncContextManager[A] | AbstractContextManager[S]:
    """A session for the body of the `with` alone: for generators, tasks, and between external calls.

    `factory` is a `sessionmaker`, an `async_sessionmaker` (then it is an `async with`) or any function that makes a
    sync session. Commits when the body ends, rolls back when it is left by any exception, a cancellation or a
    generator's close; gives the connection back in each case. Whatever commit() raises is raised.
    """
    return _fresh_async(factory) if isinstance(factory, async_sessionmaker) else _fresh(factory)


@contextmanager
def _fresh(factory: Callable[[], S]) -> Iterator[S]:
    with factory() as session:  # whose own end closes it, which rolls back
        yield session
        session.commit()


@asynccontextmanager
async def _fresh_async(factory: async_sessionmaker[A]) -> AsyncIterator[A]:
    async with factory() as session:  # closes in a task of its own, so that a cancellation can't cut it short
        yield session
        await session.commit()


@overload
def release(session: AsyncSession, *, unsaved: Unsaved = "refuse") -> Awaitable[None]: ...
@overload
def release(session: Session, *, unsaved: Unsaved = "refuse") -> None: ...
def release(session: Session | AsyncSession, *, unsaved: Unsaved = "refuse") -> Awaitable[None] | None:
    """Let go now: end the transaction, close the session, give the connection back. Again is no harm.

    With `unsaved="commit"` or `"rollback"` that is what happens to work not yet committed. Without, `UnsavedWork` is
    raised if there is any, or a statement that may have been some: see `letgo.runtime.statements`. Objects of the
    session keep what they have loaded; what they have not can't be loaded any more.
    """
    if isinstance(session, AsyncSession):
        return session.run_sync(let_go, unsaved)
    let_go(session, unsaved)
    return None


def let_go(session: Session, unsaved: Unsaved) -> None:
    """`release` for a sync session, or inside `run_sync`."""
    check_choice(unsaved, get_args(Unsaved))
    work = work_of(session)
    if work is not None and unsaved == "refuse":
        raise UnsavedWork(
            f"the session still has {work}: commit or roll back first, or say which: unsaved='commit' or 'rollback'"
        )
    if work is not None and unsaved == "commit":
        commit(session)
    end_reads(session)
    session.close()


def check_choice(unsaved: str, choices: tuple[str, ...]) -> None:
    """A misspelt choice must not be taken for another: raises ValueError."""
    if unsaved not in choices:
        raise ValueError(f"unsaved must be one of {', '.join(map(repr, choices))}, not {unsaved!r}")


def commit(session: Session) -> None:
    """Commit, and leave what is loaded readable: an expired attribute would begin the next transaction."""
    expires, session.expire_on_commit = session.expire_on_commit, False
    try:
        session.commit()
    finally:
        session.expire_on_commit = expires
