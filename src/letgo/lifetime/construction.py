"""Making objects and sessions: what constructors, factories and registries give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from letgo.holds import Origin, Site, Source
from letgo.lifetime import callers, calls, expressions, external, functions, objects, registries
from letgo.lifetime.analysis import Analysis, Frame
from letgo.lifetime.sqlalchemy import FLASK_EXTENSIONS, is_async
from letgo.lifetime.values import (
    FLASK_SESSION,
    NONE,
    ClassValue,
    Factory,
    FunctionValue,
    Instance,
    Key,
    Lazy,
    Many,
    Object,
    Query,
    Session,
    Value,
    options,
    rename,
    sessions_of,
)
from letgo.lifetime.world import NOWHERE, UNTOUCHED, State, Traits, World
from letgo.source.names import ClassSymbol, External, FunctionSymbol
from letgo.source.program import Assign, Attr, Call, Class, Const, Expr, Function, Module, Name
from letgo.source.walk import returned

if TYPE_CHECKING:
    from letgo.lifetime.calls import Arguments


def construct(frame: Frame, world: World, symbol: ClassSymbol, arguments: Arguments, line: int) -> Value | None:
    """An object of a class of the code base."""
    analysis = frame.analysis
    if objects.is_session_class(analysis, symbol):
        factory = Factory(symbol.cls.name, "async" in objects.session_base(analysis, symbol), True, False, False)
        return calls.apply(frame, world, factory, arguments, line)
    init = analysis.names.find_method(symbol, "__init__")
    for base in analysis.names.mro(symbol):
        if isinstance(base, External) and (
            base.dotted in FLASK_EXTENSIONS or analysis.known(base.dotted).response is not None
        ):
            return external.call(frame, world, base.dotted, arguments, line)
    if init is None:
        return Instance(symbol, _by_field(analysis, symbol, arguments))
    value = FunctionValue(init, Instance(symbol, ()), (), False)
    activation = calls.run(frame, world, value, arguments, line)
    made = callers.outward(activation, activation.summary.receiver)
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


def as_one(frame: Frame, world: World, value: Value | None, before: dict[Key, State]) -> Value | None:
    """What an expression gives that makes one session or another: to whoever has it, that is one. `before` are the
    sessions that there were before it."""
    given = [part.key for part in options(value) if isinstance(part, Session) and part.key not in before]
    made = [key for key in given if key in frame.traits and frame.traits[key].owned]
    if len(made) < 2:
        return value
    first, *others = made
    for other in others:
        known, gone = frame.traits[first], frame.traits.pop(other)
        expires = known.expire_on_commit if known.expire_on_commit == gone.expire_on_commit else None
        frame.traits[first] = known._replace(expire_on_commit=expires, certain=known.certain and gone.certain)
        del world.sessions[other]
    return rename(value, lambda key: first if key in others else key)


def session_from_elsewhere(frame: Frame, world: World, name: str, line: int, dotted: str | None) -> Session:
    """A session that came on a way that can't be followed; others answer for its closing."""
    key = f"{line}.{name}"
    source = Source(Origin.ATTRIBUTE, name, frame.at(line))
    frame.traits[key] = Traits(source, bool(dotted and is_async(dotted)), None, False, True, False, dotted is not None)
    world.sessions[key] = UNTOUCHED
    return Session(key)


def connection_of_a_migration(frame: Frame, world: World, line: int) -> Session:
    """What alembic's `op.get_bind()` gives: one connection, however often and wherever a migration asks for it.
    https://alembic.sqlalchemy.org/en/latest/ops.html#alembic.operations.Operations.get_bind"""
    key = "g:op"
    if key not in frame.traits:
        source = Source(Origin.ATTRIBUTE, "op", frame.at(line))
        frame.traits[key] = Traits(source, False, None, False, True, True, True)
        frame.analysis.shared[key] = frame.traits[key]._replace(source=replace(source, site=NOWHERE), owned=False)
    world.sessions.setdefault(key, UNTOUCHED)
    return Session(key)


def shared_session(frame: Frame, world: World, factory: Factory, *, certain: bool = True) -> Session:
    """The session of a registry (`scoped_session`): one for all who ask on the same thread or task."""
    key = f"g:{factory.name}"
    if key not in frame.analysis.shared:
        source = Source(Origin.GLOBAL, factory.name, NOWHERE)
        frame.analysis.shared[key] = Traits(
            source, factory.is_async, factory.expire_on_commit, False, False, True, certain
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
    """`Model.query`: a query of the registry that gives it, or of the session of Flask-SQLAlchemy."""
    session = shared_session(frame, world, registries.registry_of(frame.analysis, symbol) or FLASK_SESSION)
    return Query(session.key, symbol)


def declared_session(
    frame: Frame, world: World, symbol: FunctionSymbol, seen: Value | None, line: int
) -> Session | None:
    """The session that a function says it gives, where none was seen in its body."""
    returns = symbol.function.returns
    if returns is None or next(iter(sessions_of(seen)), None) is not None:
        return None
    declared = objects.annotation_value(frame.analysis, symbol.module, symbol.function, returns)
    given = declared.item if isinstance(declared, Many) and symbol.function.is_generator else declared
    dotted = objects.is_session_type(frame.analysis, given)
    if dotted is None:
        return None
    if _is_kept(frame.analysis, symbol):
        site = frame.analysis.fixed(symbol.module, symbol.function).site
        source = Source(Origin.ATTRIBUTE, symbol.function.name, site)
        key = objects.global_key(symbol.module, symbol.function.qualname)
        return objects.shared_session(frame.analysis, key, dotted, source)
    return new_session(frame, world, Factory(symbol.function.name, is_async(dotted), None, False, False), line)


def _is_kept(analysis: Analysis, symbol: FunctionSymbol) -> bool:
    """Whether the session that a function gives is no new one: a property has it, or it is read off something."""
    given = list(returned(symbol.function))
    return objects.is_property(analysis, symbol) or (bool(given) and all(type(value) is Attr for value in given))


def evaluate_around(analysis: Analysis, module: Module, inner: Function | Class | None, expr: Expr) -> Value | None:
    """What an expression gives that stands at module level, in the body of a class, or as a default of a function:
    in the function around `inner`, before that runs."""
    if type(expr) is Const:
        return expressions.constant(expr)
    return evaluate_in(analysis, module, (inner and analysis.names.enclosing(module, inner)) or module.body, expr)


def evaluate_in(analysis: Analysis, module: Module, function: Function, expr: Expr) -> Value | None:
    """What an expression in the body of a function gives, with nothing known of its local variables."""
    frame = Frame(analysis, FunctionValue(analysis.names.function_symbol(module, function), None, (), False))
    return expressions.evaluate(frame, World({}, {}), expr)


def attributes_of_a_new(analysis: Analysis, cls: ClassSymbol) -> dict[str, Value]:
    """The attributes of an object whose construction was not seen. Its sessions are shared by all its methods."""
    init = analysis.names.find_method(cls, "__init__")
    found: dict[str, Value] = {}
    if init is not None:
        summary = functions.summarise(analysis, FunctionValue(init, Instance(cls, ()), (), False), (), {}, {})
        if isinstance(summary.receiver, Instance):
            lasting: dict[Key, Key] = {}
            for name, value in sorted(summary.receiver.attributes, key=lambda kept: not isinstance(kept[1], Session)):
                found[name] = _lasting(analysis, cls, name, value, summary.escaped, lasting)
    for method in cls.cls.methods:
        for name, value in _assigned_later(analysis, cls, method, found):
            if found.get(name) in (None, NONE):
                found[name] = value
    return found


def _lasting(
    analysis: Analysis, cls: ClassSymbol, name: str, value: Value, traits: dict[str, Traits], lasting: dict[Key, Key]
) -> Value:
    """The value of an attribute with its sessions as shared ones. One that the object keeps in several places, as when
    it makes others with the session that it is given, is named by the first: `lasting` knows the names given so far."""

    def last(key: Key) -> Key:
        if key in analysis.shared:
            return key
        if key in lasting:
            return lasting[key]
        shared = lasting[key] = objects.attribute_key(cls, name)
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

    renamed = rename(value, last)
    assert renamed is not None
    return renamed


def _assigned_later(
    analysis: Analysis, cls: ClassSymbol, method: Function, made: dict[str, Value]
) -> list[tuple[str, Value]]:
    """`self.name = Client()` outside the constructor: by what is called, with what the constructor has made."""
    if method.name == "__init__" or not method.params:
        return []
    found: list[tuple[str, Value]] = []
    for block in method.blocks:
        for step in block.steps:
            match step:
                case Assign(Attr(Name(owner), name, _), Call(func, args, _, _), _, _) if owner == method.params[0].name:
                    symbol = analysis.names.resolve(cls.module, func, method)
                    if isinstance(symbol, ClassSymbol):
                        given = [
                            made.get(arg.name) for arg in args if isinstance(arg, Attr) and arg.value == Name(owner)
                        ]
                        kept = _given_to(analysis, symbol, given) if len(given) == len(args) else ()
                        found.append((name, Instance(symbol, kept)))
                    elif isinstance(symbol, External) and analysis.waits.makes_client(symbol.dotted):
                        found.append((name, Object(symbol.dotted)))
    return found


def _given_to(analysis: Analysis, cls: ClassSymbol, given: list[Value | None]) -> tuple[tuple[str, Value], ...]:
    """The attributes of an object whose constructor is given attributes of another: it keeps them as they are."""
    init = analysis.names.find_method(cls, "__init__")
    if init is None:
        return ()
    names = {param.name: value for param, value in zip(init.function.params[1:], given, strict=False)}
    kept: dict[str, Value] = {}
    for block in init.function.blocks:
        for step in block.steps:
            match step:
                case Assign(Attr(Name(), name, _), Name(param), _, _) if (value := names.get(param)) is not None:
                    kept[name] = value
    return tuple(sorted(kept.items()))
