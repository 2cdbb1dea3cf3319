"""Who sees the same as who: so that thousands of users share one list instead of having one each.

What is public looks the same to all. Only who owns something that is not public, or is in a team that has something,
sees more than others do. `Owners` are these few, and `Shared` values are kept once for all others.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy import literal, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.caching import Kept, Versions
from letgo_gateway.database.changes import OWN, Changes, Own, Registry, Topic, own, versions_now
from letgo_gateway.database.work import Database
from letgo_gateway.identity.principal import Principal
from letgo_gateway.registry.kinds import KINDS, Kind

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Reading: TypeAlias = tuple[tuple[Kind, str], ...]
"""Registries, each with the permission that is asked for."""


Those: TypeAlias = Mapping[Registry, frozenset[str]]
"""The ids of some users or teams, by registry."""


class Owners:
    """Users who own an entry that is not public, and teams that share one, of all registries."""

    def __init__(self, database: Database, changes: Changes) -> None:
        registries: frozenset[Topic] = frozenset(kind.topic for kind in KINDS)
        self._database = database
        self._users: Mapping[Own, Kept[None, Those]] = {one: Kept(changes, registries | {one}, most=1) for one in OWN}
        self._teams: Kept[None, Those] = Kept(changes, registries, most=1)

    async def users(self, topic: Own) -> Those:
        """Those of the users whose topic this is. Raises `DatabaseBusy`."""
        kept = self._users[topic]
        return kept.get(None) or await kept.get_or_make(None, lambda: self._database.read(read_owners, topic))

    async def teams(self) -> Those:
        """Raises `DatabaseBusy`."""
        kept = self._teams
        return kept.get(None) or await kept.get_or_make(None, lambda: self._database.read(read_teams))


class Shared(Generic[K, V]):
    """Values that are made of what a principal sees of some registries, once for all who see the same.

    What only its owner sees changes often: it is no reason to make anew what others see.
    """

    def __init__(
        self,
        owners: Owners,
        changes: Changes,
        reading: Reading,
        most: int,
        *more: Topic,
        size: Callable[[V], int] = lambda _: 1,
    ) -> None:
        topics: frozenset[Topic] = frozenset({*(kind.topic for kind, _ in reading), *more})
        self._owners = owners
        self._reading = reading
        self._of_many: Kept[tuple[K, Hashable], V] = Kept(changes, topics, most, size)
        self._of_few: Mapping[Own, Kept[tuple[K, Hashable], V]] = {
            one: Kept(changes, topics | {one}, most // len(OWN), size) for one in OWN
        }
        self._of_administrators: Kept[tuple[K, Hashable], V] = Kept(changes, topics.union(OWN), most, size)

    async def get_or_make(self, key: K, principal: Principal, make: Callable[[], Awaitable[tuple[Versions, V]]]) -> V:
        """What `make` makes for `principal`, or has made for somebody who sees the same. Raises `DatabaseBusy`."""
        if principal.admin:
            return await self._of_administrators.get_or_make((key, principal.reach), make)
        topic = own(principal.user)
        owning = await self._owners.users(topic)
        sees_own = any(principal.user in owning[kind.topic] for kind, _ in self._reading)
        if sees_own or not principal.permissions.issuperset(permission for _, permission in self._reading):
            return await self._of_few[topic].get_or_make((key, principal.reach), make)
        shared: tuple[frozenset[str], ...] = ()
        if principal.teams:
            sharing = await self._owners.teams()
            shared = tuple(principal.teams_where(each) & sharing[kind.topic] for kind, each in self._reading)
        return await self._of_many.get_or_make((key, shared if any(shared) else None), make)


async def read_owners(db: AsyncSession, topic: Own) -> tuple[Versions, Those]:
    def hidden(kind: Kind) -> Any:
        owner = kind.table.owner_id
        return select(literal(kind.topic), owner).where(kind.table.visibility != "public", owner.endswith(topic[-1]))

    return await versions_now(db), await _by_registry(db, hidden)


async def read_teams(db: AsyncSession) -> tuple[Versions, Those]:
    def shared(kind: Kind) -> Any:
        return select(literal(kind.topic), kind.table.team_id).where(kind.table.visibility == "team")

    return await versions_now(db), await _by_registry(db, shared)


async def _by_registry(db: AsyncSession, rows: Callable[[Kind], Any]) -> Those:
    found: dict[Registry, set[str]] = {kind.topic: set() for kind in KINDS}
    for topic, one in await db.execute(union(*(rows(kind) for kind in KINDS))):
        found[topic].add(one)
    return {topic: frozenset(those) for topic, those in found.items()}
