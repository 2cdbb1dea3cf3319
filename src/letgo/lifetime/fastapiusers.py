"""FastAPI Users: the dependency that `FastAPIUsers.current_user` makes reads the user from the database.

It asks the user manager, which asks its database adapter, which queries on the session that it was given, in every
request: https://fastapi-users.github.io/fastapi-users/latest/usage/current-user/
"""

from typing import NamedTuple

from letgo.holds import Site
from letgo.lifetime.dependencies import Dependency, Found, callable_of, values_of
from letgo.source.names import ClassSymbol, External, FunctionSymbol, Names
from letgo.source.program import Attr, Call, Item


class UserLookup(NamedTuple):
    """`manager` is the dependency that gives the user manager, `site` the place of `current_user(...)`."""

    manager: Dependency
    site: Site


def user_lookup(names: Names, dependency: Dependency, name: str) -> UserLookup | None:
    """How the dependency, which the code calls `name`, reads the user, if FastAPI Users has made it."""
    if isinstance(dependency.callable, FunctionSymbol | ClassSymbol):
        return None
    target = Found(dependency.module, dependency.function, dependency.expr)
    for made in (target, *values_of(names, target)):
        match made.expr:
            case Call(func=Attr(value=users, name="current_user"), line=line):
                manager = _manager(names, made._replace(expr=users))
                return None if manager is None else UserLookup(manager, Site(made.module.path, line, name))
    return None


def _manager(names: Names, users: Found) -> Dependency | None:
    """`FastAPIUsers(get_user_manager, backends)`: what its first argument stands for."""
    for made in (users, *values_of(names, users)):
        match made.expr:
            case Call(func=Item(value=cls) | cls, args=(get_manager, *_), line=line):
                symbol = names.resolve(made.module, cls, made.function)
                if isinstance(symbol, External) and symbol.dotted.startswith("fastapi_users."):
                    given = made._replace(expr=get_manager)
                    called = callable_of(names, given)
                    return Dependency(called, get_manager, None, True, line, made.module, made.function, None)
    return None
