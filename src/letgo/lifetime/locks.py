"""Locks of asyncio: whoever takes one waits only where another task can hold it, which is across an await."""

from collections.abc import Iterator

from letgo.lifetime.analysis import Analysis, receiver_name
from letgo.source.definitions import with_nested
from letgo.source.program import Await, Enter, Function, Leave, Module, Next, StepNode, Yield


def is_contended(analysis: Analysis, module: Module, name: str) -> bool:
    """Whether some `async with` on a lock of this name awaits while it holds the lock, in the module that uses it."""

    def look() -> bool:
        analysis.memo.consult(module.path)
        return any(_awaits_under(function, name) for function in _functions(module.body))

    return analysis.memo.recall(("contended", id(module), name), look, lambda: True)


def _functions(body: Function) -> Iterator[Function]:
    yield body
    for inner in (*body.functions, *(method for cls in with_nested(body.classes) for method in cls.methods)):
        yield from _functions(inner)


def _awaits_under(function: Function, name: str) -> bool:
    if name not in function.mentions:
        return False
    return any(
        any(_awaits(inner) for inner in _body(function, number, index, step.key))
        for number, block in enumerate(function.blocks)
        for index, step in enumerate(block.steps)
        if isinstance(step, Enter) and receiver_name(step.value) == name
    )


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


def _awaits(step: StepNode) -> bool:
    if isinstance(step, Yield) or (isinstance(step, Enter | Next) and step.is_async):
        return True
    pending: list[object] = [step]
    while pending:
        current = pending.pop()
        if isinstance(current, Await):
            return True
        if isinstance(current, tuple):
            pending.extend(current)
    return False
