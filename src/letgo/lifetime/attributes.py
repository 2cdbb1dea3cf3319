"""Reading attributes, items and the items of a loop."""

from letgo.lifetime import appstate, calls, construction, objects, sqlalchemy
from letgo.lifetime.analysis import Analysis, Frame
from letgo.lifetime.effects import arm, read_row
from letgo.lifetime.values import (
    FLASK_SESSION,
    MOST_ALTERNATIVES,
    AnyOf,
    ClassValue,
    Factory,
    FunctionValue,
    Instance,
    Key,
    Lazy,
    Many,
    Method,
    ModuleValue,
    Object,
    Outside,
    Query,
    Record,
    Result,
    Row,
    Session,
    Together,
    Transaction,
    Value,
    doubted,
    either,
    rename,
    unsettled,
)
from letgo.lifetime.world import Chain, World
from letgo.source.names import ClassSymbol, FunctionSymbol, ModuleSymbol
from letgo.source.program import Attr, Call, Const, Dict, Name, Raise, Return
from letgo.source.walk import assigned_to_attribute

TYPE_PARAMETERS = {
    "strawberry.Info.context": 0,
    "strawberry.types.Info.context": 0,
    "strawberry.types.info.Info.context": 0,
    "pydantic_ai.RunContext.deps": 0,
    "pydantic_ai.tools.RunContext.deps": 0,
    "langgraph.runtime.Runtime.context": 0,
}
"""Attributes that have the type given as a parameter of their object's generic type, and which parameter."""


def attribute(
    frame: Frame, world: World, value: Value | None, name: str, line: int, expr: Attr | None = None
) -> Value | None:
    """`value.name`, read. Reading an expired row's attribute is a query. `expr` is what reads it, where code does."""
    match value:
        case None:
            return None
        case Instance():
            return instance_attribute(frame, world, value, name, line, expr)
        case Row():
            return row_attribute(frame, world, value, name, line)
        case Object(dotted) | Outside(dotted):
            return external_attribute(frame, value, dotted, name)
        case ModuleValue(module):
            names = frame.analysis.names
            return objects.symbol_value(frame.analysis, names.member(ModuleSymbol(module), name))
        case ClassValue(symbol):
            return class_attribute(frame, world, symbol, name, line)
        case Session():
            return value if name in ("sync_session", "session") else Method(value.key, name)
        case Query(key) if name in sqlalchemy.QUERY_TERMINALS:
            return Method(key, name, value)
        case Factory(shared=True):
            return construction.shared_session(frame, world, value) if name in ("registry",) else None
        case AnyOf(parts):
            return either(*(attribute(frame, world, part, name, line) for part in parts))
    return None


def external_attribute(frame: Frame, value: Object | Outside, dotted: str, name: str) -> Value | None:
    full = f"{dotted}.{name}"
    if appstate.is_state(dotted):
        return appstate.kept(frame.analysis, name)
    if dotted in sqlalchemy.FLASK_EXTENSIONS:
        if name == "session":
            return FLASK_SESSION
        return Outside(f"{dotted}.{name}")
    if full in TYPE_PARAMETERS and isinstance(value, Object) and value.parameters:
        return value.parameters[TYPE_PARAMETERS[full]]
    if full in sqlalchemy.SESSIONS or isinstance(value, Outside):
        return Outside(full)
    return Object(full)


def class_attribute(frame: Frame, world: World, symbol: ClassSymbol, name: str, line: int) -> Value | None:
    analysis = frame.analysis
    method = analysis.names.find_method(symbol, name)
    if method is not None:
        return bound_method(frame, ClassValue(symbol), method)
    if name == "query" and objects.is_model(analysis, symbol):
        return construction.model_query(frame, world, symbol)
    field = objects.field_value(analysis, symbol, name)
    if field is not None:
        return field
    member = analysis.names.member(symbol, name)
    if member is not None:
        return objects.symbol_value(analysis, member)
    return _metaclass_attribute(frame, world, symbol, name, line)


def _metaclass_attribute(frame: Frame, world: World, symbol: ClassSymbol, name: str, line: int) -> Value | None:
    """What a class's own class says of it: https://docs.python.org/3/reference/datamodel.html#metaclasses"""
    names = frame.analysis.names
    for cls in names.mro(symbol):
        maker = dict(cls.cls.keywords).get("metaclass") if isinstance(cls, ClassSymbol) else None
        if isinstance(cls, ClassSymbol) and maker is not None:
            metaclass = names.resolve(cls.module, maker, names.enclosing(cls.module, cls.cls))
            method = names.find_method(metaclass, name) if isinstance(metaclass, ClassSymbol) else None
            if method is not None and objects.is_property(frame.analysis, method):
                return _property(frame, world, ClassValue(symbol), method, line)
            if method is not None:
                return FunctionValue(method, ClassValue(symbol), (), objects.manages(frame.analysis, method))
    return None


def _property(
    frame: Frame, world: World, receiver: Value, method: FunctionSymbol, line: int, expr: Attr | None = None
) -> Value | None:
    """What a property gives: its method runs."""
    function = FunctionValue(method, receiver, (), False)
    return calls.invoke(frame, world, function, calls.NO_ARGUMENTS, line, receiver_expr=expr)


def instance_attribute(
    frame: Frame, world: World, value: Instance, name: str, line: int, expr: Attr | None = None
) -> Value | None:
    """From what its construction gave, its class, its class's constructor, or its subclasses."""
    for known, held in value.attributes:
        if known == name:
            return held
    analysis = frame.analysis
    method = analysis.names.find_method(value.cls, name)
    if method is not None:
        if objects.is_property(analysis, method):
            return _property(frame, world, value, method, line, expr)
        if is_abstract(analysis, method):
            return implementations(frame, value, method) or bound_method(frame, value, method)
        return bound_method(frame, value, method)
    found = objects.class_attributes(analysis, value.cls).get(name)
    if found is not None and not _declares_more(found):
        return _of_this_object(value, found) if value.attributes else found
    return objects.field_value(analysis, value.cls, name) or found or _from_subclasses(frame, world, value, name, line)


def _of_this_object(value: Instance, found: Value) -> Value | None:
    """What the class's objects have, with the sessions that this one is known to hold."""
    held = dict(value.attributes)
    prefix = objects.attribute_key(value.cls, "")

    def own(key: Key) -> Key:
        mine = held.get(key.removeprefix(prefix)) if key.startswith(prefix) else None
        return mine.key if isinstance(mine, Session) else key

    return rename(found, own)


def is_abstract(analysis: Analysis, method: FunctionSymbol) -> bool:
    """Whether a method only says what subclasses do: it is declared so, empty, or raises NotImplementedError."""
    function = method.function
    analysis.consult(method.module, function)
    for decorator in function.decorators:
        if isinstance(decorator, Name | Attr) and "abstract" in (
            getattr(decorator, "id", "") or getattr(decorator, "name", "")
        ):
            return True
    return not any(
        not (isinstance(step, Raise) and "NotImplementedError" in function.mentions)
        and not (isinstance(step, Return) and step.value is None)
        for block in function.blocks
        for step in block.steps
    )


def implementations(frame: Frame, value: Instance, method: FunctionSymbol) -> Value | None:
    """The methods of subclasses that an abstract one stands for; of a protocol, those of the same name elsewhere."""
    names = frame.analysis.names
    found: list[Value] = []
    for subclass in names.subclasses(value.cls):
        own = names.find_method(subclass, method.function.name)
        if own is not None and own is not method and not is_abstract(frame.analysis, own):
            bound = bound_method(frame, Instance(own.owner or subclass, value.attributes), own)
            if bound not in found:
                found.append(bound)
    if not found and names.is_subclass(value.cls, {"typing.Protocol", "typing_extensions.Protocol"}):
        others = [other for other in names.methods_named(method.function.name) if other is not method]
        if len(others) <= 4:
            found = [bound_method(frame, Instance(o.owner, ()), o) for o in others if o.owner is not None]
    return either(*found)


def _declares_more(value: Value) -> bool:
    return getattr(value, "value", 0) is None


def _from_subclasses(frame: Frame, world: World, value: Instance, name: str, line: int) -> Value | None:
    """What subclasses give an attribute that the class itself gives nothing, or only None, for them to fill."""
    analysis = frame.analysis
    constructor = analysis.names.find_method(value.cls, "__init__")
    if constructor is not None:
        analysis.consult(constructor.module, constructor.function)
        if any(given != Const(None) for given in assigned_to_attribute(constructor.function, name)):
            return None
    found: list[Value | None] = []
    for subclass in analysis.names.subclasses(value.cls)[:6]:
        method = analysis.names.find_method(subclass, name)
        if method is not None and not objects.is_property(analysis, method):
            found.append(bound_method(frame, Instance(subclass, value.attributes), method))
        else:
            found.append(objects.class_attributes(analysis, subclass).get(name))
    return either(*found)


def bound_method(frame: Frame, receiver: Value, method: FunctionSymbol) -> Value:
    kind = ""
    for decorator in method.function.decorators:
        name = getattr(decorator, "id", "")
        if name in ("staticmethod", "classmethod"):
            kind = name
    manages = objects.manages(frame.analysis, method)
    if kind == "staticmethod" or (isinstance(receiver, ClassValue) and kind != "classmethod"):
        return FunctionValue(method, None, (), manages)
    if kind == "classmethod" and not isinstance(receiver, ClassValue):
        assert isinstance(receiver, Instance | Row)
        cls = receiver.cls if isinstance(receiver, Instance) else receiver.model
        return FunctionValue(method, ClassValue(cls) if cls else None, (), manages)
    return FunctionValue(method, receiver, (), manages)


def row_attribute(frame: Frame, world: World, value: Row, name: str, line: int) -> Value | None:
    """A column or relationship of an ORM object, or a method or property of its class."""
    if value.model is not None:
        method = frame.analysis.names.find_method(value.model, name)
        if method is not None:
            if objects.is_property(frame.analysis, method):
                return _property(frame, world, value, method, line)
            return bound_method(frame, value, method)
    read_row(frame, world, value, name, line, lazy=_is_lazy(frame, value, name))
    return None


def _is_lazy(frame: Frame, value: Row, name: str) -> bool:
    """Whether the attribute is a relationship, or a deferred column, that is loaded when it is first read."""
    if value.model is None or value.loads:
        return False
    found = frame.analysis.names.find_field(value.model, name)
    match found[1].value if found else None:
        case Call(Name(maker) | Attr(_, maker, _), _, keywords, _) if maker.lower() == "relationship":
            given = dict(keywords)
            through = given.get("sa_relationship_kwargs", Dict((), ()))  # SQLModel's way to say it
            return isinstance(through, Dict) and all(
                how == Const("select")
                for key, how in [(Const("lazy"), given.get("lazy", Const("select"))), *zip(*through, strict=True)]
                if key == Const("lazy")
            )
        case Call(Name(maker) | Attr(_, maker, _), _, keywords, _):
            return maker == "deferred" or dict(keywords).get("deferred") == Const(True)
    return False


def item_of(value: Value | None, key: str | int | None) -> Value | None:
    """`value[key]`; where the key is not known (None), any of the values that there are."""
    match value:
        case Record(items) if key is None and len(items) > MOST_ALTERNATIVES:
            return None  # those that `either` keeps would be no answer
        case Record(items) if key is None:
            found = unsettled(either(*(item for _, item in items)))
            return doubted(found) if len(items) > 1 else found
        case Record(items):
            for known, item in items:
                if known == key and type(known) is type(key):
                    return item
            return None
        case Many(item):
            return item
        case Result(session, _):
            return Row(session, None)
        case AnyOf(parts):
            return either(*(item_of(part, key) for part in parts))
    return None


def iterate(frame: Frame, world: World, value: Value | None, line: int) -> Value | None:
    """The next item of an iterable. A query runs; a generator's body runs; of a lazy call the body runs."""
    match value:
        case Many(item):
            return item
        case Result():
            return Row(*value)
        case Query(key):
            arm(frame, world, key, Chain(frame.at(line), (), frame.traits_of(key).certain))
            frame.touched = True
            return Row(*value)
        case Lazy(_, _, "generator"):
            return calls.drain(frame, world, value, line)
        case Together(parts):
            return either(*parts)
        case Record(items):
            return None if value.is_dict else either(*(item for _, item in items))
        case Instance(cls, _):
            for name in ("__aiter__", "__iter__"):
                method = frame.analysis.names.find_method(cls, name)
                if method is not None:
                    given = calls.invoke(
                        frame, world, FunctionValue(method, value, (), False), calls.NO_ARGUMENTS, line
                    )
                    return calls.drain(frame, world, given, line) if isinstance(given, Lazy) else None
            return None
        case AnyOf(parts):
            return either(*(iterate(frame, world, part, line) for part in parts))
        case Object(dotted):
            kind = frame.analysis.waits.wait_of(f"{dotted}.__iter__")
            if kind is not None:
                calls.external_wait(frame, world, kind, dotted, line)
            return None
        case Transaction():
            return None
    return None
