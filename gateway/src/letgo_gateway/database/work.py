"""The unit of work: a function over a session, plain data back, and nothing open any more.

```python
async def name_of(db: AsyncSession, user: str) -> str | None:
    return await db.scalar(select(User.name).where(User.id == user))

name = await database.read(name_of, "f3a1")     # the connection is back in its pool here
```

The function must do nothing but database work: it can't call another service, and `nothing_open`, which all that go
outside call first, makes an error of it if it tries.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Concatenate, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import inspect
from sqlalchemy.engine import Result
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from letgo.runtime import fresh_session
from letgo_gateway.database.engine import WRITES
from letgo_gateway.database.together import Together

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[AsyncSession, P], Awaitable[T]]

UNREACHED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a connection that does not come about raises; SQLAlchemy leaves it as it is."""
UNAVAILABLE = ("08", "53", "57")
"""Classes of Postgres's errors: the connection, its resources, an operator
(https://www.postgresql.org/docs/current/errcodes-appendix.html)."""
_open: ContextVar[str | None] = ContextVar("letgo_gateway_open", default=None)


class DatabaseBusy(Exception):
    """The database can't be asked now: no connection is free, or there is none to be had. Try again a little later."""


class TransactionOpen(RuntimeError):
    """Code in a unit of work went outside, or began another unit: a defect of the gateway."""


def nothing_open(doing: str) -> None:
    """Assert that no unit of work is open here, before `doing` something that takes time. Raises `TransactionOpen`."""
    if (work := _open.get()) is not None:
        raise TransactionOpen(f"{doing}, within the unit of work {work}")


class Database:
    """Units of work on one engine, which get their connections in the order in which they asked: SQLAlchemy's queue
    for event loops would let who comes take a connection that was meant for who waits, over and over. At most `waiting`
    of them wait at a time, and each for `patience` seconds.
    """

    def __init__(self, engine: AsyncEngine, waiting: int, patience: float) -> None:
        self.engine = engine
        self._running = 0
        self._patience = patience
        self._most = waiting + self.size
        self._free = asyncio.Semaphore(self.size)
        alone = reading = engine
        if engine.dialect.name == "postgresql":
            alone = engine.execution_options(isolation_level="AUTOCOMMIT")
            reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._alone = alone
        self._reads = async_sessionmaker(reading, autoflush=False)
        self._writes = async_sessionmaker(engine.execution_options(**{WRITES: True}))
        self._pinged = Together(self._ping)

    async def read(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` reads, in one snapshot. Raises `DatabaseBusy`."""
        return await self._unit(self._reads, work, *args, **kwargs)

    async def write(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns once its changes are committed. Raises `DatabaseBusy`, and whatever `work` raises."""
        return await self._unit(self._writes, work, *args, **kwargs)

    async def _unit(
        self, sessions: async_sessionmaker[AsyncSession], work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        name = getattr(work, "__qualname__", repr(work))
        async with self.reached(name), fresh_session(sessions) as db:
            try:
                return _plain(await work(db, *args, **kwargs), name)
            except Exception:
                # Here and now: the end of the session would do it in a task of its own, which has to wait its turn.
                await db.rollback()
                raise

    @asynccontextmanager
    async def reached(self, name: str) -> AsyncIterator[None]:
        """A place among those who have a connection or wait for one, for the unit of work `name`.

        Raises `DatabaseBusy`, for whatever the database can't do now.
        """
        nothing_open(f"a unit of work {name} begins")
        if self._running >= self._most:
            raise DatabaseBusy("too many requests wait for a connection to the database")
        self._running += 1
        token = _open.set(name)
        try:
            async with self._connection_free():
                yield
        except DBAPIError as error:
            if error.connection_invalidated or _is_unavailable(error.orig):
                raise DatabaseBusy("the database can't answer now") from error
            raise
        except UNREACHED as error:
            raise DatabaseBusy("the database does not answer") from error
        finally:
            _open.reset(token)
            self._running -= 1

    @asynccontextmanager
    async def _connection_free(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise DatabaseBusy("no connection to the database became free in time") from None
        try:
            yield
        finally:
            self._free.release()

    async def ping(self) -> None:
        """Have the database answer a query that begins now, without a transaction. Raises `DatabaseBusy`.

        One query answers all who have asked before it began.
        """
        nothing_open("a ping begins")
        await self._pinged(None)

    async def _ping(self, asked: Sequence[None]) -> Mapping[None, None]:
        async with self.reached("ping"), self._alone.connect() as connection:
            await connection.exec_driver_sql("select 1")
        return dict.fromkeys(asked)

    @property
    def size(self) -> int:
        return self.engine.pool.size()  # type: ignore[attr-defined, no-any-return]

    @property
    def checked_out(self) -> int:
        return self.engine.pool.checkedout()  # type: ignore[attr-defined, no-any-return]

    @property
    def running(self) -> int:
        """Units of work that have a connection or wait for one."""
        return self._running

    async def close(self) -> None:
        await self.engine.dispose()


def _is_unavailable(error: BaseException | None) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return state[:2] in UNAVAILABLE or getattr(error, "sqlite_errorname", "").startswith(
        ("SQLITE_BUSY", "SQLITE_CANTOPEN")
    )


def _plain(result: T, name: str) -> T:
    """Refuse rows of the ORM and results: they would go back to the database when they are read."""
    parts = result.values() if isinstance(result, Mapping) else result if isinstance(result, list | tuple) else ()
    for part in (result, *parts):
        if isinstance(part, Result) or inspect(part, raiseerr=False) is not None:
            raise TypeError(f"{name} returned {type(part).__name__}, which is not plain data")
    return result
