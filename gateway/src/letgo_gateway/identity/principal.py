"""Who asks."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from letgo_gateway.errors import Forbidden

NO_TEAMS: Mapping[str, frozenset[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what they may do: plain data, made once for a token and shared by its requests.

    - `user`: the id of the user; None for somebody without credentials.
    - `permissions`: such as `tools.read`: what they may do with what is their own, and see of what is public.
    - `teams`: the same for the entries of each of their teams.
    - `admin`: what `permissions` allows, they may do with everybody's entries.
    - `token`: the id of the API token that was shown; None for a session.
    - `server`: the only virtual server that the token is for.
    - `must_change`: their password was given to them: they may do nothing but choose their own.
    - `reach`: equal for principals who see and may do the same.
    """

    user: str | None = None
    email: str | None = None
    permissions: frozenset[str] = frozenset()
    teams: Mapping[str, frozenset[str]] = field(default_factory=lambda: NO_TEAMS)
    admin: bool = False
    token: str | None = None
    server: str | None = None
    must_change: bool = False
    reach: Hashable = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whose = None if self.admin else (self.user, frozenset(self.teams.items()))
        object.__setattr__(self, "reach", (self.permissions, whose))

    def may(self, permission: str, team: str | None = None) -> bool:
        """Whether they have this permission: with what is their own, or in `team`."""
        if team is None or self.admin:
            return permission in self.permissions
        return permission in self.teams.get(team, frozenset())

    def require(self, permission: str, team: str | None = None) -> None:
        """Raises `Forbidden` if they may not."""
        if not self.may(permission, team):
            raise Forbidden(f"this needs the permission {permission}" + (" in this team" if team else ""))

    def require_all(self, permissions: Iterable[str]) -> None:
        """Raises `Forbidden` if they lack one of these: nobody gives others what they don't have themselves."""
        for permission in sorted(permissions):
            self.require(permission)

    def teams_where(self, permission: str) -> frozenset[str]:
        return frozenset(team for team, permissions in self.teams.items() if permission in permissions)
