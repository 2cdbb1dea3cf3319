"""Who sees the same as who: so that thousands of users share one list instead of having one each.

What is public looks the same to all. Only who owns something that is not public, or is in a team that has something,
sees more than others do. `Owners` are these few, and `Shared` values are kept once for all others.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy import literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.caching import Kept, Versions
from letgo_gateway.database.changes import Changes, Topic, versions_now
from letgo_gateway.database.work import Database
from letgo_gateway.identity.principal import Principal
from letgo_gateway.registry.kinds import KINDS, Kind

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Reading: TypeAlias = tuple[tuple[Kind, str], ...]
"""Registries, each with the permission that is asked for."""


@dataclass(frozen=True, slots=True)
class Owning:
    """Users who own an entry that is not public, and teams that share one."""

    users: frozenset[str]
    teams: frozenset[str]


class Owners:
    """Of all registries."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        topics: frozenset[Topic] = frozenset({*(kind.topic for kind in KINDS), "own"})
        self._kept: Kept[None, Mapping[Topic, Owning]] = Kept(changes, topics, most=1)

    async def now(self) -> Mapping[Topic, Owning]:
        """By registry. Raises `DatabaseBusy`."""
        return self._kept.get(None) or await self._kept.get_or_make(None, lambda: self._database.read(read_owners))


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
        topics = frozenset({*(kind.topic for kind, _ in reading), *more})
        self._owners = owners
        self._reading = reading
        self._of_many: Kept[tuple[K, Hashable], V] = Kept(changes, topics, most, size)
        self._of_few: Kept[tuple[K, Hashable], V] = Kept(changes, topics | {"own"}, most, size)

    async def get_or_make(self, key: K, principal: Principal, make: Callable[[], Awaitable[tuple[Versions, V]]]) -> V:
        """What `make` makes for `principal`, or has made for somebody who sees the same. Raises `DatabaseBusy`."""
        owners = await self._owners.now()
        sees_own = principal.admin or any(principal.user in owners[kind.topic].users for kind, _ in self._reading)
        if sees_own or not principal.permissions.issuperset(permission for _, permission in self._reading):
            return await self._of_few.get_or_make((key, principal.reach), make)
        shared = tuple(principal.teams_where(each) & owners[kind.topic].teams for kind, each in self._reading)
        return await self._of_many.get_or_make((key, shared if any(shared) else None), make)


async def read_owners(db: AsyncSession) -> tuple[Versions, Mapping[Topic, Owning]]:
    versions = await versions_now(db)
    users: dict[str, set[str]] = {kind.topic: set() for kind in KINDS}
    teams: dict[str, set[str]] = {kind.topic: set() for kind in KINDS}
    for topic, owner, team in await db.execute(union_all(*(_hidden(kind) for kind in KINDS))):
        users[topic].add(owner)
        if team is not None:
            teams[topic].add(team)
    return versions, {kind.topic: Owning(frozenset(users[kind.topic]), frozenset(teams[kind.topic])) for kind in KINDS}


def _hidden(kind: Kind) -> Any:
    table = kind.table
    columns = select(literal(kind.topic).label("topic"), table.owner_id, table.team_id)
    return columns.where(table.visibility != "public").distinct()
