"""Locks of asyncio: whoever takes one waits only where another task can hold it, which is across an await."""

import sys
from collections.abc import Iterator

from letgo.lifetime.analysis import Analysis, receiver_name
from letgo.source.definitions import functions_within
from letgo.source.program import Attr, Await, Call, Enter, Function, Leave, Module, Next, StepNode, Yield
from letgo.source.walk import parts


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
