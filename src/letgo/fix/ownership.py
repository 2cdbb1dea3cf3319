"""Who ends an injected session, and how: what a release in the handler must not do otherwise."""

from collections.abc import Iterator
from enum import Enum

from letgo.lifetime.dependencies import Dependency
from letgo.source.names import FunctionSymbol, Names
from letgo.source.program import Attr, Call, Enter, Function
from letgo.source.walk import calls


class End(Enum):
    """What a dependency does with its session after the handler."""

    COMMITS = "commits"
    CLOSES = "closes"
    UNKNOWN = "unknown"


BLOCKS = frozenset({"begin", "begin_nested", "transaction", "atomic"})
"""Methods whose value is entered and commits when it is left."""


def end_of(names: Names, dependency: Dependency | None) -> End:
    """By the code of the dependency, and of what it gets its session from."""
    callee = dependency.callable if dependency else None
    if not isinstance(callee, FunctionSymbol):
        return End.UNKNOWN
    said = list(_said(names, callee, 3))
    if any(name == "commit" or name in BLOCKS for name in said):
        return End.COMMITS
    return End.CLOSES if callee.function.is_generator else End.UNKNOWN


def _said(names: Names, symbol: FunctionSymbol, depth: int) -> Iterator[str]:
    """The methods called in a dependency, and in the functions of the code base that it calls or depends on."""
    function = symbol.function
    for call in calls(function):
        if isinstance(call.func, Attr):
            yield call.func.name
        callee = names.resolve(symbol.module, call.func, function)
        if isinstance(callee, FunctionSymbol) and depth:
            yield from _said(names, callee, depth - 1)
    yield from _entered(function)


def _entered(function: Function) -> Iterator[str]:
    for block in function.blocks:
        for step in block.steps:
            match step:
                case Enter(value=Call(func=Attr(name=name))):
                    yield name
