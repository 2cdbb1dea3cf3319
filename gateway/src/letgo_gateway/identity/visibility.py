"""Who may see and do what with an entry of a registry: the one place where it is decided.

One needs the permission (`tools.update`), and the entry must be within reach:
- one's own, unless it belongs to a team that one has left;
- one with visibility `team` or `public` of a team in which one's role has that permission;
- for reading and calling, any that is public;
- for an administrator, any.
"""

from sqlalchemy import ColumnElement, false, or_, true

from letgo_gateway.database.base import Registered
from letgo_gateway.identity.principal import Principal

PUBLIC_ACTIONS = frozenset({"read", "call"})


def reach(table: type[Registered], principal: Principal, permission: str) -> ColumnElement[bool]:
    """The condition on rows of `table` with which `principal` may do what `permission` (`tools.read`) names."""
    permitted = permission in principal.permissions
    if principal.admin:
        return true() if permitted else false()
    shared = table.visibility.in_(("team", "public"))
    reached: list[ColumnElement[bool]] = [table.team_id.in_(sorted(principal.teams_where(permission))) & shared]
    if permitted and principal.user is not None:
        still_there = table.team_id.is_(None) | table.team_id.in_(sorted(principal.teams))
        reached.append((table.owner_id == principal.user) & still_there)
    if permitted and permission.rpartition(".")[2] in PUBLIC_ACTIONS:
        reached.append(table.visibility == "public")
    return or_(false(), *reached)
