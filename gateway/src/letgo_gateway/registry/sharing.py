"""Who sees the same as who: so that thousands of users share one list instead of having one each.

What is public looks the same to all. Only who owns something that is not public, or is in a team that has something,
sees more than others do. `Owners` tells who these few are, and `Shared` values are kept once for all others.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy import literal, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.caching import Kept, Versions
from letgo_gateway.database.changes import OWN, Changes, Registry, Topic, versions_now
from letgo_gateway.database.together import Together
from letgo_gateway.database.work import Database
from letgo_gateway.identity.principal import Principal
from letgo_gateway.registry.kinds import KINDS, Kind

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
A = TypeVar("A")
B = TypeVar("B")
NOTHING: frozenset[Registry] = frozenset()
MOST_USERS = 100_000
Reading: TypeAlias = tuple[tuple[Kind, str], ...]
"""Registries, each with the permission that is asked for."""


class Owners:
    """Who owns an entry that is not public, and which teams share one, of all registries."""

    def __init__(self, database: Database, changes: Changes) -> None:
        registries: frozenset[Topic] = frozenset(kind.topic for kind in KINDS)
        self._database = database
        self._owned: Kept[str, frozenset[Registry]] = Kept(changes, registries, MOST_USERS, whose=lambda user: user)
        self._read: Together[str, tuple[Versions, frozenset[Registry]]] = Together(self._read_owned)
        self._teams: Kept[None, Mapping[Registry, frozenset[str]]] = Kept(changes, registries, most=1)

    async def owned(self, user: str) -> frozenset[Registry]:
        """The registries in which this user owns such an entry. Raises `DatabaseBusy`."""
        return await self._owned.get_or_make(user, lambda: self._read(user))

    async def _read_owned(self, users: Sequence[str]) -> Mapping[str, tuple[Versions, frozenset[Registry]]]:
        versions, owned = await self._database.read(read_owned, users)
        return {user: (versions, owned[user]) for user in users}

    async def teams(self) -> Mapping[Registry, frozenset[str]]:
        """The ids of those that share an entry, by registry. Raises `DatabaseBusy`."""
        return await self._teams.get_or_make(None, lambda: self._database.read(read_teams))


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
        self._of_few: Kept[tuple[K, str | None, Hashable], V] = Kept(
            changes, topics, most, size, whose=lambda key: key[1]
        )
        self._of_administrators: Kept[tuple[K, Hashable], V] = Kept(changes, topics.union(OWN), most, size)

    async def get_or_make(self, key: K, principal: Principal, make: Callable[[], Awaitable[tuple[Versions, V]]]) -> V:
        """What `make` makes for `principal`, or has made for somebody who sees the same. Raises `DatabaseBusy`."""
        if principal.admin:
            return await self._of_administrators.get_or_make((key, principal.reach), make)
        owned = await self._owners.owned(principal.user) if principal.user is not None else NOTHING
        sees_own = any(kind.topic in owned for kind, _ in self._reading)
        if sees_own or not principal.permissions.issuperset(permission for _, permission in self._reading):
            return await self._of_few.get_or_make((key, principal.user, principal.reach), make)
        shared: tuple[frozenset[str], ...] = ()
        if principal.teams:
            sharing = await self._owners.teams()
            shared = tuple(principal.teams_where(each) & sharing[kind.topic] for kind, each in self._reading)
        return await self._of_many.get_or_make((key, shared if any(shared) else None), make)


async def read_owned(db: AsyncSession, users: Sequence[str]) -> tuple[Versions, Mapping[str, frozenset[Registry]]]:
    def owned(kind: Kind) -> Any:
        table = kind.table
        rows = select(table.owner_id, literal(kind.topic))
        return rows.where(table.visibility != "public", table.owner_id.in_(users))

    return await versions_now(db), await _by_first(db, users, owned)


async def read_teams(db: AsyncSession) -> tuple[Versions, Mapping[Registry, frozenset[str]]]:
    def shared(kind: Kind) -> Any:
        return select(literal(kind.topic), kind.table.team_id).where(kind.table.visibility == "team")

    return await versions_now(db), await _by_first(db, [kind.topic for kind in KINDS], shared)


async def _by_first(db: AsyncSession, keys: Iterable[A], rows: Callable[[Kind], Any]) -> Mapping[A, frozenset[B]]:
    """The second columns of the rows of all registries, by the first."""
    found: dict[A, set[B]] = {key: set() for key in keys}
    for key, one in await db.execute(union(*(rows(kind) for kind in KINDS))):
        found[key].add(one)
    return {key: frozenset(those) for key, those in found.items()}
