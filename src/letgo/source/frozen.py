"""Modules as bytes and back: for the cache, and on the way from one process to another.

The bytes are a pickle of plain tuples and the types of `letgo.source.program`, and what reads them knows nothing else:
a cache may have come with somebody else's checkout, and what this can make of it is data, never a call into other code
(https://docs.python.org/3/library/pickle.html#restricting-globals). `marshal` takes half the time, but is documented as
unsafe against such bytes. The blocks of a function are a pickle of their own, read when they are first looked at: most
functions have nothing to do with a session, and with their blocks a code base takes three times as long to read.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from letgo.source import program
from letgo.source.errors import UserError
from letgo.source.program import Block, Function, Module

SHAPES = {
    name: value
    for name, value in vars(program).items()
    if isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields")
}
"""The named tuples of a program, by name."""

BLOCKS = Function._fields.index("blocks")


class FrozenFunction(Function):
    """A function whose item `BLOCKS` holds bytes, which its attribute `blocks` gives as what they mean."""

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        frozen: Any = self[BLOCKS]
        try:
            blocks: tuple[Block, ...] = Thaw(io.BytesIO(frozen)).load()
        except Exception as error:
            raise UserError(f"the cache holds what letgo did not write ({error})", "Delete .letgo_cache.") from error
        return blocks

    def __eq__(self, other: object) -> bool:
        """Equal to the function that was frozen."""
        return isinstance(other, Function) and _in_full(self) == _in_full(other)

    __hash__ = None  # type: ignore[assignment]


def _in_full(function: Function) -> tuple[Any, ...]:
    return (*function[:BLOCKS], function.blocks, *function[BLOCKS + 1 :])


Reduction = Callable[[Any], tuple[type, tuple[tuple[Any, ...]]]]


def freeze(module: Module) -> bytes:
    """`module` as `thaw` reads it. Raises RecursionError when it is nested too deeply."""
    return pickled(module, WITH_FROZEN_BLOCKS)


def thaw(frozen: bytes | memoryview) -> Module | None:
    """The module in what `freeze` gave; None when there is none in it."""
    try:
        module = Thaw(io.BytesIO(frozen)).load()
    except Exception:  # what damaged or hostile bytes lead to is not limited to a few types
        return None
    return module if isinstance(module, Module) else None


def pickled(value: object, reductions: Mapping[type, Reduction]) -> bytes:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.dispatch_table = reductions
    pickler.dump(value)
    return buffer.getvalue()


def plain(shape: type) -> Reduction:
    """As the type and a plain tuple, in half the time that `pickle` takes for a named tuple by itself."""
    return lambda value: (shape, (tuple(value),))


def with_frozen_blocks(function: Function) -> tuple[type, tuple[tuple[Any, ...]]]:
    blocks = pickled(function.blocks, PLAIN)
    return Function, ((*function[:BLOCKS], blocks, *function[BLOCKS + 1 :]),)


PLAIN: Mapping[type, Reduction] = {shape: plain(shape) for shape in SHAPES.values()}
WITH_FROZEN_BLOCKS = {**PLAIN, Function: with_frozen_blocks, FrozenFunction: with_frozen_blocks}


class Thaw(pickle.Unpickler):
    """Reads what `pickled` wrote, and refuses the name of anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module == program.__name__ and name in SHAPES:
            return partial(tuple.__new__, FrozenFunction if name == "Function" else SHAPES[name])
        if (module, name) == ("builtins", "frozenset"):
            return frozenset
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a module")
