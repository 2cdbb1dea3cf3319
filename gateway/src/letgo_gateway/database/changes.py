"""How a worker learns of what others have changed: a counter for each topic, in the database.

A unit of work that changes something counts its topic up in the same transaction (`count_up`), so that who reads the
counter sees all that led to it. Postgres tells the other workers at once (`NOTIFY`); and each worker asks for the
counters every `changes_interval` seconds as well, which is all there is on SQLite, behind PgBouncer, or while a
connection is lost.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from math import inf
from time import monotonic
from typing import Any, Literal, NamedTuple, ParamSpec, TypeAlias, TypeVar, get_args

from sqlalchemy import BigInteger, String, bindparam, case, cast, func, select, update
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from letgo_gateway.database.base import Base
from letgo_gateway.database.listening import keep_listening
from letgo_gateway.database.work import Database, DatabaseBusy, Work

Registry: TypeAlias = Literal["gateways", "tools", "resources", "prompts", "servers", "a2a", "roots"]
Own: TypeAlias = Literal[
    "own-0", "own-1", "own-2", "own-3", "own-4", "own-5", "own-6", "own-7",
    "own-8", "own-9", "own-a", "own-b", "own-c", "own-d", "own-e", "own-f",
]  # fmt: skip
"""Entries of any registry that only their owners see, by the last digit of their owners' ids: what others see has not
changed with them. They are sixteen since who changes a topic waits for all who are changing it."""
Topic: TypeAlias = Literal["identity", Registry, Own]
OWN: tuple[Own, ...] = get_args(Own)
OWN_TOPICS: frozenset[str] = frozenset(OWN)
TOPICS: tuple[Topic, ...] = get_args(Topic)
P = ParamSpec("P")
T = TypeVar("T")
Listener: TypeAlias = Callable[[frozenset[str], str | None], None]
"""Called with the topics that have changed; if there is an owner, nobody else's own entries have."""
CHANNEL = "letgo_gateway"
log = logging.getLogger("letgo_gateway.changes")


def own(owner: str | None) -> Own:
    """The topic of what only this user sees."""
    return OWN[int(owner[-1], 16) if owner else 0]


class Change(Base):
    __tablename__ = "change"

    topic: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, default=0)


TABLE: Any = Change.__table__
VERSIONS = select(TABLE)
LOCKED = (
    select(TABLE.c.topic)
    .where(TABLE.c.topic.in_(bindparam("topics", expanding=True)))
    .order_by(TABLE.c.topic)
    .with_for_update()
)
COUNTING = update(TABLE).where(TABLE.c.topic.in_(LOCKED)).values(version=TABLE.c.version + 1).returning(TABLE)
COUNTED = COUNTING.cte("counted")
WHOSE = case((COUNTED.c.topic == bindparam("own", type_=String), bindparam("owner", type_=String)), else_="")
TOLD = COUNTED.c.topic + "=" + cast(COUNTED.c.version, String) + WHOSE
COUNTING_AND_TELLING = select(COUNTED, func.pg_notify(CHANNEL, TOLD))


class Changed(NamedTuple):
    """Topics, and the owner of what they are about where one of them is the topic of an owner."""

    topics: Collection[Topic]
    owner: str | None = None


async def count_up(db: AsyncSession, topics: Collection[Topic], owner: str | None = None) -> dict[str, int]:
    """The new versions of `topics`, told to all workers when this transaction commits.

    Call it last: whoever changes the same topic waits for this transaction from here on. So it is one statement, which
    leaves nothing to be done but to commit. The order of the topics is always the same, so that two can't wait for each
    other.
    """
    given = {"topics": sorted(set(topics))}
    if db.get_bind().dialect.name != "postgresql":
        return {row.topic: row.version for row in await db.execute(COUNTING, given)}
    whose = {"own": None, "owner": None} if owner is None else {"own": own(owner), "owner": f":{owner}"}
    return {row.topic: row.version for row in await db.execute(COUNTING_AND_TELLING, given | whose)}


async def versions_now(db: AsyncSession) -> dict[str, int]:
    return {row.topic: row.version for row in await db.execute(VERSIONS)}


class Changes:
    """The versions this worker knows of. They only grow."""

    def __init__(self, database: Database, direct: URL, interval: float) -> None:
        self.versions: dict[str, int] = dict.fromkeys(TOPICS, 0)
        self._database = database
        self._direct = direct
        self._interval = interval
        self._known_at = -inf
        self._listeners: list[Listener] = []
        self._unheard = asyncio.Event()
        """Set when there may be changes that were told while nobody listened."""

    def subscribe(self, listener: Listener) -> None:
        """Have `listener` called with what has changed, in the event loop; it must be quick."""
        self._listeners.append(listener)

    def learn(self, versions: Mapping[str, int], owner: str | None = None) -> None:
        """Take over what is newer. Who has changed something calls this itself, so that it sees its own change.

        `owner`: whose own entries have changed with the version of their topic.
        """
        newer = {topic: version for topic, version in versions.items() if version > self.versions.get(topic, -1)}
        if newer:
            if any(newer[topic] > self.versions[topic] + 1 for topic in OWN_TOPICS & newer.keys()):
                owner = None  # somebody else's have as well, and who that is has not been told
            self.versions.update(newer)
            for listener in self._listeners:
                listener(frozenset(newer), owner)

    async def write(
        self,
        topics: Collection[Topic] | Callable[[T], Changed],
        work: Work[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`Database.write`, with `topics` counted up in the same transaction and known here when it returns.

        What `work` has done may say which they are.
        """

        async def counted(db: AsyncSession) -> tuple[T, dict[str, int], str | None]:
            result = await work(db, *args, **kwargs)
            await db.flush()
            changed = topics(result) if callable(topics) else Changed(topics)
            return result, await count_up(db, *changed), changed.owner

        counted.__qualname__ = getattr(work, "__qualname__", repr(work))
        result, versions, owner = await self._database.write(counted)
        self.learn(versions, owner)
        return result

    async def refresh(self) -> None:
        """Ask the database. Raises `DatabaseBusy`."""
        asked = monotonic()
        self.learn(await self._database.read(versions_now))
        self._known_at = asked

    @property
    def age(self) -> float:
        """How many seconds ago all changes were known."""
        return monotonic() - self._known_at

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the changes of others meanwhile."""
        await self.refresh()
        tasks = [asyncio.create_task(self._ask())]
        if self._direct.get_backend_name() == "postgresql":
            listening = keep_listening(self._direct, CHANNEL, self._told, self._interval, self._connected)
            tasks.append(asyncio.create_task(listening))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._unheard.wait()
            self._unheard.clear()
            try:
                await self.refresh()
            except DatabaseBusy as error:
                log.warning("changes are not known: %s", error)
            except Exception:
                log.exception("changes are not known")

    def _connected(self, connection: object | None) -> None:
        if connection is not None:
            self._unheard.set()

    def _told(self, payload: str) -> None:
        topic, _, rest = payload.partition("=")
        version, _, owner = rest.partition(":")
        self.learn({topic: int(version)}, owner or None)
