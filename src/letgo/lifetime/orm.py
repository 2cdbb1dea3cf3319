"""Methods of sessions, queries and results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from letgo.lifetime import calls, effects, objects, sqlalchemy
from letgo.lifetime.analysis import Frame
from letgo.lifetime.values import (
    ClassValue,
    Instance,
    Key,
    Many,
    Query,
    Result,
    Row,
    Selectable,
    Session,
    Transaction,
    Value,
    options,
)
from letgo.lifetime.world import UNTOUCHED, Chain, World
from letgo.source.names import ClassSymbol

if TYPE_CHECKING:
    from letgo.lifetime.calls import Arguments


def session_method(frame: Frame, world: World, key: Key, name: str, arguments: Arguments, line: int) -> Value | None:
    effect = sqlalchemy.SESSION_METHODS.get(name)
    traits = frame.traits_of(key)
    if effect is None and name in frame.analysis.settings.releasers:
        effect = "close"
    match effect:
        case "none" if name in ("expunge", "expunge_all"):
            _expunge(world, key, world.env.values() if name == "expunge_all" else [arguments.get(0, "instance")])
        case "query":
            effects.arm(frame, world, key, Chain(frame.at(line), (), traits.certain, name))
            if name in sqlalchemy.WRITES:
                effects.touch(frame, world, key, line)
            return _fetched(frame, key, name, arguments)
        case "touch":
            if name in sqlalchemy.WRITES:
                effects.touch(frame, world, key, line)
            if name == "add":
                _take(frame, world, key, arguments.get(0, "instance"))
            elif name == "delete":
                world.sessions[key] = world.sessions.get(key, UNTOUCHED)._replace(deletes=True)
        case "build":
            return Query(key, _model(frame, arguments.get(0, "entity")))
        case "commit":
            effects.commit(frame, world, key, line)
        case "rollback":
            effects.rollback(frame, world, key, line)
        case "close":
            effects.close(frame, world, key, line)
        case "begin":
            return Transaction(key, False)
        case "savepoint":
            effects.arm(frame, world, key, Chain(frame.at(line), (), traits.certain, name))
        case "run":
            return _run_synchronously(frame, world, key, arguments, line)
        case None:
            effects.arm(frame, world, key, Chain(frame.at(line), (), False, name))
    return None


def _run_synchronously(frame: Frame, world: World, key: Key, arguments: Arguments, line: int) -> Value | None:
    """`await session.run_sync(function)`: it is given the Session inside, whose objects load what is read of them."""
    rest = arguments.rest(1)._replace(positional=(Session(key), *arguments.positional[1:]))
    own = frame.traits.get(key)
    frame.traits[key] = frame.traits_of(key)._replace(is_async=False)
    given = calls.apply(frame, world, arguments.get(0, "fn"), rest, line)
    if own is None:
        del frame.traits[key]
    else:
        frame.traits[key] = own
    return given


def _take(frame: Frame, world: World, key: Key, value: Value | None) -> None:
    """An object that was added belongs to the session from now on, like one that was queried."""
    if isinstance(value, Instance) and objects.is_model(frame.analysis, value.cls):
        for name in [name for name, held in world.env.items() if held is value]:
            world.bind(name, Row(key, value.cls, added=True))


def _expunge(world: World, key: Key, values: Iterable[Value | None]) -> None:
    """Objects that are expunged need no session any more: what they have loaded stays. They are known by their model:
    where a loop expunges one after the other, the list of them must be known, too."""
    items = [option.item if isinstance(option, Many) else option for value in values for option in options(value)]
    models = {item.model for item in items if isinstance(item, Row) and item.key == key}
    state = world.sessions.get(key, UNTOUCHED)
    world.sessions[key] = state._replace(expunged=state.expunged | models)


def _fetched(frame: Frame, key: Key, name: str, arguments: Arguments) -> Value | None:
    if name == "refresh":
        if len(arguments.positional) > 1 or "attribute_names" in arguments.keywords:
            frame.loaded.add((key, effects.ALL))  # also relationships, where they are named
        return None
    statement = _one_statement(arguments.get(0, "statement") or arguments.get(0, "entity"))
    loads = "options" in arguments.keywords or (isinstance(statement, Selectable) and statement.loads)
    loads = loads or name == "merge"  # what the given object has loaded comes with it
    kind = Row if name in ("get", "get_one", "merge", "scalar", "first") else Result
    return kind(key, _model(frame, statement), loads)


def _one_statement(value: Value | None) -> Value | None:
    """The statement, where there are alternatives of one `select(Model)` that differ in what was added to it."""
    found = [option for option in options(value) if isinstance(option, Selectable)]
    if len({option.model for option in found}) != 1:
        return value
    return found[0]._replace(loads=any(option.loads for option in found))


def _model(frame: Frame, value: Value | None) -> ClassSymbol | None:
    match value:
        case Selectable(model):
            return model
        case ClassValue(symbol) if objects.is_model(frame.analysis, symbol):
            return symbol
        case Row(_, model):
            return model
    return None


def query_method(frame: Frame, world: World, query: Query, name: str, line: int) -> Value | None:
    """A legacy query: the methods that build give a query, the others run it."""
    if name not in sqlalchemy.QUERY_TERMINALS:
        return query._replace(loads=True) if name == "options" else query
    traits = frame.traits_of(query.key)
    effects.arm(frame, world, query.key, Chain(frame.at(line), (), traits.certain, name))
    if name in ("delete", "update"):
        effects.touch(frame, world, query.key, line)
        return None
    if name in sqlalchemy.QUERY_ROWS:
        return Row(*query)
    return Many(Row(*query)) if name == "all" else None


def result_method(result: Result, name: str) -> Value | None:
    if name in sqlalchemy.RESULT_SCALARS:
        return Row(*result)
    if name in sqlalchemy.RESULT_LISTS:
        return Many(Row(*result))
    return result if name in ("scalars", "mappings", "unique", "tuples", "columns", "yield_per") else None


def transaction_method(frame: Frame, world: World, key: Key, name: str, line: int) -> Value | None:
    if name == "commit":
        effects.commit(frame, world, key, line)
    elif name == "rollback":
        effects.rollback(frame, world, key, line)
    elif name == "close":
        effects.close(frame, world, key, line)
    else:
        return session_method(frame, world, key, name, calls.NO_ARGUMENTS, line)
    return None
