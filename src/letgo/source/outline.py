"""What a file means to the others, as a digest: it stays the same while only the insides of functions change.

All that names and declarations stand for is in it, wherever its lines are. Of the bodies of functions there is what
they do to others: the module's variables that they set, and what they keep on an object's `state`.
"""

import io
import pickle
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from letgo.source import program
from letgo.source.program import Assign, Attr, Block, Function, Module

Reduction = Callable[[Any], tuple[type, tuple[tuple[Any, ...]]]]


def outline(module: Module) -> str:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.fast = True  # without references back, which would tell equal values from identical ones
    pickler.dispatch_table = REDUCTIONS
    pickler.dump((_seen(module.body), module.body.blocks))
    return blake2b(buffer.getbuffer(), digest_size=16).hexdigest()


def without_lines(shape: Any) -> Reduction:
    kept = [place for place, field in enumerate(shape._fields) if field not in ("line", "end_line")]
    name = shape.__name__
    return lambda value: (tuple, ((name, *[value[place] for place in kept]),))


def _seen(function: Function) -> tuple[Any, ...]:
    """All that others can see of a function."""
    names = sorted(function.names) if function.name == "<module>" else ()
    imports = function.imports if function.name == "<module>" else ()
    return (
        function.qualname, function.is_async, function.is_generator, function.params, function.decorators,
        function.returns, function.functions, function.classes, names, imports, sorted(function.globals),
        _effects(function),
    )  # fmt: skip


def _effects(function: Function) -> tuple[Any, ...]:
    if function.globals:
        return function.blocks
    if "state" not in function.mentions:
        return ()
    steps = (step for block in function.blocks for step in block.steps if type(step) is Assign)
    return tuple(step for step in steps if _sets_state(step))


def _sets_state(step: Assign) -> bool:
    match step.target:
        case Attr(Attr(_, "state", _), _, _):
            return True
    return False


REDUCTIONS = {
    shape: without_lines(shape)
    for shape in vars(program).values()
    if isinstance(shape, type) and issubclass(shape, tuple) and hasattr(shape, "_fields")
} | {Function: lambda function: (tuple, (_seen(function),)), Block: lambda block: (tuple, (tuple(block),))}
