"""Who sees the same as who: so that thousands of users share one list instead of having one each.

What is public looks the same to all. Only who owns something that is not public, or is in a team that has something,
sees more than others do. `Sharing` knows these few owners and teams.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.caching import Kept
from letgo_gateway.database.base import Registered
from letgo_gateway.database.changes import Changes, Topic, versions_now
from letgo_gateway.database.work import Database
from letgo_gateway.identity.principal import Principal

Reading = tuple[tuple[type[Registered], str], ...]
"""Tables, each with the permission that is asked for."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Users who own an entry that is not public, and teams that share one."""

    users: frozenset[str | None]
    teams: frozenset[str | None]


class Sharing:
    """For some tables, whose entries change with `topics`."""

    def __init__(self, database: Database, changes: Changes, topics: frozenset[Topic], reading: Reading) -> None:
        self._database = database
        self._reading = reading
        self._kept: Kept[None, Owners] = Kept(changes, topics, most=1)

    async def key(self, principal: Principal) -> Hashable:
        """Equal for principals who see the same. Raises `DatabaseBusy`."""
        owners = self._kept.get(None)
        if owners is None:
            tables = tuple(table for table, _ in self._reading)
            owners = await self._kept.get_or_make(None, lambda: self._database.read(read_owners, tables))
        permissions = [permission for _, permission in self._reading]
        if principal.admin or principal.user in owners.users or not principal.permissions.issuperset(permissions):
            return principal.reach
        shared = tuple(principal.teams_where(permission) & owners.teams for permission in permissions)
        return shared if any(shared) else None


async def read_owners(db: AsyncSession, tables: tuple[type[Registered], ...]) -> tuple[dict[str, int], Owners]:
    versions = await versions_now(db)
    users: set[str | None] = set()
    teams: set[str | None] = set()
    for table in tables:
        hidden = select(table.owner_id, table.team_id).where(table.visibility != "public").distinct()
        for owner, team in await db.execute(hidden):
            users.add(owner)
            teams.add(team)
    return versions, Owners(frozenset(users), frozenset(teams))
