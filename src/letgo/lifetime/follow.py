"""From a code base to its facts: which functions to begin with, and what following them found."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from letgo.holds import Hold, Site
from letgo.lifetime import functions, requests, sessiontypes
from letgo.lifetime.analysis import Analysis, Settings
from letgo.lifetime.endpoints import endpoints
from letgo.lifetime.facts import Facts
from letgo.lifetime.framework import ends, fastapi_version
from letgo.lifetime.objects import manages
from letgo.lifetime.sqlalchemy import QUERY_TERMINALS
from letgo.lifetime.values import FunctionValue, Instance
from letgo.lifetime.waits import Waits
from letgo.source.codebase import CodeBase
from letgo.source.names import ClassSymbol, FunctionSymbol, Names
from letgo.source.program import Attr, Call, Class, Const, Expr, Function, Group, Item, Module, Name, Sequence
from letgo.source.walk import calls

_MAKERS = frozenset(
    {"Session", "AsyncSession", "scoped_session", "async_scoped_session", "sessionmaker", "async_sessionmaker"}
)
_HOLDERS = frozenset({"session", "db", "db_session", "_session", "_db", "connect", "begin"})
_VERBS = frozenset(
    {"execute", "query", "commit", "scalars", "scalar", "refresh", "rollback", "flush", "exec", "get", "get_one"}
)
_MAKING = frozenset({"__init__", "__enter__", "__aenter__", "__call__"})
"""The methods by which an object of a class comes to hold a session."""

Progress = Callable[[int, int], None]


def follow(
    codebase: CodeBase,
    *,
    names: Names | None = None,
    waits: Waits | None = None,
    settings: Settings | None = None,
    fastapi: str | None = None,
    progress: Progress | None = None,
) -> Facts:
    """Follows every session of a code base. `fastapi` overrides the FastAPI version read from lock files."""
    names = names or Names(codebase)
    analysis = Analysis(names, waits or Waits.default(), settings or Settings())
    _follow_endpoints(analysis, codebase, fastapi)
    _follow_others(analysis, codebase)
    return _facts(analysis)


def _follow_endpoints(analysis: Analysis, codebase: CodeBase, fastapi: str | None) -> None:
    version = fastapi_version(codebase.root, fastapi)
    pool = pool_size(codebase)
    for endpoint in endpoints(analysis.names):
        requests.follow_endpoint(analysis, endpoint, lambda scope: ends(version, scope), pool)


def _follow_others(analysis: Analysis, codebase: CodeBase) -> None:
    """Functions that no endpoint led to: first those that open sessions themselves, then those that are given one."""
    names = makers(analysis, codebase)
    given = []
    for symbol in all_functions(analysis.names, codebase):
        if id(symbol.function) in analysis.followed:
            continue
        if takes_session(analysis, symbol):
            given.append(symbol)
        elif not names.isdisjoint(symbol.function.mentions):
            follow_alone(analysis, symbol)
        elif _uses_held_session(symbol.function):
            given.append(symbol)
    for symbol in given:
        if id(symbol.function) not in analysis.followed:
            follow_alone(analysis, symbol)
    _follow_callers(analysis, codebase)


def _follow_callers(analysis: Analysis, codebase: CodeBase) -> None:
    """Functions that call one which leaves a shared session open, and so on upwards."""
    done: set[str] = set()
    while left := analysis.leaving - done:
        done |= left
        for symbol in all_functions(analysis.names, codebase):
            if id(symbol.function) not in analysis.followed and not left.isdisjoint(symbol.function.mentions):
                follow_alone(analysis, symbol)


def follow_alone(analysis: Analysis, symbol: FunctionSymbol) -> None:
    """Follows a function as if it were called by nobody known."""
    receiver = Instance(symbol.owner, ()) if symbol.owner is not None else None
    value = FunctionValue(symbol, receiver, (), manages(analysis, symbol))
    functions.summarise(analysis, value, (), {}, {})


def takes_session(analysis: Analysis, symbol: FunctionSymbol) -> bool:
    for param in symbol.function.params:
        if sessiontypes.is_session_type(analysis.names, symbol.module, param.annotation):
            return True
        if param.annotation is None and functions.looks_like_a_session(symbol.function, param.name):
            return True
    return False


def _uses_held_session(function: Function) -> bool:
    """Whether it reads as if it used a session that it has from elsewhere, or the query of a model."""
    mentions = function.mentions
    if not _HOLDERS.isdisjoint(mentions) and not _VERBS.isdisjoint(mentions):
        return True
    return "query" in mentions and not QUERY_TERMINALS.isdisjoint(mentions)


def makers(analysis: Analysis, codebase: CodeBase) -> frozenset[str]:
    """The names by which sessions are made: SQLAlchemy's, and the variables and functions that pass them on."""
    found = set(_MAKERS)
    functions_left = list(all_functions(analysis.names, codebase))
    while True:
        before = len(found)
        for module in codebase.modules:
            for block in module.body.blocks:
                for step in block.steps:
                    target = getattr(step, "target", None)
                    value = getattr(step, "value", None)
                    made = isinstance(value, Call) and _mentions(value, found)
                    if isinstance(target, Name) and (made or _declares(getattr(step, "annotation", None))):
                        found.add(target.id)
        remaining = []
        for symbol in functions_left:
            if found.isdisjoint(symbol.function.mentions):
                remaining.append(symbol)
            elif symbol.owner is not None and symbol.function.name in _MAKING:
                found.add(symbol.owner.cls.name)
            elif sessiontypes.gives_session(analysis.names, symbol, set()):
                found.add(symbol.function.name)
            else:
                remaining.append(symbol)
        functions_left = remaining
        if len(found) == before:
            return frozenset(found)


def _mentions(expr: Call, names: set[str]) -> bool:
    parts = [expr.func, *expr.args]
    for part in parts:
        if isinstance(part, Name) and part.id in names:
            return True
        if getattr(part, "name", None) in names:
            return True
        if isinstance(part, Call) and _mentions(part, names):
            return True
    return False


def _declares(annotation: Expr | None) -> bool:
    """Whether a variable is declared as a session, or as something of a session."""
    match annotation:
        case Name(id=name) | Attr(name=name):
            return name in _MAKERS
        case Item(value=value, key=key):
            return _declares(value) or _declares(key)
        case Group(parts=parts) | Sequence(items=parts):
            return any(_declares(part) for part in parts)
    return False


def all_functions(names: Names, codebase: CodeBase) -> Iterator[FunctionSymbol]:
    for module in codebase.modules:
        yield from _within(names, module, module.body)


def _within(names: Names, module: Module, function: Function) -> Iterator[FunctionSymbol]:
    for inner in function.functions:
        yield names.function_symbol(module, inner)
        yield from _within(names, module, inner)
    for cls in function.classes:
        yield from _within_class(names, module, cls)


def _within_class(names: Names, module: Module, cls: Class) -> Iterator[FunctionSymbol]:
    symbol: ClassSymbol = names.class_symbol(module, cls)
    for method in cls.methods:
        yield names.function_symbol(module, method, symbol)
        yield from _within(names, module, method)
    for inner in cls.classes:
        yield from _within_class(names, module, inner)


def pool_size(codebase: CodeBase) -> int:
    """pool_size + max_overflow of the engine, where the code says so; SQLAlchemy's defaults are 5 and 10."""
    size, overflow = 5, 10
    for module in codebase.modules:
        if "create_engine" not in module.body.mentions and "create_async_engine" not in module.body.mentions:
            continue
        for function in (module.body, *module.body.functions):
            for call in calls(function):
                for name, value in call.keywords:
                    if isinstance(value, Const) and isinstance(value.value, int):
                        if name == "pool_size":
                            size = value.value
                        elif name == "max_overflow":
                            overflow = value.value
    return size + overflow


def _together(holds: Iterable[Hold]) -> Iterator[Hold]:
    """The holds, with those of one dependency's transaction in all its endpoints as one."""
    shared: dict[tuple[object, ...], Hold] = {}
    for hold in holds:
        wait = hold.waits[0]
        if is_in(wait.site, hold.function) or any(is_in(site, hold.function) for site in wait.via):
            yield hold
            continue
        key = (hold.function, hold.session, hold.opened, wait.kind)
        known = shared.get(key)
        shared[key] = (
            hold if known is None else replace(known, waits=(*known.waits, wait), certain=known.certain or hold.certain)
        )
    yield from shared.values()


def is_in(site: Site, function: Site) -> bool:
    return (site.path, site.function) == (function.path, function.function)


def _facts(analysis: Analysis) -> Facts:
    def place(site: Site) -> tuple[str, int]:
        return (site.path, site.line)

    holds = sorted(
        analysis.holds.values(), key=lambda hold: (place(hold.function), place(hold.opened), place(hold.waits[0].site))
    )
    holds = list(_together(holds))
    misuses = sorted(analysis.misuses.values(), key=lambda misuse: (place(misuse.site), misuse.kind))
    unresolved = sorted(analysis.unresolved.values(), key=lambda each: place(each.site))
    return Facts(tuple(holds), tuple(misuses), tuple(unresolved))
