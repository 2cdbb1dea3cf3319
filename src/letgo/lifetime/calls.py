"""Calls: what is called, with what, and what that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from letgo.holds import Origin, Source, WaitKind
from letgo.lifetime import (
    attributes,
    callers,
    casts,
    construction,
    contexts,
    effects,
    exitstacks,
    expressions,
    external,
    functions,
    guesses,
    inherited,
    objects,
    orm,
)
from letgo.lifetime.analysis import Analysis, Frame, receiver_name
from letgo.lifetime.sqlalchemy import SESSION_METHODS, is_async
from letgo.lifetime.values import (
    EXACT,
    NONE,
    AnyOf,
    ClassValue,
    Entered,
    Factory,
    FunctionValue,
    Instance,
    Lazy,
    Many,
    Method,
    Object,
    Outside,
    Partial,
    Query,
    Record,
    Response,
    Result,
    Row,
    Selectable,
    Session,
    Stack,
    Text,
    Together,
    Transaction,
    Value,
    either,
    options,
    sessions_of,
    unsettled,
)
from letgo.lifetime.world import UNTOUCHED, World, join_states
from letgo.source.names import External, FunctionSymbol
from letgo.source.program import Attr, Call, Const, Expr, Leave, Name, Param, Star

if TYPE_CHECKING:
    from letgo.lifetime.callers import Activation


class Arguments(NamedTuple):
    """Evaluated arguments; what is not known is None. `spread`: some came by `*` or `**`."""

    positional: tuple[Value | None, ...]
    keywords: dict[str, Value | None]
    spread: bool

    def get(self, place: int, name: str) -> Value | None:
        if place < len(self.positional):
            return self.positional[place]
        return self.keywords.get(name)

    def values(self) -> list[Value | None]:
        return [*self.positional, *self.keywords.values()]

    def rest(self, count: int) -> Arguments:
        return Arguments(self.positional[count:], self.keywords, self.spread)


NO_ARGUMENTS = Arguments((), {}, False)


def call(frame: Frame, world: World, expr: Call) -> Value | None:
    """Evaluates a call: its receiver, its arguments, then what it does."""
    func = expr.func
    if casts.is_cast(frame, expr):
        return casts.cast(frame, world, expr)
    if type(func) is Attr:
        receiver = expressions.evaluate(frame, world, func.value)
        arguments = evaluate_arguments(frame, world, expr)
        frame.ways = ()
        if _collect(frame, world, receiver, func, arguments, expr.line):
            return None
        if isinstance(receiver, Record) and _is_assignable(world, func.value):
            expressions.assign(frame, world, func.value, _changed(receiver, func.name, arguments), expr.line)
        if _runs_the_app(frame, expr):
            external_wait(frame, world, WaitKind.EXTERNAL, func.name, expr.line)
        return call_method(frame, world, receiver, func.name, arguments, expr)
    callee = expressions.evaluate(frame, world, func)
    arguments = evaluate_arguments(frame, world, expr)
    frame.ways = ()
    if not isinstance(callee, Response) and _runs_the_app(frame, expr):
        external_wait(frame, world, WaitKind.EXTERNAL, receiver_name(func), expr.line)
    if callee is None:
        return guesses.unknown_call(frame, world, receiver_name(func), arguments, expr.line)
    return apply(frame, world, callee, arguments, expr.line)


_ADDS = ("append", "appendleft", "add", "insert")


def _collect(frame: Frame, world: World, receiver: Value | None, func: Attr, arguments: Arguments, line: int) -> bool:
    """Puts what a call gives into the list or set that it is added to. Gives whether the call does that.

    What nothing is known of is a list where it has an `append`, as a session has an `add`.
    """
    if func.name not in _ADDS or not _is_assignable(world, func.value):
        return False
    given = arguments.get(1 if func.name == "insert" else 0, "")
    held: Value | None = None
    match receiver:
        case Many(held):
            pass
        case Record(items):
            held = either(*(item for _, item in items))
        case None if isinstance(given, Lazy) or (given is not None and func.name == "append"):
            pass
        case _:
            return False
    item = unsettled(either(held, given))
    expressions.assign(frame, world, func.value, None if item is None else Many(item), line)
    return True


def _changed(record: Record, name: str, arguments: Arguments) -> Value | None:
    """What a dict or list is after one of its methods was called."""
    key, *given = arguments.positional or (None,)
    match name:
        case "update":
            made = expressions.updated(record, Record(tuple(_known(arguments.keywords))))
            return expressions.updated(made, key) if arguments.positional or arguments.spread else made
        case "setdefault" if attributes.item_of(record, known := _key_given(arguments)) is None or known is None:
            return expressions.with_item(record, known, unsettled(given[0]) if given else None, 0)
        case "pop" | "popitem" | "remove" | "insert" | "extend" | "sort" | "reverse":
            return unsettled(record)
        case "clear":
            return None
    return record


def _known(keywords: dict[str, Value | None]) -> list[tuple[str, Value]]:
    return [(name, value) for name, value in keywords.items() if value is not None]


def _is_assignable(world: World, expr: Expr) -> bool:
    """Whether it is a variable, or an attribute of an object that a variable holds."""
    match expr:
        case Name():
            return True
        case Attr(Name(holder), _, _):
            return isinstance(world.env.get(holder), Instance)
    return False


def _runs_the_app(frame: Frame, expr: Call) -> bool:
    """Whether an ASGI middleware has the app handle the request: https://asgi.readthedocs.io/en/latest/specs/main.html"""
    if len(expr.args) != 3:
        return False
    scope, receive, _ = expr.args
    return scope == Name("scope") and receive == Name("receive") and "scope" in {p.name for p in frame.function.params}


def evaluate_arguments(frame: Frame, world: World, expr: Call) -> Arguments:
    if not expr.args and not expr.keywords:
        return NO_ARGUMENTS
    positional: list[Value | None] = []
    keywords: dict[str, Value | None] = {}
    spread = False
    for argument in expr.args:
        value = expressions.evaluate(frame, world, argument)
        if type(argument) is Star:
            spread = True
            if isinstance(value, Record):
                positional.extend(item for _, item in value.items)
            elif isinstance(value, Many):
                positional.append(value.item)
        else:
            positional.append(value)
            _hand_over(world, argument, value)
    for name, argument in expr.keywords:
        value = expressions.evaluate(frame, world, argument)
        if name is not None:
            keywords[name] = value
            _hand_over(world, argument, value)
        else:
            spread = True
            if isinstance(value, Record):
                keywords.update({key: item for key, item in value.items if isinstance(key, str)})
    return Arguments(tuple(positional), keywords, spread)


def _hand_over(world: World, argument: Expr, value: Value | None) -> None:
    """Whoever is given a dict may change it."""
    if isinstance(value, Record) and value.is_dict and isinstance(argument, Name):
        world.bind(argument.id, unsettled(value))


_KNOWN_TO_RAISE_OR_NOT = AnyOf | FunctionValue | Instance | Lazy | Object | Outside | Partial
"""What is looked into, or looked up, when it or one of its methods is called: that tells whether it may raise."""


# --- methods ---------------------------------------------------------------------------------------------------------


def call_method(
    frame: Frame, world: World, receiver: Value | None, name: str, arguments: Arguments, expr: Call
) -> Value | None:
    line = expr.line
    if isinstance(receiver, Record | Many):
        frame.touched |= not guesses.is_quiet_of_collections(name, arguments)
    elif receiver is not None and not isinstance(receiver, _KNOWN_TO_RAISE_OR_NOT):
        frame.touched = True
    match receiver:
        case None:
            assert isinstance(expr.func, Attr)
            return guesses.unknown_method(frame, world, receiver_name(expr.func.value), name, arguments, line)
        case AnyOf(parts):
            able = tuple(part for part in parts if part != NONE)  # None has no methods
            if _lets_go_of_any(frame, able, name):
                return either(*(call_method(frame, world, part, name, arguments, expr) for part in able))
            return _each(frame, world, able, lambda part: call_method(frame, world, part, name, arguments, expr))
        case Session(key):
            return orm.session_method(frame, world, key, name, arguments, line)
        case Query():
            return orm.query_method(frame, world, receiver, name, line)
        case Result():
            return orm.result_method(receiver, name)
        case Transaction(key, _):
            return orm.transaction_method(frame, world, key, name, line)
        case Factory():
            return _factory_method(frame, world, receiver, name, arguments, line)
        case Stack():
            return exitstacks.method(frame, world, receiver, name, arguments, line)
        case Selectable():
            return receiver._replace(loads=True) if name == "options" else receiver
        case Object("contextvars.ContextVar", (declared, Text(variable))) if name in ("get", "set"):
            dotted = objects.is_session_type(frame.analysis, declared)
            if dotted is None:
                return None
            held = Factory(variable, is_async(dotted), None, False, True)
            kept = construction.shared_session(frame, world, held, certain=False)  # who put one in isn't known
            if name == "set":
                return _hand_to(frame, world, kept, arguments.get(0, "value"))
            return either(kept, NONE)  # before anyone has set it
        case Object(dotted) | Outside(dotted):
            method = attributes.external_attribute(frame, receiver, dotted, name)
            if isinstance(method, Factory):
                return apply(frame, world, method, arguments, line)
            return external.call(frame, world, f"{dotted}.{name}", arguments, line, receiver=receiver)
        case Lazy(_, _, "generator") if name in ("__next__", "__anext__", "send", "asend"):
            return first_of(frame, world, receiver, line)
        case Entered("generator" | "session") if name in _ENDS_GENERATOR:
            contexts.leave(frame, world, receiver, Leave(0, name not in ("send", "asend", "__next__"), line))
            return None
        case Lazy() | Together():
            return None
        case FunctionValue() if name == "__call__":
            return apply(frame, world, receiver, arguments, line)
        case Record():
            return _record_method(receiver, name, arguments)
        case Many(Record() as pair) if name in _VIEWS and not pair.is_dict:  # a dict of a comprehension
            return _record_method(pair._replace(items=pair.items[1:]), name, arguments)
        case Many(item):
            return item if name in ("pop", "get") else None
    bound = inherited.on_itself(frame, world, receiver, arguments, expr)
    if bound is not None:
        return apply(frame, world, bound.method, bound.arguments, line, receiver_expr=Attr(bound.object, name, line))
    nowhere = inherited.leads_nowhere(frame, receiver, expr)
    callee = None if nowhere else attributes.attribute(frame, world, receiver, name, line)
    if callee is None:
        return _missing_method(frame, world, receiver, name, arguments, expr)
    return apply(frame, world, callee, arguments, line, receiver_expr=expr.func)


def _hand_to(frame: Frame, world: World, kept: Session, given: Value | None) -> Value | None:
    """A session of the function's own becomes the one that is kept for all."""
    if isinstance(given, Session) and given.key in frame.traits and frame.traits[given.key].owned:
        world.sessions[kept.key] = world.sessions.pop(given.key, UNTOUCHED)
    return None


def _lets_go_of_any(frame: Frame, parts: tuple[Value, ...], name: str) -> bool:
    """Whether a method ends the transactions of several sessions that others keep: the one that it is was begun
    through the same alternatives, and none of the others was."""
    keys = [part.key for part in parts if isinstance(part, Session)]
    ends = SESSION_METHODS.get(name) in ("commit", "rollback", "close")
    return ends and bool(keys) and all(frame.traits_of(key).shared for key in keys)


def _each(frame: Frame, world: World, parts: tuple[Value, ...], follow: object) -> Value | None:
    """The same for every alternative, each from the same beginning."""
    assert callable(follow)
    before = world.sessions
    worlds = []
    values = []
    for part in parts:
        world.sessions = before.copy()
        values.append(follow(part))
        worlds.append(world.sessions)
    merged = worlds[0]
    for other in worlds[1:]:
        for key, state in other.items():
            mine = merged.get(key)
            merged[key] = state if mine is None else join_states(mine, state)
    world.sessions = merged
    return construction.as_one(frame, world, either(*values), before)


def _factory_method(
    frame: Frame, world: World, factory: Factory, name: str, arguments: Arguments, line: int
) -> Value | None:
    if factory.shared:
        session = construction.shared_session(frame, world, factory)
        return orm.session_method(frame, world, session.key, name, arguments, line)
    if name in ("begin",):
        made = construction.new_session(frame, world, factory, line)
        return Transaction(made.key, True)
    return factory if name == "configure" else None


_VIEWS = ("values", "items")
_ENDS_GENERATOR = ("close", "aclose", "throw", "athrow", "send", "asend", "__next__")


def _record_method(record: Record, name: str, arguments: Arguments) -> Value | None:
    match name:
        case "get" | "pop" | "setdefault":
            found = attributes.item_of(record, _key_given(arguments))
            others = arguments.positional[1:] or tuple(arguments.keywords.values())
            return found if found is None or not others else either(found, *others)
        case "values" | "items":
            item = unsettled(either(*(item for _, item in record.items)))
            pair = item if name == "values" or item is None else Record(((1, item),))
            return None if pair is None else Many(pair)
        case "copy":
            return record
    return None


def _key_given(arguments: Arguments) -> str | int | None:
    key = arguments.get(0, "key")
    return key.value if isinstance(key, Text) else None


_READS_ATTRIBUTES = frozenset({"model_validate", "from_orm"})
"""Methods of pydantic's models that read each of their fields from an object:
https://docs.pydantic.dev/latest/concepts/models/#arbitrary-class-instances"""


def _missing_method(
    frame: Frame, world: World, receiver: Value, name: str, arguments: Arguments, expr: Call
) -> Value | None:
    if isinstance(receiver, Row):
        frame.touched = True
        return None
    if isinstance(receiver, ClassValue) and name in _READS_ATTRIBUTES:
        for row in options(arguments.get(0, "obj")):
            if isinstance(row, Row) and row.model is not None:
                effects.read_row(frame, world, row, name, expr.line)
        return Instance(receiver.symbol, ())
    if isinstance(receiver, Instance):
        for base in frame.analysis.names.mro(receiver.cls):
            if isinstance(base, External) and not base.dotted.startswith("builtins."):
                return external.call(frame, world, f"{base.dotted}.{name}", arguments, expr.line, receiver=receiver)
    assert isinstance(expr.func, Attr)
    return guesses.unknown_method(frame, world, receiver_name(expr.func.value), name, arguments, expr.line)


# --- calling a value -------------------------------------------------------------------------------------------------


def apply(
    frame: Frame,
    world: World,
    callee: Value | None,
    arguments: Arguments,
    line: int,
    receiver_expr: object = None,
) -> Value | None:
    """Calls a value."""
    if not isinstance(callee, _KNOWN_TO_RAISE_OR_NOT):
        frame.touched = True
    match callee:
        case FunctionValue():
            return invoke(frame, world, callee, arguments, line, receiver_expr=receiver_expr)
        case ClassValue(symbol):
            return construction.construct(frame, world, symbol, arguments, line)
        case Object(dotted) if frame.analysis.known(f"{dotted}.__call__").wait:
            return external.call(frame, world, f"{dotted}.__call__", arguments, line, receiver=callee)
        case Outside(dotted) | Object(dotted):
            return external.call(frame, world, dotted, arguments, line, receiver=callee)
        case Factory():
            if callee.shared:
                return construction.shared_session(frame, world, callee)
            made = construction.new_session(frame, world, callee, line)
            if callee.pinned or any(isinstance(value, Session) for value in arguments.values()):
                frame.traits[made.key] = frame.traits[made.key]._replace(pinned=True)
            return made
        case Partial(function, bound, keywords):
            merged = Arguments(
                (*bound, *arguments.positional), {**dict(keywords), **arguments.keywords}, arguments.spread
            )
            return apply(frame, world, function, merged, line)
        case Instance(cls, _):
            method = frame.analysis.names.find_method(cls, "__call__")
            if method is None:
                frame.touched = True
                return None
            return invoke(frame, world, FunctionValue(method, callee, (), False), arguments, line)
        case AnyOf(parts):
            return _each(frame, world, parts, lambda part: apply(frame, world, part, arguments, line))
        case Method(key, name, query):
            if query is not None:
                return orm.query_method(frame, world, query, name, line)
            return orm.session_method(frame, world, key, name, arguments, line)
        case Session():
            return callee  # a scoped session called gives the session
    return None


def invoke(
    frame: Frame,
    world: World,
    value: FunctionValue,
    arguments: Arguments,
    line: int,
    *,
    certain: bool = True,
    receiver_expr: object = None,
) -> Value | None:
    """Calls a function of the code base. The body of a coroutine or generator is left for later."""
    function = value.symbol.function
    certain = certain and value.certain
    if function.is_generator:
        bound = bind(frame.analysis, value, arguments)
        return Lazy(value, tuple(bound.items()), "context" if value.manages else "generator", certain)
    if function.is_async:
        return Lazy(value, tuple(bind(frame.analysis, value, arguments).items()), "coroutine", certain)
    activation = run(frame, world, value, arguments, line, certain=certain)
    _rebind_receiver(frame, world, activation, receiver_expr, line)
    return returned(frame, world, activation, line)


def returned(frame: Frame, world: World, activation: Activation, line: int) -> Value | None:
    """What a followed call returns: as seen in its body, else as its signature says."""
    seen = callers.outward(activation, activation.summary.returns)
    if seen is not None and seen != NONE:
        return seen
    symbol = activation.value.symbol
    session = construction.declared_session(frame, world, symbol, seen, line)
    if session is not None or symbol.function.returns is None:
        return session or seen
    declared = objects.annotation_value(frame.analysis, symbol.module, symbol.function, symbol.function.returns)
    if not isinstance(declared, Instance | Object | Factory):
        return seen
    return either(declared, seen) if objects.may_be_none(symbol.function.returns) else declared


def _rebind_receiver(frame: Frame, world: World, activation: Activation, receiver_expr: object, line: int) -> None:
    """A method may have changed its object: the variable that holds it is what it is now."""
    after = callers.outward(activation, activation.summary.receiver)
    if isinstance(after, Instance) and after.attributes and isinstance(receiver_expr, Attr):
        expressions.assign(frame, world, receiver_expr.value, after, line)


def run(
    frame: Frame, world: World, value: FunctionValue, arguments: Arguments, line: int, *, certain: bool = True
) -> Activation:
    """Follows a function's body now, whatever kind of function it is."""
    return functions.execute(frame, world, value, bind(frame.analysis, value, arguments), line, certain=certain)


def bind(analysis: Analysis, value: FunctionValue, arguments: Arguments) -> dict[str, Value]:
    """The parameters that something is known of."""
    function = value.symbol.function
    params = list(function.params)
    if value.receiver is not None and value.symbol.owner is not None and params:
        params = params[1:]
    bound: dict[str, Value] = {}
    positional = [param for param in params if param.kind == "positional"]
    positional = positional[_added_before(analysis, value.symbol, positional, arguments) :]
    given = {param.name for param in positional[: len(arguments.positional)]} | arguments.keywords.keys()
    for param, argument in zip(positional, arguments.positional, strict=False):
        if argument is not None:
            bound[param.name] = argument
    extra = arguments.positional[len(positional) :]
    names = {param.name for param in params}
    others: list[tuple[str | int, Value]] = []
    for name, argument in arguments.keywords.items():
        if argument is None:
            continue
        if name in names:
            bound[name] = argument
        else:
            others.append((name, argument))
    for param in params:
        if param.kind == "star" and any(item is not None for item in extra):
            bound[param.name] = Record(tuple((place, item) for place, item in enumerate(extra) if item is not None))
        elif param.kind == "double_star" and others:
            bound[param.name] = Record(tuple(others))
        elif isinstance(param.default, Const | Attr) and param.name not in given and not arguments.spread:
            default = construction.evaluate_around(analysis, value.symbol.module, function, param.default)
            if isinstance(default, EXACT):
                bound[param.name] = default
    return bound if not arguments.spread else {name: item for name, item in bound.items() if item != NONE}


def _added_before(analysis: Analysis, symbol: FunctionSymbol, params: list[Param], arguments: Arguments) -> int:
    """How many arguments a decorator puts before those that are given: as the one that is a session shows, where what
    it would be given to is declared as something else, and a parameter after that as a session."""
    if not symbol.function.decorators:
        return 0
    for place, argument in enumerate(arguments.positional[: len(params)]):
        if isinstance(argument, Session):
            types = [objects.annotation_value(analysis, symbol.module, symbol.function, p.annotation) for p in params]
            fitting = [objects.is_session_type(analysis, declared) is not None for declared in types]
            if types[place] is None or fitting[place]:
                return 0
            return fitting.index(True, place) - place if True in fitting[place:] else 0
    return 0


def await_value(frame: Frame, world: World, value: Value | None, line: int) -> Value | None:
    """`await value`: a coroutine's body runs here."""
    match value:
        case Lazy(function, bound, "coroutine", certain):
            activation = functions.execute(frame, world, function, dict(bound), line, certain=certain)
            return returned(frame, world, activation, line)
        case Together(parts):
            results = [await_value(frame, world, part, line) for part in parts]
            items = tuple((place, item) for place, item in enumerate(results) if item is not None)
            return Record(items) if items else None
        case AnyOf(parts):
            return _each(frame, world, parts, lambda part: await_value(frame, world, part, line))
    frame.touched = True
    return value


def drain(frame: Frame, world: World, value: Lazy, line: int, *, streaming: bool = False) -> Value | None:
    """A generator is run. If it hands out a session, that one is as it is at the yield; else it runs to its end."""
    given, _ = draw(frame, world, value, line, streaming=streaming)
    return given


def draw(
    frame: Frame, world: World, value: Lazy, line: int, *, streaming: bool = False
) -> tuple[Value | None, Activation]:
    """What a generator hands out, and the generator, which whoever has it may end."""
    activation = functions.execute(
        frame, world, value.function, dict(value.arguments), line, certain=value.certain, streaming=streaming
    )
    given = callers.yields_of(activation)
    if any(sessions_of(given)):
        callers.at_yields(frame, world, activation, line)
    if isinstance(given, Session):
        traits = frame.traits.get(given.key)
        if traits is not None and traits.owned:
            source = Source(Origin.CONTEXT, value.function.symbol.function.name, frame.at(line))
            frame.traits[given.key] = traits._replace(source=source)
    return given, activation


def first_of(frame: Frame, world: World, value: Lazy | Session, line: int) -> Value | None:
    """`next(generator)`: it runs to its yield. Without a name for it, CPython finalises the generator at once.

    A session stands for the generator of it that somebody's callable is declared to give.
    """
    kept = [name for name, held in world.env.items() if held is value]
    given: Value | None = value
    if isinstance(value, Session):
        entered = Entered("session", value.key)
    else:
        activation = functions.execute(frame, world, value.function, dict(value.arguments), line)
        entered = Entered("generator", activation=activation)
        given = callers.yields_of(activation)
        callers.at_yields(frame, world, activation, line)
    for name in kept:
        world.bind(name, entered)
    if isinstance(given, Session) and given.key in frame.traits:
        traits = frame.traits[given.key]
        opener = traits.source.name if isinstance(value, Session) else value.function.symbol.function.name
        origin = Origin.CONTEXT if kept or _is_attribute(world, value) else Origin.GENERATOR
        frame.traits[given.key] = traits._replace(source=Source(origin, opener, frame.at(line)))
    return given


def _is_attribute(world: World, value: Value) -> bool:
    """Whether an object keeps the value."""
    held = (item for item in world.env.values() if isinstance(item, Instance))
    return any(attribute is value for each in held for _, attribute in each.attributes)


def external_wait(frame: Frame, world: World, kind: WaitKind, what: str, line: int, *, certain: bool = True) -> None:
    frame.touched = True
    effects.wait(frame, world, kind, what, line, certain)
