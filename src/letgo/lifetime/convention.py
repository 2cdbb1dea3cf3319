"""What a handler's own text says of the session it was given: is it used, committed, closed, and what becomes of it."""

from collections.abc import Iterator

from letgo.lifetime.census import Category, Verdict
from letgo.source.program import Attr, Call, Class, Function, Name, Return

TEMPLATES = frozenset({"TemplateResponse"})
STREAMS = frozenset({"StreamingResponse", "EventSourceResponse", "FileResponse"})
REDIRECTS = frozenset({"RedirectResponse"})
"""Response classes of Starlette, and of sse-starlette, by what is still to be done once the handler makes one."""


def judge(function: Function, parameter: str) -> Verdict:
    """Whether `function` calls `commit` and `close` on `parameter`, anywhere in it and in the functions inside it."""
    match (bool(calls_of(function, parameter, "commit")), bool(calls_of(function, parameter, "close"))):
        case (True, True):
            return Verdict.CORRECT
        case (True, False):
            return Verdict.MISSING_CLOSE
        case (False, True):
            return Verdict.MISSING_COMMIT
        case _:
            return Verdict.MISSING_BOTH


def calls_of(function: Function, parameter: str, method: str) -> tuple[int, ...]:
    """The lines of `parameter.method(...)`."""
    lines = set()
    for node in parts_seeing(function, parameter):
        match node:
            case Call(func=Attr(value=Name(id=name), name=called), line=line) if (name, called) == (parameter, method):
                lines.add(line)
    return tuple(sorted(lines))


def is_used(function: Function, parameter: str) -> bool:
    """Whether the body names `parameter` at all."""
    return any(isinstance(node, Name) and node.id == parameter for node in parts_seeing(function, parameter))


def categories_by_shape(function: Function) -> tuple[Category, ...]:
    """What a session that stays open would wait on, read from the responses the handler makes and its returns."""
    calls = {callee(node) for node in parts(function) if isinstance(node, Call)}
    returns = {step.line for block in function.blocks for step in block.steps if isinstance(step, Return)}
    found = {
        Category.RENDER: bool(calls & TEMPLATES),
        Category.STREAM: bool(calls & STREAMS) or function.is_generator,
        Category.BRANCH: bool(calls & REDIRECTS) or len(returns) > 1,
    }
    shaped = tuple(category for category, there in found.items() if there)
    return shaped or (Category.SERIALISE,)


def callee(call: Call) -> str:
    """The last name of what is called."""
    match call.func:
        case Name(id=name) | Attr(name=name):
            return name
        case _:
            return ""


def parts(function: Function) -> Iterator[tuple[object, ...]]:
    """Every step and expression of a function's own body."""
    for block in function.blocks:
        for step in block.steps:
            yield from within(step)


def parts_seeing(function: Function, variable: str) -> Iterator[tuple[object, ...]]:
    """The parts of `function`, and of the functions in it that don't bind `variable` themselves."""
    yield from parts(function)
    for inner in inner_functions(function):
        yield from within((inner.params, inner.decorators))
        if variable not in inner.names and all(param.name != variable for param in inner.params):
            yield from parts_seeing(inner, variable)


def inner_functions(scope: Function | Class) -> Iterator[Function]:
    """The functions and methods directly inside, those of inner classes included."""
    yield from scope.functions if isinstance(scope, Function) else scope.methods
    for inner in scope.classes:
        yield from inner_functions(inner)


def within(value: object) -> Iterator[tuple[object, ...]]:
    """`value` and all values inside it; the program's nodes are tuples."""
    if isinstance(value, tuple):
        yield value
        for part in value:
            yield from within(part)
