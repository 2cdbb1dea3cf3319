"""Whether an annotation, an expression or a callable stands for a database session.

By what code says, in this order of trust: the type it names, what it constructs, what it hands on. Names that only
sound like a session don't count, and neither do the sessions of other libraries.
"""

from collections.abc import Iterator

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

DEPTH = 8
"""How many callables are looked into to find what the outermost gives."""


def is_session_type(names: Names, module: Module, annotation: Expr | None, depth: int = DEPTH) -> bool:
    """Whether `annotation`, seen from the top of `module`, says that a value is a session, or gives one."""
    if depth == 0:
        return False
    match annotation:
        case Name() | Attr():
            return names_session(names, names.resolve(module, annotation), depth)
        case Item(value=Name(id=name) | Attr(name=name), key=Sequence(items=(first, *_))) if name == "Annotated":
            return is_session_type(names, module, first, depth)
        case Item(value=Name(id=name) | Attr(name=name), key=key) if name in GIVERS:
            return is_session_type(names, module, key, depth)
        case Item(value=value):
            return names_session(names, names.resolve(module, value), depth)
        case Group(parts=parts) | Sequence(items=parts):
            return any(is_session_type(names, module, part, depth) for part in parts)
    return False


def names_session(names: Names, symbol: Symbol | None, depth: int = DEPTH) -> bool:
    """Whether `symbol` is a session class, or another name for one."""
    match symbol:
        case External(dotted=dotted):
            return dotted in SESSIONS
        case ClassSymbol():
            return names.is_subclass(symbol, SESSIONS)
        case VariableSymbol(module=module, name=name):
            values = [step.value for step in names.assignments(module, name)]
            return any(is_session_type(names, module, value, depth - 1) for value in values)
    return False


def gives_session(names: Names, symbol: Symbol | None, depth: int = DEPTH) -> bool:
    """Whether calling `symbol` makes, returns or yields a session."""
    if depth == 0:
        return False
    match symbol:
        case FunctionSymbol(module=module, function=function):
            if function.returns and is_session_type(names, module, function.returns):
                return True
            return any(is_session(names, module, function, value, depth) for value in given(function))
        case VariableSymbol(module=module, name=name):
            values = [step.value for step in names.assignments(module, name)]
            return any(makes_sessions(names, module, module.body, value, depth) for value in values)
        case ClassSymbol() | External():
            return names_session(names, symbol)
    return False


def makes_sessions(names: Names, module: Module, function: Function, made: Expr | None, depth: int) -> bool:
    """Whether the value of `made` gives a session when it is called: a factory, or an instance with `__call__`."""
    match made:
        case Call(func=func):
            match names.resolve(module, func, function):
                case External(dotted=dotted):
                    return dotted in MAKERS
                case ClassSymbol() as cls:
                    return gives_session(names, names.find_method(cls, "__call__"), depth - 1)
        case Name() | Attr():
            return gives_session(names, names.resolve(module, made, function), depth - 1)
    return False


def is_session(names: Names, module: Module, function: Function, value: Expr | None, depth: int = DEPTH) -> bool:
    """Whether `value`, in the body of `function`, is a session."""
    if depth == 0:
        return False
    match value:
        case Name(id=name):
            annotations = [param.annotation for param in function.params if param.name == name]
            return any(is_session_type(names, module, annotation) for annotation in annotations) or any(
                is_session(names, module, function, bound, depth - 1) for bound in bindings(function, name)
            )
        case Call(func=func):
            return gives_session(names, names.resolve(module, func, function), depth - 1) or makes_sessions(
                names, module, function, func, depth - 1
            )
        case Await(value=inner) | Bind(value=inner):
            return is_session(names, module, function, inner, depth)
        case Either(options=options):
            return any(is_session(names, module, function, option, depth - 1) for option in options)
    return False


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
