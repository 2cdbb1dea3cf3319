"""The dependency to use in place of a `get_db` written by hand.

```python
get_db = session_dependency(SessionLocal)
Db = Annotated[Session, Depends(get_db)]
```
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar, get_args, overload

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from letgo.runtime.request import current_request
from letgo.runtime.units import Unsaved, check_choice, let_go

OWNER = "letgo.unsaved"  # in Session.info: what its dependency does with work that is left
S = TypeVar("S", bound=Session)
A = TypeVar("A", bound=AsyncSession)

# Since SQLAlchemy 2.0.22; before, a session that is used after its release begins again in silence.
_PERMANENT = (
    {"close_resets_only": False} if "close_resets_only" in inspect.signature(Session.__init__).parameters else {}
)


@overload
def session_dependency(
    factory: async_sessionmaker[A], *, unsaved: Unsaved = "commit"
) -> Callable[[], AsyncIterator[A]]: ...
@overload
def session_dependency(factory: sessionmaker[S], *, unsaved: Unsaved = "commit") -> Callable[[], Iterator[S]]: ...
def session_dependency(
    factory: async_sessionmaker[A] | sessionmaker[S], *, unsaved: Unsaved = "commit"
) -> Callable[[], AsyncIterator[A]] | Callable[[], Iterator[S]]:
    """A generator for `Depends` that gives one session and lets go of it.

    When the endpoint has raised, everything is rolled back. Else work that is not committed is committed, rolled back
    or refused with `UnsavedWork`, as `unsaved` says. Under `install` or `ReleasingRoute` that happens as soon as the
    endpoint has returned and its answer is validated, so before the status goes out; without them when FastAPI ends
    its dependencies, as a safety net. After it the session can't be used again: open a `fresh_session` in streams
    and background tasks.
    """
    check_choice(unsaved, get_args(Unsaved))
    if isinstance(factory, async_sessionmaker):
        return _async_dependency(factory, unsaved)
    return _dependency(factory, unsaved)


def _dependency(factory: sessionmaker[S], unsaved: Unsaved) -> Callable[[], Iterator[S]]:
    def get_session() -> Iterator[S]:
        with factory(info={OWNER: unsaved}, **_PERMANENT) as session:
            _note(session)
            yield session
            let_go(session, unsaved)

    return get_session


def _async_dependency(factory: async_sessionmaker[A], unsaved: Unsaved) -> Callable[[], AsyncIterator[A]]:
    async def get_session() -> AsyncIterator[A]:
        async with factory(**_PERMANENT, info={OWNER: unsaved}) as session:
            _note(session.sync_session)
            yield session
            await session.run_sync(let_go, unsaved)

    return get_session


def _note(session: Session) -> None:
    """Of several sessions the last is settled first, as FastAPI ends dependencies: not the one last used."""
    if (request := current_request()) is not None:
        request.note(session, owed=True)
