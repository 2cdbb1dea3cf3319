"""What a file means to the others, as a digest: it stays the same while only the insides of functions change.

All that names and declarations stand for is in it, wherever its lines are. Of the bodies of functions there is what
they do to others: the module's variables that they set, what they keep on an object's `state`, and the functions that
they make. Beside it an outline says of two versions of a file with one digest which bodies differ, and where each line
has gone.
"""

import io
import json
import pickle
from collections.abc import Collection, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from letgo.source import program
from letgo.source.definitions import with_nested
from letgo.source.program import (
    Assign,
    Attr,
    Block,
    Call,
    Either,
    Expr,
    Function,
    Item,
    Lambda,
    Module,
    Name,
    Return,
    Sequence,
    StepNode,
)

DEPENDS = frozenset({"Depends", "Security"})
"""What FastAPI calls the making of a dependency."""


class Outline(NamedTuple):
    """`details` are what `details_of` reads: nobody needs them while the file stays as it is."""

    digest: str
    details: bytes


class Details(NamedTuple):
    """`lines` are those of all that is in the digest, in its order; `bodies` the digests of the functions' texts."""

    lines: tuple[int, ...]
    bodies: Mapping[str, str]


def outline(module: Module, text: str) -> Outline:
    lines: list[int] = []
    digest = _digest((_seen(module.body), module.body.blocks), lines)
    source = text.split("\n")
    bodies: dict[str, str] = {}
    for function in _outermost(module.body):
        body = "\n".join(source[function.line - 1 : function.end_line])
        bodies[function.qualname] = bodies.get(function.qualname, "") + _hex(body.encode())
    return Outline(digest, json.dumps([lines, bodies]).encode())


def details_of(outline: Outline) -> Details:
    """Raises ValueError for what `outline` did not write."""
    lines, bodies = json.loads(outline.details)
    return Details(tuple(lines), bodies)


def digest_of(value: object) -> str:
    """Of any piece of a program, wherever its lines are."""
    return _digest(value, [])


def _outermost(body: Function) -> Iterator[Function]:
    yield from body.functions
    for cls in with_nested(body.classes):
        yield from cls.methods


def _digest(value: object, lines: list[int]) -> str:
    buffer = io.BytesIO()
    pickler = _WithoutLines(buffer, lines)
    pickler.dump(value)
    return _hex(buffer.getbuffer())


def _hex(content: bytes | memoryview) -> str:
    return blake2b(content, digest_size=16).hexdigest()


class _WithoutLines(pickle.Pickler):
    """Writes pieces of a program as plain tuples, and puts their lines aside."""

    def __init__(self, file: io.BytesIO, lines: list[int]) -> None:
        super().__init__(file, protocol=5)
        self.fast = True  # without references back, which would tell equal values from identical ones
        self.lines = lines

    def reducer_override(self, value: Any) -> Any:
        shape = Function if isinstance(value, Function) else type(value)  # one that was thawed is one, too
        kept = KEPT.get(shape)
        if kept is None:
            if shape is Block:
                return tuple, (tuple(value),)
            return NotImplemented
        if "line" in shape._fields:
            self.lines.append(value.line)
        if shape is Function:
            return tuple, (_seen(value),)
        return tuple, ((shape.__name__, *[value[place] for place in kept]),)


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
    if function.globals or _speaks_of_dependencies(function):
        return function.blocks
    steps = _steps(function) if "state" in function.mentions else ()
    return (*_handed_out(function), *(step for step in steps if type(step) is Assign and _sets_state(step)))


def _steps(function: Function) -> list[StepNode]:
    return [step for block in function.blocks for step in block.steps]


def _speaks_of_dependencies(function: Function) -> bool:
    """Whether its body does so, not only its parameters."""
    return not DEPENDS.isdisjoint(function.mentions) and not DEPENDS.isdisjoint(_names(function.blocks))


def _handed_out(function: Function) -> Iterator[Return]:
    """The returns that may give away a function made here: others may depend on it."""
    made = {inner.name for inner in function.functions}
    for step in _steps(function) if made else ():
        if type(step) is Assign and type(step.target) is Name and _is_made(step.value, made):
            made.add(step.target.id)
        elif type(step) is Return and _is_made(step.value, made):
            yield step


def _is_made(value: Expr | None, made: Collection[str]) -> bool:
    """Whether a value is one of these functions or a lambda, or made of one, as by `functools.partial`."""
    match value:
        case Lambda():
            return True
        case Name(id=name):
            return name in made
        case Item(value=inner):
            return _is_made(inner, made)
        case Call(args=parts) | Sequence(items=parts) | Either(options=parts):
            return any(_is_made(part, made) for part in parts)
    return False


def _names(value: tuple[Any, ...]) -> Iterator[str]:
    """The names and attributes that stand in a piece of a program."""
    pending = [value]
    while pending:
        current = pending.pop()
        if type(current) is Name:
            yield current.id
        elif type(current) is Attr:
            yield current.name
        pending += [part for part in current if isinstance(part, tuple)]


def _sets_state(step: Assign) -> bool:
    match step.target:
        case Attr(Attr(_, "state", _), _, _):
            return True
    return False


KEPT = {
    shape: [place for place, field in enumerate(shape._fields) if field not in ("line", "end_line")]
    for shape in vars(program).values()
    if isinstance(shape, type) and issubclass(shape, tuple) and hasattr(shape, "_fields") and shape is not Block
}
"""The fields of each type that do not tell where it is, by number."""
