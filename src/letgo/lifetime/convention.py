"""The convention: a handler commits and closes its session itself. What its own text says of that, paths aside."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

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


class Uses(NamedTuple):
    """What a function does with its session: whether it names it at all, and the lines where it ends its work."""

    named: bool
    commits: tuple[int, ...]
    closes: tuple[int, ...]


def uses_of(function: Function, parameter: str) -> Uses:
    """The uses of `parameter` anywhere in `function` and in the functions inside it, on whatever path."""
    named = False
    lines: dict[str, set[int]] = {"commit": set(), "close": set()}
    for node in nodes_seeing(function, parameter):
        match node:
            case Name(id=name) if name == parameter:
                named = True
            case Call(func=Attr(value=Name(id=name), name=method), line=line) if name == parameter and method in lines:
                lines[method].add(line)
    return Uses(named, tuple(sorted(lines["commit"])), tuple(sorted(lines["close"])))


def judge(uses: Uses) -> Verdict:
    match (bool(uses.commits), bool(uses.closes)):
        case (True, True):
            return Verdict.CORRECT
        case (True, False):
            return Verdict.MISSING_CLOSE
        case (False, True):
            return Verdict.MISSING_COMMIT
        case _:
            return Verdict.MISSING_BOTH


def nodes_seeing(function: Function, variable: str) -> Iterator[tuple[object, ...]]:
    """The names and calls of `function`, and of the functions in it that don't bind `variable` themselves."""
    pending: list[tuple[object, ...]] = [function.blocks]
    for inner in inner_functions(function):
        pending += (inner.params, inner.decorators)
        if variable in inner.mentions and variable not in inner.names:
            yield from nodes_seeing(inner, variable)
    while pending:
        current = pending.pop()
        if type(current) is Name or type(current) is Call:
            yield current
        pending.extend(part for part in current if isinstance(part, tuple))


def inner_functions(scope: Function | Class) -> Iterator[Function]:
    """The functions and methods directly inside, those of inner classes included."""
    yield from scope.functions if isinstance(scope, Function) else scope.methods
    for inner in scope.classes:
        yield from inner_functions(inner)
