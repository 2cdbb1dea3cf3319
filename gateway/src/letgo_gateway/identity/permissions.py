"""What can be permitted, and the roles that come with the gateway."""

from collections.abc import Mapping
from types import MappingProxyType

REGISTRIES = ("a2a", "gateways", "prompts", "resources", "roots", "servers", "tools")
ACTIONS = ("create", "read", "update", "delete")

OF_ENTRIES = frozenset({f"{registry}.{action}" for registry in REGISTRIES for action in ACTIONS} | {"tools.call"})
OF_EVERYBODY = OF_ENTRIES | {"events.read", "teams.create", "teams.join", "teams.read", "tokens.manage"}
OF_ADMINISTRATORS = frozenset({"gateways.stdio", "users.manage", "roles.manage", "metrics.read"})
PERMISSIONS = OF_EVERYBODY | OF_ADMINISTRATORS | {"teams.manage"}
"""`gateways.stdio` lets an upstream be a program that this host runs, so it is not for everybody."""

READING = frozenset({f"{registry}.read" for registry in REGISTRIES} | {"tools.call"})
MEMBERS = READING | {f"{registry}.create" for registry in REGISTRIES}

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "administrator": PERMISSIONS,
        "user": OF_EVERYBODY,
        "owner": OF_ENTRIES | {"teams.manage"},
        "member": MEMBERS,
        "viewer": READING,
    }
)
"""Every user has `user`, everywhere; `owner`, `member` and `viewer` are for teams."""
EVERYBODY = "user"
ANONYMOUS = READING - {"gateways.read", "roots.read", "a2a.read"}
