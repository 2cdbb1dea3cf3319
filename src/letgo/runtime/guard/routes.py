"""Which handler a request is for: its route template, its function, and the dependencies it names."""

import functools
import inspect
import linecache
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

from starlette.types import Scope

from letgo.holds import Site
from letgo.runtime.guard.frames import claim, path_below, qualified

YIELDS = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
MOST_KNOWN = 10_000
_known: dict[int, "Handler"] = {}


class Handler(NamedTuple):
    """An endpoint: its code, where it is defined, the dependencies below it by the parameter that takes each."""

    endpoint: object
    code: CodeType
    site: Site
    dependencies: dict[str, Any]

    def dependency_with(self, code: CodeType) -> Any | None:
        """The dependency whose function has this code."""
        return next((call for call in self.dependencies.values() if code_of(call) is code), None)

    def only_generator(self) -> str | None:
        """The name of the dependency with a `yield`, when there is one alone."""
        codes = {code_of(call) for call in self.dependencies.values()}
        names = [code.co_name for code in codes if code is not None and code.co_flags & YIELDS]
        return names[0] if len(names) == 1 else None


def handler_of(scope: Scope, root: str) -> Handler | None:
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return None
    known = _known.get(id(endpoint))
    if known is not None and known.endpoint is endpoint:
        return known
    code = code_of(endpoint)
    if code is None:
        return None
    claim((getattr(endpoint, "__module__", None) or "").partition(".")[0])
    site = Site(path_below(code.co_filename, root), definition_line(code), qualified(code))
    if len(_known) > MOST_KNOWN:
        _known.clear()
    found = _known[id(endpoint)] = Handler(endpoint, code, site, dict(_dependencies(_dependant(scope))))
    return found


def route_of(scope: Scope) -> str:
    """`GET /books/{book_id}`; where no route has matched, the method alone: a path could be anything."""
    method = scope.get("method") or scope["type"].upper()
    template = _template(scope)
    return f"{method} {template}" if template else f"{method} (no route)"


def _template(scope: Scope) -> str:
    # FastAPI >= 0.137 keeps the prefixes of included routers apart from the route: fastapi/routing.py.
    context = _effective(scope)
    path = getattr(context, "path_format", None) or getattr(context, "path", None)
    if path is None:
        route = scope.get("route")
        path = getattr(route, "path_format", None) or getattr(route, "path", None)
    if path is None:
        path = _search(scope)
    if path is None:
        return ""
    mounted = scope.get("root_path", "")[len(scope.get("app_root_path", scope.get("root_path", ""))) :]
    return f"{mounted}{path}"


def _effective(scope: Scope) -> Any:
    kept = scope.get("fastapi")
    return kept.get("effective_route_context") if isinstance(kept, dict) else None


def _search(scope: Scope) -> str | None:
    """The path of the route with this endpoint: older versions of Starlette don't tell the route."""
    endpoint = scope.get("endpoint")
    routes = getattr(scope.get("router") or scope.get("app"), "routes", ())
    for route in routes if endpoint is not None else ():
        if getattr(route, "endpoint", None) is endpoint:
            return getattr(route, "path_format", None) or getattr(route, "path", None)
    return None


def _dependant(scope: Scope) -> Any:
    context = _effective(scope)
    return getattr(context, "dependant", None) or getattr(scope.get("route"), "dependant", None)


def _dependencies(dependant: Any) -> Iterator[tuple[str, Any]]:
    for number, dependency in enumerate(getattr(dependant, "dependencies", ())):
        yield dependency.name or f"#{number}", dependency.call
        for name, call in _dependencies(dependency):
            yield f"{dependency.name}.{name}", call


def code_of(function: Any) -> CodeType | None:
    """The code that runs when something is called, past decorators and partial calls."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            break
    code = getattr(function, "__code__", None)
    if code is None and callable(function) and not isinstance(function, type):
        code = getattr(type(function).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None


@functools.lru_cache(1_000)
def definition_line(code: CodeType) -> int:
    """The line of the `def`; a code object begins at its first decorator."""
    for line in range(code.co_firstlineno, code.co_firstlineno + 50):
        if linecache.getline(code.co_filename, line).lstrip().startswith(("def ", "async def ")):
            return line
    return code.co_firstlineno
