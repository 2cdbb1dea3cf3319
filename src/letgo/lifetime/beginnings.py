"""The functions that are followed by themselves: they open a session, are given one, or hold one from elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from letgo.lifetime import functions, sessiontypes
from letgo.lifetime.analysis import Analysis
from letgo.lifetime.order import imported
from letgo.lifetime.sqlalchemy import FACTORIES, FLASK_EXTENSIONS, FLASK_QUERIES, QUERY_TERMINALS, SESSIONS
from letgo.source.names import FunctionSymbol, Names
from letgo.source.program import Assign, Attr, Call, Expr, Function, Group, Item, Module, Name
from letgo.source.program import Sequence as Display
from letgo.source.walk import places

_MAKERS = frozenset(
    "Session AsyncSession scoped_session async_scoped_session sessionmaker async_sessionmaker "
    "create_engine create_async_engine".split()
)
_HOLDERS = frozenset({"session", "db", "db_session", "_session", "_db"})
_ENGINE_VERBS = frozenset({"connect", "begin"})
_VERBS = FLASK_QUERIES.keys() | frozenset(
    {"execute", "query", "commit", "scalars", "scalar", "refresh", "rollback", "flush", "exec", "get", "get_one"}
)
_MAKING = frozenset({"__init__", "__enter__", "__aenter__", "__call__"})
"""The methods by which an object of a class comes to hold a session."""

_LIBRARIES = frozenset(dotted.partition(".")[0] for dotted in SESSIONS | FACTORIES | FLASK_EXTENSIONS)


class Beginnings(NamedTuple):
    """The functions that open sessions themselves, and those that are given or hold one."""

    opening: list[FunctionSymbol]
    given: list[FunctionSymbol]


def all_functions(names: Names) -> Iterator[FunctionSymbol]:
    for place in places(names):
        if place.function is not place.module.body:
            yield names.function_symbol(place.module, place.function, place.owner)


def beginnings(analysis: Analysis, candidates: Sequence[FunctionSymbol], concerned: frozenset[str]) -> Beginnings:
    """Those of the `candidates` to begin with; `concerned` are the modules with sessions."""
    near = [symbol for symbol in candidates if symbol.module.path in concerned]
    names = _makers(analysis, [module for module in analysis.names.codebase.modules if module.path in concerned], near)
    found = Beginnings([], [])
    for symbol in candidates:
        is_near = symbol.module.path in concerned
        if takes_session(analysis, symbol):
            found.given.append(symbol)
        elif is_near and not names.isdisjoint(symbol.function.mentions):
            found.opening.append(symbol)
        elif _uses_held_session(symbol.function, _HOLDERS | _ENGINE_VERBS if is_near else _HOLDERS):
            found.given.append(symbol)
    return found


def modules_with_sessions(analysis: Analysis) -> frozenset[str]:
    """The paths of the modules that import a library of sessions, themselves or through others that they import.

    Names alone tell little: in a library that knows nothing of databases, a session is something else.
    """
    names = analysis.names
    told = analysis.settings.sessions | analysis.settings.openers
    libraries = _LIBRARIES.union(dotted.partition(".")[0] for dotted in told)
    importers: dict[str, list[str]] = {}
    waiting: list[str] = []
    for place in places(names):
        for entry in place.function.imports:
            if entry.level == 0 and entry.module.partition(".")[0] in libraries:
                waiting.append(place.module.path)
            found = imported(names, place.module, entry)
            if found is not None:
                importers.setdefault(found.path, []).append(place.module.path)
    reached: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting += importers.get(path, ())
    return frozenset(reached)


def takes_session(analysis: Analysis, symbol: FunctionSymbol) -> bool:
    for param in symbol.function.params:
        if sessiontypes.is_session_type(analysis.names, symbol.module, param.annotation):
            return True
        if functions.is_named_like_a_session(analysis, symbol, param):
            return True
    return False


def _uses_held_session(function: Function, holders: frozenset[str]) -> bool:
    """Whether it reads as if it used a session that it has from elsewhere, or the query of a model."""
    mentions = function.mentions
    if not holders.isdisjoint(mentions) and not _VERBS.isdisjoint(mentions):
        return True
    return "query" in mentions and not QUERY_TERMINALS.isdisjoint(mentions)


def _makers(analysis: Analysis, modules: Iterable[Module], left: list[FunctionSymbol]) -> frozenset[str]:
    """The names by which sessions are made: SQLAlchemy's, and the variables and functions that pass them on."""
    found = set(_MAKERS)
    assigned = [
        step
        for module in modules
        for block in module.body.blocks
        for step in block.steps
        if isinstance(step, Assign) and isinstance(step.target, Name) and (step.annotation or type(step.value) is Call)
    ]
    before = 0
    while before < len(found):
        before = len(found)
        for step in assigned:
            made = isinstance(step.value, Call) and _mentions(step.value, found)
            if isinstance(step.target, Name) and (made or _declares(step.annotation)):
                found.add(step.target.id)
        asked = [symbol for symbol in left if not found.isdisjoint(symbol.function.mentions)]
        left = [symbol for symbol in left if found.isdisjoint(symbol.function.mentions)]
        for symbol in asked:
            if symbol.owner is not None and symbol.function.name in _MAKING:
                found.add(symbol.owner.cls.name)
            elif symbol.function.is_generator or sessiontypes.gives_session(analysis.names, symbol, set()):
                found.add(symbol.function.name)  # a generator's session lives on in who iterates over it
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
        case Group(parts=parts) | Display(items=parts):
            return any(_declares(part) for part in parts)
    return False
