"""Calls: what is called, with what, and what that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from letgo.holds import Origin, Site, Source, WaitKind
from letgo.lifetime import attributes, contexts, effects, exitstacks, external, functions, interpret, objects, orm
from letgo.lifetime.analysis import Analysis, Frame, receiver_name
from letgo.lifetime.sqlalchemy import is_async
from letgo.lifetime.values import (
    FALSE,
    NONE,
    TRUE,
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
    rename,
)
from letgo.lifetime.world import NOWHERE, UNTOUCHED, Chain, Traits, World, join_states
from letgo.source.names import ClassSymbol, External, FunctionSymbol
from letgo.source.program import Assign, Attr, Call, Function, Leave, Module, Name, Star

if TYPE_CHECKING:
    from letgo.lifetime.functions import Activation


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
    frame.touched = True
    func = expr.func
    if type(func) is Attr:
        receiver = interpret.evaluate(frame, world, func.value)
        arguments = evaluate_arguments(frame, world, expr)
        return call_method(frame, world, receiver, func.name, arguments, expr)
    callee = interpret.evaluate(frame, world, func)
    arguments = evaluate_arguments(frame, world, expr)
    if callee is None:
        return unknown_call(frame, world, receiver_name(func), arguments, expr.line)
    return apply(frame, world, callee, arguments, expr.line)


def evaluate_arguments(frame: Frame, world: World, expr: Call) -> Arguments:
    positional: list[Value | None] = []
    keywords: dict[str, Value | None] = {}
    spread = False
    for argument in expr.args:
        value = interpret.evaluate(frame, world, argument)
        if type(argument) is Star:
            spread = True
            if isinstance(value, Record):
                positional.extend(item for _, item in value.items)
            elif isinstance(value, Many):
                positional.append(value.item)
        else:
            positional.append(value)
    for name, argument in expr.keywords:
        value = interpret.evaluate(frame, world, argument)
        if name is not None:
            keywords[name] = value
        else:
            spread = True
            if isinstance(value, Record):
                keywords.update({key: item for key, item in value.items if isinstance(key, str)})
    return Arguments(tuple(positional), keywords, spread)


# --- methods ---------------------------------------------------------------------------------------------------------


def call_method(
    frame: Frame, world: World, receiver: Value | None, name: str, arguments: Arguments, expr: Call
) -> Value | None:
    line = expr.line
    match receiver:
        case None:
            assert isinstance(expr.func, Attr)
            return unknown_method(frame, world, receiver_name(expr.func.value), name, arguments, line)
        case AnyOf(parts):
            return _each(frame, world, parts, lambda part: call_method(frame, world, part, name, arguments, expr))
        case Session(key):
            return orm.session_method(frame, world, key, name, arguments, line)
        case Query(key, model):
            return orm.query_method(frame, world, receiver, name, line)
        case Result(key, model):
            return orm.result_method(key, model, name)
        case Transaction(key, _):
            return orm.transaction_method(frame, world, key, name, line)
        case Factory():
            return _factory_method(frame, world, receiver, name, arguments, line)
        case Stack():
            return exitstacks.method(frame, world, receiver, name, arguments, line)
        case Selectable():
            return None if name == "options" else receiver
        case Object("contextvars.ContextVar", (declared, Text(variable))) if name == "get":
            dotted = objects.is_session_type(frame.analysis, declared)
            factory = Factory(variable, bool(dotted) and is_async(dotted or ""), None, False, True)
            return shared_session(frame, world, factory) if dotted else None
        case Object(dotted) | Outside(dotted):
            method = attributes.external_attribute(frame, receiver, dotted, name)
            if isinstance(method, Factory):
                return apply(frame, world, method, arguments, line)
            return external.call(frame, world, f"{dotted}.{name}", arguments, line, receiver=receiver)
        case Lazy(_, _, "generator") if name in ("__next__", "__anext__", "send", "asend"):
            return first_of(frame, world, receiver, line)
        case Entered("generator") if name in ("close", "aclose", "throw", "athrow", "send", "asend", "__next__"):
            contexts.leave(frame, world, receiver, Leave(0, name not in ("send", "asend", "__next__"), line))
            return None
        case Lazy() | Together():
            return None
        case FunctionValue() if name == "__call__":
            return apply(frame, world, receiver, arguments, line)
        case Record():
            return _record_method(receiver, name, arguments)
        case Many(item):
            return item if name in ("pop", "get") else None
    callee = attributes.attribute(frame, world, receiver, name, line)
    if callee is None:
        return _missing_method(frame, world, receiver, name, arguments, expr)
    result = apply(frame, world, callee, arguments, line, receiver_expr=expr.func)
    return result


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
    return either(*values)


def _factory_method(
    frame: Frame, world: World, factory: Factory, name: str, arguments: Arguments, line: int
) -> Value | None:
    if factory.shared:
        session = shared_session(frame, world, factory)
        return orm.session_method(frame, world, session.key, name, arguments, line)
    if name in ("begin",):
        made = new_session(frame, world, factory, line)
        return Transaction(made.key, True)
    return factory if name == "configure" else None


def _record_method(record: Record, name: str, arguments: Arguments) -> Value | None:
    if name in ("get", "pop"):
        return attributes.item_of(record, arguments.get(0, "key"))
    return record if name == "copy" else None


def _missing_method(
    frame: Frame, world: World, receiver: Value, name: str, arguments: Arguments, expr: Call
) -> Value | None:
    if isinstance(receiver, Row):
        return None
    if isinstance(receiver, Instance):
        for base in frame.analysis.names.mro(receiver.cls):
            if isinstance(base, External) and not base.dotted.startswith("builtins."):
                return external.call(frame, world, f"{base.dotted}.{name}", arguments, expr.line, receiver=receiver)
    assert isinstance(expr.func, Attr)
    return unknown_method(frame, world, receiver_name(expr.func.value), name, arguments, expr.line)


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
    match callee:
        case FunctionValue():
            return invoke(frame, world, callee, arguments, line, receiver_expr=receiver_expr)
        case ClassValue(symbol):
            return construct(frame, world, symbol, arguments, line)
        case Outside(dotted) | Object(dotted):
            return external.call(frame, world, dotted, arguments, line, receiver=callee)
        case Factory():
            if callee.shared:
                return shared_session(frame, world, callee)
            made = new_session(frame, world, callee, line)
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
                return None
            return invoke(frame, world, FunctionValue(method, callee, (), False), arguments, line)
        case AnyOf(parts):
            return _each(frame, world, parts, lambda part: apply(frame, world, part, arguments, line))
        case Method(key, name):
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
    if function.is_generator:
        return Lazy(value, tuple(bind(value, arguments).items()), "context" if value.manages else "generator")
    if function.is_async:
        return Lazy(value, tuple(bind(value, arguments).items()), "coroutine")
    activation = run(frame, world, value, arguments, line, certain=certain)
    _rebind_receiver(frame, world, activation, receiver_expr, line)
    return returned(frame, world, activation, line)


def returned(frame: Frame, world: World, activation: Activation, line: int) -> Value | None:
    """What a followed call returns: as seen in its body, else as its signature says."""
    seen = functions.outward(activation, activation.summary.returns)
    if seen is not None and seen != NONE:
        return seen
    symbol = activation.value.symbol
    if symbol.function.returns is None:
        return seen
    declared = objects.annotation_value(frame.analysis, symbol.module, symbol.function, symbol.function.returns)
    dotted = objects.is_session_type(frame.analysis, declared)
    if dotted is None:
        return declared if isinstance(declared, Instance | Object | Factory) else seen
    factory = Factory(symbol.function.name, is_async(dotted), None, False, False)
    return new_session(frame, world, factory, line)


def _rebind_receiver(frame: Frame, world: World, activation: Activation, receiver_expr: object, line: int) -> None:
    """A method may have changed its object: the variable that holds it is what it is now."""
    after = functions.outward(activation, activation.summary.receiver)
    if isinstance(after, Instance) and after.attributes and isinstance(receiver_expr, Attr):
        interpret.assign(frame, world, receiver_expr.value, after, line)


def run(
    frame: Frame, world: World, value: FunctionValue, arguments: Arguments, line: int, *, certain: bool = True
) -> Activation:
    """Follows a function's body now, whatever kind of function it is."""
    return functions.execute(frame, world, value, bind(value, arguments), line, certain=certain)


def bind(value: FunctionValue, arguments: Arguments) -> dict[str, Value]:
    """The parameters that something is known of."""
    function = value.symbol.function
    params = list(function.params)
    if value.receiver is not None and value.symbol.owner is not None and params:
        params = params[1:]
    bound: dict[str, Value] = {}
    positional = [param for param in params if param.kind == "positional"]
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
        elif param.default is not None and param.name not in bound and not arguments.spread:
            default = getattr(param.default, "value", 0)
            if default is None:
                bound.setdefault(param.name, NONE)
            elif isinstance(default, bool):
                bound.setdefault(param.name, TRUE if default else FALSE)
    return bound if not arguments.spread else {name: item for name, item in bound.items() if item != NONE}


def await_value(frame: Frame, world: World, value: Value | None, line: int) -> Value | None:
    """`await value`: a coroutine's body runs here."""
    match value:
        case Lazy(function, bound, "coroutine"):
            activation = functions.execute(frame, world, function, dict(bound), line)
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
    activation = functions.execute(frame, world, value.function, dict(value.arguments), line, streaming=streaming)
    given = functions.yields_of(activation)
    if isinstance(given, Session):
        functions.at_yields(frame, world, activation, line)
        traits = frame.traits.get(given.key)
        if traits is not None and traits.owned:
            source = Source(Origin.CONTEXT, value.function.symbol.function.name, frame.at(line))
            frame.traits[given.key] = traits._replace(source=source)
    return given


def first_of(frame: Frame, world: World, value: Lazy, line: int) -> Value | None:
    """`next(generator)`: it runs to its yield. Without a name for it, CPython finalises the generator at once."""
    kept = [name for name, held in world.env.items() if held is value]
    activation = functions.execute(frame, world, value.function, dict(value.arguments), line)
    given = functions.yields_of(activation)
    functions.at_yields(frame, world, activation, line)
    for name in kept:
        world.bind(name, Entered("generator", activation=activation))
    if isinstance(given, Session) and given.key in frame.traits:
        origin = Origin.CONTEXT if kept or _is_attribute(world, value) else Origin.GENERATOR
        source = Source(origin, value.function.symbol.function.name, frame.at(line))
        frame.traits[given.key] = frame.traits[given.key]._replace(source=source)
    return given


def _is_attribute(world: World, value: Value) -> bool:
    """Whether an object keeps the value."""
    held = (item for item in world.env.values() if isinstance(item, Instance))
    return any(attribute is value for each in held for _, attribute in each.attributes)


# --- making objects --------------------------------------------------------------------------------------------------


def construct(frame: Frame, world: World, symbol: ClassSymbol, arguments: Arguments, line: int) -> Value | None:
    """An object of a class of the code base."""
    analysis = frame.analysis
    if objects.is_session_class(analysis, symbol):
        factory = Factory(symbol.cls.name, "async" in objects.session_base(analysis, symbol), True, False, False)
        return apply(frame, world, factory, arguments, line)
    init = analysis.names.find_method(symbol, "__init__")
    if init is None:
        for base in analysis.names.mro(symbol):
            if isinstance(base, External) and analysis.known(base.dotted).response is not None:
                return external.call(frame, world, base.dotted, arguments, line)
        return Instance(symbol, _by_field(analysis, symbol, arguments))
    value = FunctionValue(init, Instance(symbol, ()), (), False)
    activation = run(frame, world, value, arguments, line)
    made = functions.outward(activation, activation.summary.receiver)
    return made if isinstance(made, Instance) else Instance(symbol, ())


def _by_field(analysis: Analysis, symbol: ClassSymbol, arguments: Arguments) -> tuple[tuple[str, Value], ...]:
    """A dataclass or model gets its attributes by name or, in order, by place."""
    fields = [
        field.name
        for cls in reversed(analysis.names.mro(symbol))
        if isinstance(cls, ClassSymbol)
        for field in cls.cls.fields
        if field.annotation is not None
    ]
    known = dict(zip(fields, arguments.positional, strict=False)) | arguments.keywords
    return tuple(
        sorted(
            (name, value)
            for name, value in known.items()
            if isinstance(value, Session | Instance | Object | FunctionValue | Factory | Lazy | ClassValue)
        )
    )


def new_session(frame: Frame, world: World, factory: Factory, line: int, *, certain: bool = True) -> Session:
    key = f"{line}.{factory.name}"[-48:]
    source = Source(Origin.FACTORY, factory.name, frame.at(line))
    frame.traits[key] = Traits(source, factory.is_async, factory.expire_on_commit, factory.pinned, True, False, certain)
    world.sessions[key] = UNTOUCHED
    return Session(key)


def session_from_elsewhere(frame: Frame, world: World, name: str, line: int, dotted: str | None) -> Session:
    """A session that came on a way that can't be followed; others answer for its closing."""
    key = f"{line}.{name}"
    source = Source(Origin.ATTRIBUTE, name, frame.at(line))
    frame.traits[key] = Traits(source, bool(dotted and is_async(dotted)), None, False, True, False, dotted is not None)
    world.sessions[key] = UNTOUCHED
    return Session(key)


def shared_session(frame: Frame, world: World, factory: Factory) -> Session:
    """The session of a registry (`scoped_session`): one for all who ask on the same thread or task."""
    key = f"g:{factory.name}"
    if key not in frame.analysis.shared:
        source = Source(Origin.GLOBAL, factory.name, NOWHERE)
        frame.analysis.shared[key] = Traits(
            source, factory.is_async, factory.expire_on_commit, False, False, True, True
        )
    world.sessions.setdefault(key, UNTOUCHED)
    return Session(key)


def publish(frame: Frame, world: World, name: str, value: Value | None) -> Value | None:
    """A value put into a global variable: its sessions are everybody's from now on."""
    shared = objects.global_key(frame.module, name)

    def public(key: str) -> str:
        if key not in frame.traits:
            return key
        traits = frame.traits[key]
        source = Source(Origin.GLOBAL, name, traits.source.site)
        frame.analysis.shared.setdefault(shared, traits._replace(source=source, owned=False, shared=True))
        world.sessions[shared] = world.sessions.pop(key, UNTOUCHED)
        return shared

    return rename(value, public)


def model_query(frame: Frame, world: World, symbol: ClassSymbol) -> Value | None:
    """`Model.query` of Flask-SQLAlchemy and its like: a query of the shared session."""
    session = shared_session(frame, world, Factory("db.session", False, True, False, True))
    return Query(session.key, symbol)


# --- what can't be followed ------------------------------------------------------------------------------------------

_COMMON = frozenset(
    "get set add pop put post items keys values append extend update copy close open read write send run start stop "
    "join split strip format encode decode filter first all count delete create save load execute commit remove clear "
    "info debug warning error exception index find replace lower upper dict json model_dump insert sort next stream "
    "search query submit result fetch request patch connect".split()
)


def unknown_method(
    frame: Frame, world: World, receiver: str, name: str, arguments: Arguments, line: int
) -> Value | None:
    """A method of something that is not known: by its name, if only one class or one family of classes has it; else by
    how it looks."""
    analysis = frame.analysis
    if name not in _COMMON and len(name) > 4:
        found = analysis.names.methods_named(name)
        if len(found) > 2:
            found = _of_one_family(analysis, found)
        if found:
            return _guess(frame, world, found, arguments, line)
    if analysis.waits.named_like_client(receiver, name):
        external_wait(frame, world, WaitKind.EXTERNAL, f"{receiver}.{name}", line, certain=False)
        return None
    return unknown_call(frame, world, f"{receiver}.{name}", arguments, line)


def _of_one_family(analysis: Analysis, methods: tuple[FunctionSymbol, ...]) -> tuple[FunctionSymbol, ...]:
    """A few of the methods, if all their classes have one base class in common."""
    roots = set()
    for method in methods:
        assert method.owner is not None
        bases = [base for base in analysis.names.mro(method.owner) if isinstance(base, ClassSymbol)]
        roots.add(bases[-1])
    concrete = tuple(method for method in methods if not attributes.is_abstract(method.function))
    return concrete[:4] if len(roots) == 1 else ()


def _guess(
    frame: Frame, world: World, found: tuple[FunctionSymbol, ...], arguments: Arguments, line: int
) -> Value | None:
    values = []
    for method in found:
        assert method.owner is not None
        value = FunctionValue(method, Instance(method.owner, ()), (), objects.manages(frame.analysis, method))
        values.append(invoke(frame, world, value, arguments, line, certain=False))
    return either(*values)


def unknown_call(frame: Frame, world: World, name: str, arguments: Arguments, line: int) -> Value | None:
    """Something that can't be followed. Given a session it most likely uses it; else it is taken to be harmless."""
    for value in arguments.values():
        if isinstance(value, Session):
            effects.arm(frame, world, value.key, Chain(frame.at(line), (), False))
            world.sessions[value.key] = world.sessions[value.key]._replace(dirty=None)  # it may commit
            frame.analysis.note_unresolved(frame.at(line), name)
    return None


def external_wait(frame: Frame, world: World, kind: WaitKind, what: str, line: int, *, certain: bool = True) -> None:
    frame.touched = True
    effects.wait(frame, world, kind, what, line, certain)


# --- outside any function --------------------------------------------------------------------------------------------


def evaluate_at_module_level(analysis: Analysis, module: Module, step: Assign) -> Value | None:
    """What a module-level (or class-level) assignment gives."""
    symbol = analysis.names.function_symbol(module, module.body)
    frame = Frame(analysis, FunctionValue(symbol, None, (), False))
    return interpret.evaluate(frame, World({}, {}), step.value)


def attributes_of_a_new(analysis: Analysis, cls: ClassSymbol) -> dict[str, Value]:
    """The attributes of an object whose construction was not seen. Its sessions are shared by all its methods."""
    init = analysis.names.find_method(cls, "__init__")
    found: dict[str, Value] = {}
    if init is not None:
        summary = functions.summarise(analysis, FunctionValue(init, Instance(cls, ()), (), False), (), {}, {})
        if isinstance(summary.receiver, Instance):
            for name, value in summary.receiver.attributes:
                found[name] = _lasting(analysis, cls, name, value, summary.escaped)
    for method in cls.cls.methods:
        for name, value in _assigned_later(analysis, cls, method):
            if found.get(name) in (None, NONE):
                found[name] = value
    return found


def _lasting(analysis: Analysis, cls: ClassSymbol, name: str, value: Value, traits: dict[str, Traits]) -> Value:
    def lasting(key: str) -> str:
        if key in analysis.shared:
            return key
        shared = f"a:{cls.module.path}:{cls.cls.qualname}.{name}"
        known = traits.get(key)
        source = Source(
            Origin.ATTRIBUTE,
            f"self.{name}",
            known.source.site if known else Site(cls.module.path, cls.cls.line, cls.cls.qualname),
        )
        analysis.shared[shared] = Traits(
            source, bool(known and known.is_async), known.expire_on_commit if known else None, False, False, True,
            known.certain if known else True,
        )  # fmt: skip
        return shared

    renamed = rename(value, lasting)
    assert renamed is not None
    return renamed


def _assigned_later(analysis: Analysis, cls: ClassSymbol, method: Function) -> list[tuple[str, Value]]:
    """`self.name = Client()` outside the constructor: by what is called."""
    if method.name == "__init__" or not method.params:
        return []
    found: list[tuple[str, Value]] = []
    for block in method.blocks:
        for step in block.steps:
            match step:
                case Assign(Attr(Name(owner), name, _), Call(func, _, _, _), _, _) if owner == method.params[0].name:
                    symbol = analysis.names.resolve(cls.module, func, method)
                    if isinstance(symbol, ClassSymbol):
                        found.append((name, Instance(symbol, ())))
                    elif isinstance(symbol, External) and analysis.waits.makes_client(symbol.dotted):
                        found.append((name, Object(symbol.dotted)))
    return found
