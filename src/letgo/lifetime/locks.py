"""Locks: whoever takes one waits only where another can hold it: one of asyncio across an await, and one that lives
in a function's own variables for the tasks of that call alone, which the function waits for anyway."""

import sys
from collections.abc import Iterator

from letgo.lifetime.analysis import Analysis, receiver_name
from letgo.lifetime.values import Object, Value
from letgo.source.definitions import functions_within
from letgo.source.program import (
    Assign,
    Attr,
    Await,
    Call,
    Enter,
    Expr,
    Function,
    Item,
    Lambda,
    Leave,
    Module,
    Name,
    Next,
    Return,
    StepNode,
    Yield,
)
from letgo.source.walk import parts

OF_THIS_CALL = Object("contextlib.nullcontext")
"""A lock that only the tasks of one call can hold: waiting for it is no more than waiting for them."""

_LOCKS = frozenset(
    f"{library}.{name}"
    for library in ("asyncio", "anyio", "trio", "threading")
    for name in ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "CapacityLimiter")
)
_KEEPING = frozenset({"append", "add", "put", "put_nowait", "insert", "setdefault", "set", "register"})


def as_kept(function: Function, target: Expr, value: Value | None) -> Value | None:
    """The value; or, for a lock that is put into a variable and stays within the call, `OF_THIS_CALL`."""
    if not isinstance(value, Object) or value.dotted not in _LOCKS or not isinstance(target, Name):
        return value
    is_global = function.name == "<module>" or target.id in function.globals
    return value if is_global or _escapes(function, target.id) else OF_THIS_CALL


def _escapes(function: Function, name: str) -> bool:
    """Whether somebody else may be given what the variable holds, or an inner function that uses it: it is returned,
    yielded, or kept in an object."""
    carriers = {name} | {inner.name for inner in function.functions if name in inner.mentions}

    def holds(piece: object) -> bool:
        match piece:
            case Name(used):
                return used in carriers
            case Lambda(place):
                return name in function.functions[place].mentions
            case Await():
                return False
            case Call(_, args, keywords):
                return holds(args) or holds(keywords)
            case tuple():
                return any(map(holds, piece))
        return False

    def gives_away(piece: object) -> bool:
        match piece:
            case Return(value) | Yield(value) | Assign(Attr() | Item(), value):
                return holds(value)
            case Call(Attr(_, method, _), args, _) if method in _KEEPING:
                return any(isinstance(argument, Name) and argument.id in carriers for argument in args)
        return False

    return any(
        gives_away(part)
        for each in (function, *function.functions)
        for block in each.blocks
        for step in block.steps
        for part in parts(step)
    )


def is_contended(analysis: Analysis, module: Module, name: str) -> bool:
    """Whether some `async with` on a lock of this name gives way while it holds the lock, in the module that uses it.

    Awaiting a coroutine of the same module that never gives way itself is none: it runs on at once. Nor is waiting for
    the condition that the lock belongs to, which gives it back meanwhile.
    """

    def look() -> bool:
        functions = tuple(functions_within(module.body))
        for function in functions:
            analysis.consult(module, function)
        return any(
            _gives_way(step, functions, frozenset({f"{name}.wait", f"{name}.wait_for"}))
            for function in functions
            if name in function.mentions
            for step in _steps_under(function, name)
        )

    last = analysis.place(module, sys.maxsize)  # it leads to nothing else
    return analysis.memo.recall(("contended", id(module), name), last, look, lambda: True)


def _steps_under(function: Function, name: str) -> Iterator[StepNode]:
    for number, block in enumerate(function.blocks):
        for index, step in enumerate(block.steps):
            if isinstance(step, Enter) and receiver_name(step.value) == name:
                yield from _body(function, number, index, step.key)


def _body(function: Function, number: int, index: int, key: int) -> Iterator[StepNode]:
    """The steps between a block's entry and its end, on any way but that of an exception."""
    pending, seen = [(number, index + 1)], {number}
    while pending:
        number, index = pending.pop()
        block = function.blocks[number]
        for step in block.steps[index:]:
            if isinstance(step, Leave) and step.key == key:
                break
            yield step
        else:
            pending += [(end, 0) for end in block.successors if end not in seen]
            seen.update(block.successors)


def _gives_way(step: StepNode, known: tuple[Function, ...], passed: frozenset[str]) -> bool:
    if isinstance(step, Yield) or (isinstance(step, Enter | Next) and step.is_async):
        return True
    return any(isinstance(part, Await) and not _runs_on(part, known, passed) for part in parts(step))


def _runs_on(awaited: Await, known: tuple[Function, ...], passed: frozenset[str]) -> bool:
    """Whether what is awaited is a coroutine, by its name in the module, that never gives way, or in `passed`."""
    func = awaited.value.func if isinstance(awaited.value, Call) else None
    name = receiver_name(func)
    if isinstance(func, Attr) and f"{receiver_name(func.value)}.{name}" in passed:
        return True
    called = [function for function in known if function.name == name and function.is_async]
    return name in passed or (
        bool(called)
        and not any(
            _gives_way(step, known, passed | {name})
            for function in called
            for block in function.blocks
            for step in block.steps
        )
    )
