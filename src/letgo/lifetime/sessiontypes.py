"""Whether an annotation, an expression or a callable stands for a database session.

By what code says, in this order of trust: the type it names, what it constructs, what it hands on. Names that only
sound like a session don't count, and neither do the sessions of other libraries.
"""

from collections.abc import Iterator
from typing import TypeAlias

from letgo.lifetime.dependencies import Dependency, dependencies_of
from letgo.lifetime.sqlalchemy import FACTORIES, REGISTRIES, SESSIONS
from letgo.source.names import ClassSymbol, External, FunctionSymbol, Names, Symbol, VariableSymbol
from letgo.source.program import (
    Assign,
    Attr,
    Await,
    Bind,
    Call,
    Either,
    Enter,
    Expr,
    Function,
    Group,
    Item,
    Module,
    Name,
    Next,
    Return,
    Sequence,
    Yield,
)

MAKERS = FACTORIES | REGISTRIES

GIVERS = frozenset(
    {
        "Optional",
        "Union",
        "Awaitable",
        "Coroutine",
        "Generator",
        "AsyncGenerator",
        "Iterator",
        "AsyncIterator",
        "Iterable",
        "AsyncIterable",
        "ContextManager",
        "AsyncContextManager",
        "AbstractContextManager",
        "AbstractAsyncContextManager",
    }
)
"""Generic types whose value, once injected, entered or awaited, is one of their arguments."""

Seen: TypeAlias = set[tuple[object, ...]]
"""What was looked at on the way to one answer: code may go round in circles, and a second look finds nothing new."""


def is_session_type(names: Names, module: Module, annotation: Expr | None) -> bool:
    """Whether `annotation`, seen from the top of `module`, says that a value is a session, or gives one."""
    return types_session(names, module, annotation, set())


def is_session_given(names: Names, dependency: Dependency) -> bool:
    """Whether what `dependency` injects is a session, by what its callable gives."""
    return injects_session(names, dependency, set())


def types_session(names: Names, module: Module, annotation: Expr | None, seen: Seen) -> bool:
    match annotation:
        case Name() | Attr():
            return names_session(names, names.resolve(module, annotation), seen)
        case Item(value=Name(id=name) | Attr(name=name), key=Sequence(items=(first, *_))) if name == "Annotated":
            return types_session(names, module, first, seen)
        case Item(value=Name(id=name) | Attr(name=name), key=key) if name in GIVERS:
            return types_session(names, module, key, seen)
        case Item(value=value):
            return names_session(names, names.resolve(module, value), seen)
        case Group(parts=parts) | Sequence(items=parts):
            return any(types_session(names, module, part, seen) for part in parts)
    return False


def names_session(names: Names, symbol: Symbol | None, seen: Seen) -> bool:
    """Whether `symbol` is a session class, or another name for one."""
    match symbol:
        case External(dotted=dotted):
            return dotted in SESSIONS
        case ClassSymbol():
            return names.is_subclass(symbol, SESSIONS)
        case VariableSymbol(module=module, name=name) if is_new(seen, "type", id(module), name):
            return any(types_session(names, module, step.value, seen) for step in names.assignments(module, name))
    return False


def injects_session(names: Names, dependency: Dependency, seen: Seen) -> bool:
    if dependency.callable is not None:
        return gives_session(names, dependency.callable, seen)
    called = Call(dependency.expr, (), (), dependency.line)
    return is_session(names, dependency.module, dependency.function or dependency.module.body, called, seen)


def gives_session(names: Names, symbol: Symbol | None, seen: Seen) -> bool:
    """Whether calling `symbol` makes, returns or yields a session."""
    match symbol:
        case FunctionSymbol(module=module, function=function) if is_new(seen, "function", id(function)):
            return is_session_type(names, module, function.returns) or any(
                is_session(names, module, function, value, seen) for value in given(function)
            )
        case VariableSymbol(module=module, name=name) if is_new(seen, "variable", id(module), name):
            assigned = names.assignments(module, name)
            return any(makes_sessions(names, module, module.body, step.value, seen) for step in assigned)
        case ClassSymbol() | External():
            return names_session(names, symbol, seen)
    return False


def makes_sessions(names: Names, module: Module, function: Function, made: Expr | None, seen: Seen) -> bool:
    """Whether the value of `made` gives a session when it is called: a factory, or an instance with `__call__`."""
    match made:
        case Call(func=func):
            match names.resolve(module, func, function):
                case External(dotted=dotted):
                    return dotted in MAKERS
                case ClassSymbol() as cls:
                    return gives_session(names, names.find_method(cls, "__call__"), seen)
        case Name(id=name) if is_new(seen, "maker", id(function), name):
            return gives_session(names, names.resolve(module, made, function), seen) or any(
                makes_sessions(names, module, function, bound, seen) for bound in bindings(function, name)
            )
        case Attr():
            return gives_session(names, names.resolve(module, made, function), seen)
    return False


def is_session(names: Names, module: Module, function: Function, value: Expr | None, seen: Seen) -> bool:
    """Whether `value`, in the body of `function`, is a session."""
    match value:
        case Name(id=name) if is_new(seen, "local", id(function), name):
            return is_session_parameter(names, module, function, name, seen) or any(
                is_session(names, module, function, bound, seen) for bound in bindings(function, name)
            )
        case Call(func=func):
            symbol = names.resolve(module, func, function)
            return gives_session(names, symbol, seen) or makes_sessions(names, module, function, func, seen)
        case Await(value=inner) | Bind(value=inner):
            return is_session(names, module, function, inner, seen)
        case Either(options=options):
            return any(is_session(names, module, function, option, seen) for option in options)
    return False


def is_session_parameter(names: Names, module: Module, function: Function, name: str, seen: Seen) -> bool:
    if any(is_session_type(names, module, param.annotation) for param in function.params if param.name == name):
        return True
    injected = dependencies_of(names, module, function)
    return any(injects_session(names, dependency, seen) for param, dependency in injected if param.name == name)


def is_new(seen: Seen, *key: object) -> bool:
    """Whether `key` is met for the first time; it is noted."""
    if key in seen:
        return False
    seen.add(key)
    return True


def given(function: Function) -> Iterator[Expr]:
    """What a function returns, or what its generator yields."""
    for block in function.blocks:
        for step in block.steps:
            match step:
                case Yield(value=value) | Return(value=value) if value is not None:
                    yield value


def bindings(function: Function, name: str) -> Iterator[Expr]:
    """What is bound to a local `name`: assigned to it, entered as it, looped over with it."""
    for block in function.blocks:
        for step in block.steps:
            match step:
                case Assign(target=Name(id=bound), value=value) if bound == name and value is not None:
                    yield value
                case Enter(target=Name(id=bound), value=value) if bound == name:
                    yield value
                case Next(target=Name(id=bound), iterable=value) if bound == name:
                    yield value
