"""The convention: a handler commits and closes its session itself. What its own text says of that, paths aside."""

from collections.abc import Iterator
from enum import StrEnum

from letgo.source.program import Attr, Call, Class, Function, Name


class Verdict(StrEnum):
    """How a handler stands to the convention."""

    MISSING_BOTH = "missing-both"
    MISSING_CLOSE = "missing-close"
    MISSING_COMMIT = "missing-commit"
    CORRECT = "correct"
    EXCEPTION = "exception"

    @property
    def is_missing(self) -> bool:
        return self in (Verdict.MISSING_BOTH, Verdict.MISSING_CLOSE, Verdict.MISSING_COMMIT)


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
        if variable not in inner.names:
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
