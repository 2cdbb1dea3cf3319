"""What names, annotations and attributes stand for, before any of it runs."""

from letgo.holds import Origin, Site, Source
from letgo.lifetime import sqlalchemy
from letgo.lifetime.analysis import Analysis, Frame
from letgo.lifetime.values import (
    EXACT,
    FLASK_SESSION,
    NONE,
    ClassValue,
    Factory,
    FunctionValue,
    Instance,
    Key,
    Many,
    ModuleValue,
    Object,
    Outside,
    Session,
    Text,
    Value,
    either,
    options,
    rename,
)
from letgo.lifetime.world import Traits
from letgo.source.names import ClassSymbol, External, FunctionSymbol, ModuleSymbol, Symbol, VariableSymbol
from letgo.source.program import Assign, Attr, Call, Const, Expr, Function, Group, Item, Module, Name, Sequence

CONTEXT_DECORATORS = frozenset(
    {"contextlib.contextmanager", "contextlib.asynccontextmanager", "async_generator.asynccontextmanager"}
)
_WRAPPERS = frozenset(
    {
        "Optional",
        "Annotated",
        "Union",
        "Final",
        "ClassVar",
        "Required",
        "NotRequired",
        "Mapped",
        "Awaitable",
        "Coroutine",
        "Type",
    }
)
CONTEXT_TYPES = frozenset(
    {
        "AbstractAsyncContextManager",
        "AbstractContextManager",
        "AsyncContextManager",
        "ContextManager",
        "AsyncGenerator",
        "Generator",
    }
)
_LISTS = frozenset(
    {
        "list",
        "List",
        "Sequence",
        "Iterable",
        "Iterator",
        "tuple",
        "Tuple",
        "set",
        "Set",
        "frozenset",
        "Collection",
        "AsyncIterator",
        "AsyncIterable",
    }
)

INJECTED = frozenset({"BackgroundTasks", "HTTPConnection", "Request", "Response", "WebSocket"})
"""Classes of Starlette, and FastAPI's names for them."""


def symbol_value(analysis: Analysis, symbol: Symbol | None) -> Value | None:
    """The value of a resolved name."""
    match symbol:
        case FunctionSymbol(owner=owner):
            receiver = ClassValue(owner) if owner is not None and is_classmethod(symbol) else None
            return FunctionValue(symbol, receiver, (), manages(analysis, symbol))
        case ClassSymbol():
            return ClassValue(symbol)
        case ModuleSymbol(module):
            return ModuleValue(module)
        case External(dotted):
            return Outside(dotted)
        case VariableSymbol(module, name):
            return variable(analysis, module, name)
    return None


def manages(analysis: Analysis, symbol: FunctionSymbol) -> bool:
    """Whether a decorator makes a context manager of the function."""
    return bool(symbol.function.decorators) and any(
        decorator_name(analysis, symbol, decorator) in CONTEXT_DECORATORS for decorator in symbol.function.decorators
    )


def decorator_name(analysis: Analysis, symbol: FunctionSymbol, decorator: Expr) -> str:
    """The dotted name of a decorator outside the code base, with or without a call; empty for any other."""
    target = decorator.func if isinstance(decorator, Call) else decorator
    found = analysis.names.resolve(symbol.module, target)
    if isinstance(found, External):
        return found.dotted.removeprefix("builtins.")
    return ""


def is_classmethod(symbol: FunctionSymbol) -> bool:
    return Name("classmethod") in symbol.function.decorators


def is_property(analysis: Analysis, symbol: FunctionSymbol) -> bool:
    for decorator in symbol.function.decorators:
        match decorator:
            case Name(name) | Attr(_, name, _) if name in ("property", "cached_property", "hybrid_property"):
                return True
    return False


def named(frame: Frame, name: str) -> Value | None:
    """A name that is no local variable, as the function sees it."""
    analysis, values = frame.analysis, frame.fixed.values
    if name not in values:
        symbol = analysis.names.resolve(frame.module, Name(name), frame.function)
        values[name] = symbol if isinstance(symbol, VariableSymbol) else symbol_value(analysis, symbol)
    known = values[name]
    return variable(analysis, known.module, known.name) if isinstance(known, VariableSymbol) else known


def annotation_value(analysis: Analysis, module: Module, function: Function, expr: Expr | None) -> Value | None:
    """What an annotation says of a value. A session's type is an `Object` of its dotted name."""
    if expr is None:
        return None
    key = (id(function), id(expr))
    if key not in analysis.declared:
        analysis.declared[key] = None  # an alias may name itself
        analysis.declared[key] = _declared(analysis, module, function, expr)
    return analysis.declared[key]


def _declared(analysis: Analysis, module: Module, function: Function, expr: Expr) -> Value | None:
    match expr:
        case Name() | Attr():
            return _typed(analysis, analysis.names.resolve(module, expr, function))
        case Item(Name(name) | Attr(_, name, _), inner, _) if name in _WRAPPERS:
            first = inner.items[0] if isinstance(inner, Sequence) and inner.items and name != "Union" else inner
            if name == "Coroutine" and isinstance(inner, Sequence) and inner.items:
                first = inner.items[-1]
            return annotation_value(analysis, module, function, first)
        case Item(Name(name) | Attr(_, name, _), inner, _) if name in _LISTS:
            item = annotation_value(analysis, module, function, inner)
            return None if item is None else Many(item)
        case Item(Name("Callable") | Attr(_, "Callable", _), Sequence((_, given)), _):
            return _factory(analysis, annotation_value(analysis, module, function, given))
        case Item(Name(name) | Attr(_, name, _), inner, _) if name in CONTEXT_TYPES:
            first = inner.items[0] if isinstance(inner, Sequence) and inner.items else inner
            found = annotation_value(analysis, module, function, first)
            return found if is_session_type(analysis, found) else None
        case Item(value, inner, _):
            found = annotation_value(analysis, module, function, value)
            if isinstance(found, Object) and not is_session_type(analysis, found):
                parts = inner.items if isinstance(inner, Sequence) else (inner,)
                parameters = tuple(annotation_value(analysis, module, function, part) or NONE for part in parts)
                return found._replace(parameters=parameters)
            return found
        case Group(parts) | Sequence(parts):
            return either(*(annotation_value(analysis, module, function, part) for part in parts))
        case Const(None):
            return None
    return None


def may_be_none(annotation: Expr | None) -> bool:
    """Whether an annotation says that there may be nothing: `X | None`, `Optional[X]`."""
    match annotation:
        case Const(None):
            return True
        case Item(Name("Optional") | Attr(_, "Optional", _), _, _):
            return True
        case Item(Name("Union") | Attr(_, "Union", _), inner, _):
            return may_be_none(inner)
        case Item(Name("Annotated") | Attr(_, "Annotated", _), Sequence((first, *_)), _):
            return may_be_none(first)
        case Sequence(parts):
            return any(may_be_none(part) for part in parts)
    return False


def _factory(analysis: Analysis, given: Value | None) -> Value | None:
    """What is annotated as a callable that gives a session, or a context manager of one."""
    dotted = is_session_type(analysis, given)
    return None if dotted is None else Factory("a callable", sqlalchemy.is_async(dotted), None, False, False)


def _typed(analysis: Analysis, symbol: Symbol | None) -> Value | None:
    match symbol:
        case ClassSymbol():
            if is_session_class(analysis, symbol):
                return Object(session_base(analysis, symbol))
            return Instance(symbol, ())
        case External(dotted) if dotted in sqlalchemy.FACTORIES:
            return Factory("a factory", sqlalchemy.is_async(dotted), None, False, False)
        case External(dotted):
            return None if dotted.startswith(("builtins.", "typing.")) else Object(dotted)
        case VariableSymbol(module, name):
            for step in analysis.names.assignments(module, name):
                if step.value is not None and not isinstance(step.value, Call):
                    return annotation_value(analysis, module, module.body, step.value)
                if isinstance(step.value, Call) and isinstance(step.value.func, Name | Attr):
                    return (
                        annotation_value(analysis, module, module.body, step.value.args[-1])
                        if step.value.args
                        else None
                    )
    return None


def is_session_class(analysis: Analysis, symbol: ClassSymbol) -> bool:
    dotted = f"{symbol.module.path}:{symbol.cls.qualname}"
    return (
        analysis.names.is_subclass(symbol, sqlalchemy.SESSIONS)
        or symbol.cls.qualname in analysis.settings.sessions
        or dotted in analysis.settings.sessions
    )


def session_base(analysis: Analysis, symbol: ClassSymbol) -> str:
    if analysis.names.is_subclass(symbol, sqlalchemy.ASYNC_SESSIONS):
        return "sqlalchemy.ext.asyncio.AsyncSession"
    return "sqlalchemy.orm.Session"


def is_session_type(analysis: Analysis, value: Value | None) -> str | None:
    """The dotted type, when a value says no more than that it is a session or connection."""
    if isinstance(value, Object) and (
        value.dotted in sqlalchemy.SESSIONS
        or value.dotted in sqlalchemy.CONNECTIONS
        or value.dotted in analysis.settings.sessions
    ):
        return value.dotted
    for option in getattr(value, "options", ()):
        found = is_session_type(analysis, option)
        if found:
            return found
    return None


def injected(value: Value | None) -> Value | None:
    """The value, known to be there if it's what FastAPI gives to whoever asks for it by its type:
    https://fastapi.tiangolo.com/reference/request/"""
    if not isinstance(value, Object):
        return value
    package, _, path = value.dotted.partition(".")
    is_theirs = package in ("fastapi", "starlette") and path.rpartition(".")[2] in INJECTED
    return value._replace(injected=True) if is_theirs else value


def variable(analysis: Analysis, module: Module, name: str) -> Value | None:
    """A module's variable: what its assignments give. A session among them is shared by all who use it."""
    steps = analysis.names.assignments(module, name)
    place = analysis.place(module, -min((step.line for step in steps), default=0))  # made of those further up

    def follow() -> Value | None:
        return _of_registries(either(*(_assigned(analysis, module, name, step) for step in steps)))

    return analysis.memo.recall(("variable", id(module), name), place, follow, lambda: None)


def _of_registries(value: Value | None) -> Value | None:
    """A registry takes the place of the factory that it was made of: `Session = scoped_session(Session)`."""
    found = list(options(value))
    if any(isinstance(part, Factory) and part.shared for part in found):
        return either(*(part for part in found if not isinstance(part, Factory) or part.shared))
    return value


def _assigned(analysis: Analysis, module: Module, name: str, step: Assign) -> Value | None:
    from letgo.lifetime import construction  # a module's variables are made by calls

    value = step.value and construction.evaluate_in(analysis, module, analysis.names.assigner(module, step), step.value)
    if isinstance(value, Factory):
        value = value if value == FLASK_SESSION else value._replace(name=name)
    elif value is None or value == NONE:
        declared = annotation_value(analysis, module, module.body, step.annotation)
        dotted = is_session_type(analysis, declared)
        if isinstance(declared, Object) and declared.dotted == "contextvars.ContextVar":
            return declared._replace(parameters=(*declared.parameters, Text(name)))
        if dotted and value == NONE:
            source = Source(Origin.GLOBAL, name, Site(module.path, step.line, "<module>"))
            return shared_session(analysis, global_key(module, name), dotted, source)
        value = None if dotted else declared
    return share(
        analysis, value, f"{module.path}:{name}", Site(module.path, step.line, "<module>"), Origin.GLOBAL, name
    )


def global_key(module: Module, name: str) -> Key:
    return f"g:{module.path}:{name}"


def shared_session(analysis: Analysis, key: Key, dotted: str, source: Source) -> Session:
    """A session that is declared where all can see it, and given or made elsewhere."""
    analysis.shared.setdefault(key, Traits(source, sqlalchemy.is_async(dotted), None, False, False, True, True))
    return Session(key)


def share(analysis: Analysis, value: Value | None, prefix: str, site: Site, origin: Origin, name: str) -> Value | None:
    """The value with its sessions known to the whole analysis under lasting keys."""

    def lasting(key: Key) -> Key:
        if key in analysis.shared:
            return key
        shared = f"g:{prefix}:{key}"
        analysis.shared.setdefault(shared, Traits(Source(origin, name, site), False, None, False, False, True, True))
        return shared

    return rename(value, lasting)


def is_model(analysis: Analysis, symbol: ClassSymbol) -> bool:
    """Whether a class is mapped to a table."""
    names = analysis.names
    if names.is_subclass(symbol, sqlalchemy.MODEL_BASES) or names.is_subclass(
        symbol, {"sqlalchemy.orm.declarative_base()", "sqlalchemy.ext.declarative.declarative_base()"}
    ):
        return True
    return any(
        field.name in ("__tablename__", "__table__")
        for cls in names.mro(symbol)
        if isinstance(cls, ClassSymbol)
        for field in cls.cls.fields
    )


def field_value(analysis: Analysis, cls: ClassSymbol, name: str) -> Value | None:
    """What a class body says of an attribute, by annotation or by value."""
    place = analysis.place(cls.module, cls.cls.line)
    return analysis.memo.recall(("field", cls, name), place, lambda: _field_value(analysis, cls, name), lambda: None)


def _field_value(analysis: Analysis, cls: ClassSymbol, name: str) -> Value | None:
    found = analysis.names.find_field(cls, name)
    if found is None:
        return None
    owner, field = found
    declared = annotation_value(analysis, owner.module, owner.module.body, field.annotation)
    dotted = is_session_type(analysis, declared)
    if dotted is not None:
        key = attribute_key(owner, name)
        site = Site(owner.module.path, field.line, owner.cls.qualname)
        return shared_session(analysis, key, dotted, Source(Origin.ATTRIBUTE, f"self.{name}", site))
    if declared is not None or field.value is None:
        return declared
    from letgo.lifetime import construction

    value = construction.evaluate_around(analysis, owner.module, owner.cls, field.value)
    if is_enumeration(analysis, owner):
        return value if isinstance(value, Text) else Text(f"{owner.cls.qualname}.{name}")
    if isinstance(value, EXACT):
        return None  # a default, that objects may have replaced
    return share(
        analysis, value, f"{owner.module.path}:{owner.cls.qualname}.{name}",
        Site(owner.module.path, field.line, owner.cls.qualname), Origin.ATTRIBUTE, name,
    )  # fmt: skip


def is_enumeration(analysis: Analysis, cls: ClassSymbol) -> bool:
    """Whether the fields of a class are the members of an `enum.Enum`."""
    return any(isinstance(base, External) and base.dotted.startswith("enum.") for base in analysis.names.mro(cls))


def attribute_key(cls: ClassSymbol, name: str) -> Key:
    """How a session is called that the objects of a class keep, whichever object it is."""
    return f"a:{cls.module.path}:{cls.cls.qualname}.{name}"


def class_attributes(analysis: Analysis, cls: ClassSymbol) -> dict[str, Value]:
    """The attributes that a class's constructor gives its objects, whatever it is given."""
    from letgo.lifetime import construction

    def follow() -> dict[str, Value]:
        for method in cls.cls.methods:
            analysis.consult(cls.module, method)
        return construction.attributes_of_a_new(analysis, cls)

    return analysis.memo.recall(("attributes", cls), analysis.place(cls.module, cls.cls.line), follow, dict)


__all__ = [
    "annotation_value", "class_attributes", "decorator_name", "field_value", "is_model", "is_property",
    "is_session_class", "is_session_type", "manages", "named", "session_base", "share", "symbol_value", "variable",
]  # fmt: skip
