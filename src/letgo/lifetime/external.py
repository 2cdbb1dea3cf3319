"""Calls of things outside the code base: SQLAlchemy's own, what waits, what runs or keeps the functions it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from letgo.holds import Wait, WaitKind
from letgo.lifetime import (
    attributes,
    background,
    calls,
    construction,
    contexts,
    effects,
    exitstacks,
    orm,
    sqlalchemy,
)
from letgo.lifetime.analysis import Frame
from letgo.lifetime.tasks import is_awaited, is_dropped
from letgo.lifetime.values import (
    FALSE,
    FLASK_SESSION,
    TRUE,
    AnyOf,
    ClassValue,
    Constant,
    Entered,
    Factory,
    FunctionValue,
    Instance,
    Key,
    Lazy,
    Many,
    Method,
    Object,
    Outside,
    Partial,
    Record,
    Response,
    Selectable,
    Session,
    Text,
    Together,
    Transaction,
    Value,
    either,
    options,
)
from letgo.lifetime.world import UNTOUCHED, Chain, World
from letgo.source.names import ClassSymbol
from letgo.source.program import Leave

if TYPE_CHECKING:
    from letgo.lifetime.calls import Arguments

SLEEPS = frozenset({"asyncio.sleep", "anyio.sleep", "trio.sleep"})
"""They only let others run when they are told to sleep for 0 seconds."""

PATIENCE = ("blocking", "block", "timeout", "blocking_timeout", "check_deliverability")
"""What tells a call not to wait, by False or 0: for a lock, a queue, the answer of a name server."""


def call(
    frame: Frame, world: World, dotted: str, arguments: Arguments, line: int, *, receiver: Value | None = None
) -> Value | None:
    """What calling `dotted` does and gives."""
    known_of = frame.analysis.known(dotted)
    frame.touched |= known_of.raises
    if (
        dotted.startswith(("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy.", "alembic.", "letgo.runtime."))
        or dotted in frame.analysis.settings.sessions
    ):
        known, value = database_call(frame, world, dotted, arguments, line)
        if known:
            return value
    if dotted.startswith(("builtins.", "contextlib.", "functools.")):
        known, value = python_call(frame, world, dotted, arguments, line, receiver)
        if known:
            return value
    if known_of.response is not None:
        return _respond(frame, world, known_of.response, dotted, arguments, line)
    if known_of.task is not None and known_of.runs is None:
        given = arguments.get(known_of.task, "")
        if isinstance(given, Lazy) and given.kind == "coroutine" and is_awaited(frame.function, line):
            return given  # what it does holds the transactions that are open then
        start_task(frame, world, dotted, arguments, known_of.task, line)
        if known_of.after_response:
            _schedule(frame, world, dotted, arguments, line)
        return Object(dotted) if known_of.client else None
    if known_of.runs is not None:
        if dotted.endswith(".run_in_executor") and is_dropped(frame.function, line):
            start_task(frame, world, dotted, arguments, known_of.runs, line)
            return None
        return _run_given(frame, world, dotted, arguments, known_of.runs, line)
    if known_of.drains:
        return _drain_given(frame, world, dotted, arguments, line)
    if known_of.wait is not None and not _told_not_to_wait(dotted, arguments):
        calls.external_wait(frame, world, known_of.wait, dotted.removeprefix("builtins."), line)
    if known_of.client:
        return Object(dotted)
    if known_of.wait is None and not dotted.startswith("builtins."):
        _given_away(frame, world, dotted, arguments, line)
    return None


def _told_not_to_wait(dotted: str, arguments: Arguments) -> bool:
    if dotted in SLEEPS:
        return arguments.get(0, "delay") == FALSE
    if dotted.endswith(".acquire") and arguments.get(0, "blocking") == FALSE:
        return True
    return any(arguments.keywords.get(name) == FALSE for name in PATIENCE)


def _given_away(frame: Frame, world: World, dotted: str, arguments: Arguments, line: int) -> None:
    """A library that is given a session uses it."""
    if dotted.startswith(("typing.", "logging.", "inspect.", "structlog.")):
        return
    for value in arguments.values():
        if isinstance(value, Session):
            effects.arm(frame, world, value.key, Chain(frame.at(line), (), False))


# --- SQLAlchemy ------------------------------------------------------------------------------------------------------


def database_call(
    frame: Frame, world: World, dotted: str, arguments: Arguments, line: int
) -> tuple[bool, Value | None]:
    """Whether it is a call that matters, and what it gives."""
    name = dotted.rpartition(".")[2]
    if dotted in sqlalchemy.FACTORIES:
        return True, _factory(frame, dotted, arguments)
    if dotted in sqlalchemy.REGISTRIES:
        made = arguments.get(0, "session_factory")
        known = made if isinstance(made, Factory) else None
        return True, Factory(
            known.name if known else "scoped_session", sqlalchemy.is_async(dotted),
            known.expire_on_commit if known else True, False, True,
        )  # fmt: skip
    if dotted in sqlalchemy.SESSIONS or dotted in frame.analysis.settings.sessions:
        return True, _session(frame, world, dotted, arguments, line)
    if dotted in sqlalchemy.ENGINE_MAKERS:
        return True, Object("sqlalchemy.Engine")
    owner = dotted.rpartition(".")[0]
    if owner in sqlalchemy.ENGINES and name in ("connect", "begin", "raw_connection"):
        return True, _connection(frame, world, name, line)
    if dotted in sqlalchemy.STATEMENTS:
        model = arguments.positional[0] if arguments.positional else None
        return True, Selectable(model.symbol if isinstance(model, ClassValue) else None)
    if dotted in sqlalchemy.FLASK_EXTENSIONS:
        return True, Object(dotted)
    if owner in sqlalchemy.FLASK_EXTENSIONS and name in sqlalchemy.FLASK_QUERIES:
        key = construction.shared_session(frame, world, FLASK_SESSION).key
        return True, orm.session_method(frame, world, key, sqlalchemy.FLASK_QUERIES[name], arguments, line)
    if dotted.startswith("letgo.runtime."):
        return True, _own_runtime(frame, world, name, arguments, line)
    if dotted == "alembic.op.get_bind":
        return True, construction.connection_of_a_migration(frame, world, line)
    return False, None


def _own_runtime(frame: Frame, world: World, name: str, arguments: Arguments, line: int) -> Value | None:
    """Letgo's own: `fresh_session(factory)` is a unit of work, `release(session)` ends and closes what it is given."""
    match name, arguments.get(0, "factory"), arguments.get(0, "session"):
        case "fresh_session", Factory() as factory, _:
            return Transaction(construction.new_session(frame, world, factory, line).key, True)
        case "release", _, Session(key):
            effects.commit(frame, world, key, line)
            effects.close(frame, world, key, line)
    return None


def _factory(frame: Frame, dotted: str, arguments: Arguments) -> Factory:
    expire = arguments.keywords.get("expire_on_commit")
    cls = arguments.get(1, "class_")
    bound = arguments.get(0, "bind")
    is_async = sqlalchemy.is_async(dotted) or (isinstance(cls, Outside) and sqlalchemy.is_async(cls.dotted))
    if isinstance(expire, Constant):
        known: bool | None = expire != FALSE
    else:
        known = None if "expire_on_commit" in arguments.keywords or arguments.spread else True
    return Factory("sessionmaker", is_async, known, isinstance(bound, Session), False)


def _session(frame: Frame, world: World, dotted: str, arguments: Arguments, line: int) -> Value:
    factory = _factory(frame, dotted, arguments)
    name = dotted.rpartition(".")[2]
    return construction.new_session(
        frame, world, factory._replace(name=name, is_async=sqlalchemy.is_async(dotted)), line
    )


def _connection(frame: Frame, world: World, name: str, line: int) -> Value:
    """`engine.connect()` checks a connection out at once; `begin()` begins a transaction on it, too."""
    made = construction.new_session(frame, world, Factory(f"engine.{name}", False, False, False, False), line)
    if name == "begin":
        return Transaction(made.key, True)
    return made


# --- Python's own ----------------------------------------------------------------------------------------------------


def python_call(
    frame: Frame, world: World, dotted: str, arguments: Arguments, line: int, receiver: Value | None
) -> tuple[bool, Value | None]:
    first = arguments.positional[0] if arguments.positional else None
    match dotted:
        case "contextlib.contextmanager" | "contextlib.asynccontextmanager":
            return True, first._replace(manages=True) if isinstance(first, FunctionValue) else first
        case "contextlib.closing" | "contextlib.aclosing" | "builtins.reversed" | "builtins.iter" | "builtins.aiter":
            return True, first
        case "contextlib.ExitStack" | "contextlib.AsyncExitStack":
            return True, exitstacks.make(world, line)
        case "functools.partial" | "functools.partialmethod":
            keywords = tuple((key, value) for key, value in arguments.keywords.items() if value is not None)
            return True, Partial(first, arguments.positional[1:], keywords) if first is not None else None
        case "functools.wraps" | "functools.lru_cache" | "functools.cache":
            return True, None
        case "builtins.isinstance":
            return True, None
        case "builtins.next" | "builtins.anext":
            return True, _next(frame, world, first, line)
        case "builtins.super":
            return True, _super(frame, world)
        case "builtins.getattr":
            return True, _getattr(frame, world, first, arguments.positional[1:], line)
        case "builtins.hasattr":
            return True, _has(frame, first, arguments.get(1, "name"))
        case "builtins.callable":
            return True, TRUE if first is not None and all(map(_is_callable, options(first))) else None
        case "builtins.enumerate":
            item = attributes.iterate(frame, world, first, line)
            return True, None if item is None else Many(Record(((1, item),)))
        case "builtins.zip":
            found = [attributes.iterate(frame, world, value, line) for value in arguments.positional]
            items = tuple((place, item) for place, item in enumerate(found) if item is not None)
            return True, Many(Record(items)) if items else None
        case "builtins.dict" if arguments.keywords:
            known = tuple((key, value) for key, value in arguments.keywords.items() if value is not None)
            return True, Record(known) if known else None
    return False, None


def _next(frame: Frame, world: World, value: Value | None, line: int) -> Value | None:
    for option in options(value):
        if isinstance(option, Session) or (isinstance(option, Lazy) and option.kind == "generator"):
            return calls.first_of(frame, world, option, line)
        if isinstance(option, Entered) and option.kind in ("generator", "session"):
            contexts.leave(frame, world, option, Leave(0, False, line))
            return None
    return attributes.iterate(frame, world, value, line)


def _getattr(
    frame: Frame, world: World, value: Value | None, others: tuple[Value | None, ...], line: int
) -> Value | None:
    name, *default = others or (None,)
    if not isinstance(name, Text):
        return None
    if default and _has(frame, value, name) == FALSE:
        return default[0]
    return attributes.attribute(frame, world, value, name.value, line)


def _has(frame: Frame, value: Value | None, name: Value | None) -> Value | None:
    """Whether a session has an attribute; None where that isn't known: anybody may set more on it."""
    if not isinstance(value, Session) or not isinstance(name, Text) or frame.traits_of(value.key).is_connection:
        return None
    if name.value in sqlalchemy.METHODS_OF_ALL:
        return TRUE
    return FALSE if name.value in sqlalchemy.OF_NO_SESSION else None


def _is_callable(value: Value) -> bool:
    if isinstance(value, Method):
        return value.name in sqlalchemy.METHODS_OF_ALL
    return isinstance(value, FunctionValue | Partial | ClassValue | Factory)


def _super(frame: Frame, world: World) -> Value | None:
    """`super()`: the object as its next class sees it."""
    owner = frame.symbol.owner
    receiver = frame.value.receiver
    if owner is None:
        return None
    for base in frame.analysis.names.bases(owner):
        if isinstance(base, ClassSymbol):
            kept = receiver.attributes if isinstance(receiver, Instance) else ()
            if frame.function.params:
                mine = world.env.get(frame.function.params[0].name)
                kept = mine.attributes if isinstance(mine, Instance) else kept
            return Instance(base, kept)
    return None


# --- responses, tasks, functions given to libraries ------------------------------------------------------------------


def _respond(frame: Frame, world: World, kind: str, dotted: str, arguments: Arguments, line: int) -> Value | None:
    name = dotted.rpartition(".")[2]
    background = arguments.keywords.get("background")
    match kind:
        case "template":
            calls.external_wait(frame, world, WaitKind.RENDER, name, line)
            return Response("template", background)
        case "stream":
            body = arguments.get(0, "content") or arguments.get(0, "generator")
            return Response("stream", body)
        case "redirect":
            return Response("redirect", background)
    return Response("plain", background)


def start_task(frame: Frame, world: World, dotted: str, arguments: Arguments, place: int, line: int) -> None:
    """Work that runs later, or beside: a session given to it is kept as long as it runs."""
    name = frame.analysis.waits.keyword_of(dotted) or ""
    given = arguments.get(place, name)
    values = [given, *arguments.positional[place + 1 :], *arguments.keywords.values()]
    wait = Wait(WaitKind.TASK, _called(given) or dotted.rpartition(".")[2], frame.at(line))
    for key in sessions_within(values):
        opened = world.sessions.get(key, UNTOUCHED).opened
        effects.hold(frame, key, opened or Chain(frame.at(line), (), True), wait, True)


def _schedule(frame: Frame, world: World, dotted: str, arguments: Arguments, line: int) -> None:
    """A task that waits after the response holds the sessions that end only after it, though it's given none."""
    given = arguments.get(0, frame.analysis.waits.keyword_of(dotted) or "")
    rest = arguments.rest(1)
    if given is None or sessions_within([given, *rest.values()]):
        return
    aside, nothing = Frame(frame.analysis, frame.value), World({}, {})
    aside.traits = frame.traits.copy()
    calls.await_value(aside, nothing, calls.apply(aside, nothing, given, rest, line), line)
    found = []
    for wait, certain in aside.waits.values():
        if wait.kind not in (WaitKind.STREAM, WaitKind.TASK):
            name = _called(given) or wait.what.rpartition(".")[2]
            found.append((Wait(WaitKind.TASK, f"{name}: {wait.what}", wait.site, wait.via), certain))
    background.schedule(world, found, line)


def _called(value: Value | None) -> str:
    """The name of the function that a value runs; empty when it has none."""
    match value:
        case FunctionValue(symbol) if symbol.function.name != "<lambda>":
            return symbol.function.name
        case Lazy(function) | Partial(function):
            return _called(function)
    return ""


def sessions_within(values: list[Value | None]) -> list[Key]:
    found: list[Key] = []

    def visit(value: Value | None) -> None:
        match value:
            case Session(key) | Method(key):
                found.append(key)
            case Lazy(function, bound, _):
                visit(function)
                for _, item in bound:
                    visit(item)
            case FunctionValue(_, receiver, captured):
                visit(receiver)
                for _, item in captured:
                    visit(item)
            case Instance(_, held):
                for _, item in held:
                    visit(item)
            case Partial(function, bound_arguments, keywords):
                visit(function)
                for item_or_none in bound_arguments:
                    visit(item_or_none)
                for _, item in keywords:
                    visit(item)
            case Together(parts) | AnyOf(parts):
                for part in parts:
                    visit(part)
            case Many(item):
                visit(item)
            case Record(items):
                for _, item in items:
                    visit(item)

    for value in values:
        visit(value)
    return list(dict.fromkeys(found))


def _run_given(frame: Frame, world: World, dotted: str, arguments: Arguments, place: int, line: int) -> Value | None:
    """`asyncio.to_thread(function, ...)` and its like run the function while the caller waits."""
    name = frame.analysis.waits.keyword_of(dotted) or ""
    given = arguments.get(place, name)
    rest = arguments.rest(place + 1)
    if isinstance(given, Lazy | Together):
        return calls.await_value(frame, world, given, line)
    result = calls.apply(frame, world, given, rest, line)
    return calls.await_value(frame, world, result, line)


def _drain_given(frame: Frame, world: World, dotted: str, arguments: Arguments, line: int) -> Value | None:
    """`list(generator)`, `asyncio.gather(coroutine, ...)`: what is lazy among the arguments runs."""
    results: list[Value] = []
    for value in arguments.values():
        for option in options(value):
            given: Value | None = option
            if isinstance(option, Lazy):
                given = (
                    calls.drain(frame, world, option, line)
                    if option.kind == "generator"
                    else calls.await_value(frame, world, option, line)
                )
            elif isinstance(option, Many):
                given = _drain_many(frame, world, option, line)
            elif isinstance(option, Together):
                given = calls.await_value(frame, world, option, line)
            if given is not None:
                results.append(given)
    if dotted.startswith("asyncio."):
        kind = frame.analysis.waits.wait_of(dotted)
        if kind is not None and not any(
            isinstance(o, Lazy | Together | Many) for v in arguments.values() for o in options(v)
        ):
            calls.external_wait(frame, world, kind, dotted, line)
        if dotted == "asyncio.gather":
            frame.ways = ()
            return Record(tuple(enumerate(results)))
    return results[0] if results else None


def _drain_many(frame: Frame, world: World, value: Many, line: int) -> Value | None:
    lazy = [option for option in options(value.item) if isinstance(option, Lazy)]
    if not lazy:
        return value
    given = either(
        *(
            calls.drain(frame, world, option, line)
            if option.kind == "generator"
            else calls.await_value(frame, world, option, line)
            for option in lazy
        )
    )
    return None if given is None else Many(given)
