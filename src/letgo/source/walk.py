"""Visits the code of a code base without following it."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from letgo.source.definitions import with_nested
from letgo.source.names import ClassSymbol, Names
from letgo.source.program import Assign, Attr, Call, Either, Expr, Function, Module, Name, Return


class Place(NamedTuple):
    """A function where it is written: in the body of `around`, and as a method of `owner`.

    `instance` is the class that `self` means in the body: that of the method it is, or is written in.
    """

    module: Module
    function: Function
    around: Function
    owner: ClassSymbol | None
    instance: ClassSymbol | None


def places(names: Names, mentioning: Collection[str] = ()) -> Iterator[Place]:
    """Every function of the code base; with `mentioning`, those in whose text one of the words stands.

    The body of a module is a function in no class, around itself.
    """
    for module in names.codebase.modules:
        body = module.body
        if not mentioning or not body.mentions.isdisjoint(mentioning):
            yield Place(module, body, body, None, None)
            yield from _within(names, module, body, None, mentioning)


def _within(
    names: Names, module: Module, around: Function, instance: ClassSymbol | None, mentioning: Collection[str]
) -> Iterator[Place]:
    for function in around.functions:
        if not mentioning or not function.mentions.isdisjoint(mentioning):
            yield Place(module, function, around, None, instance)
            if function.functions or function.classes:
                yield from _within(names, module, function, instance, mentioning)
    for cls in with_nested(around.classes):
        owner = names.class_symbol(module, cls)
        for method in cls.methods:
            if not mentioning or not method.mentions.isdisjoint(mentioning):
                yield Place(module, method, around, owner, owner)
                if method.functions or method.classes:
                    yield from _within(names, module, method, owner, mentioning)


def parts(piece: object) -> Iterator[tuple[object, ...]]:
    """A piece of a function's own code and all the expressions and steps in it, in the order of the text."""
    pending = [piece] if isinstance(piece, tuple) else []
    while pending:
        current = pending.pop()
        yield current
        for part in reversed(current):
            if isinstance(part, tuple):
                pending.append(part)


def calls(function: Function) -> Iterator[Call]:
    """The calls in a function's own code, outermost first; not those in the functions it defines."""
    return (part for part in parts(function.blocks) if type(part) is Call)


def returned(function: Function) -> Iterator[Expr]:
    """The values that a function may return."""
    for block in function.blocks:
        for step in block.steps:
            if isinstance(step, Return) and step.value is not None:
                yield step.value


def stand_ins(function: Function, name: str) -> Iterator[Call]:
    """The calls that give what may stand in for a variable: `name or made()`, `name = made()`."""
    for part in parts(function.blocks):
        match part:
            case Either(options=options) if any(type(option) is Name and option.id == name for option in options):
                yield from (option for option in options if type(option) is Call)
            case Assign(target=Name(id=bound), value=Call() as made) if bound == name:
                yield made


def assigned_to_attribute(method: Function, name: str) -> Iterator[Expr]:
    """The values of `self.name = value`."""
    if name in method.mentions and method.params:
        for block in method.blocks:
            for step in block.steps:
                match step:
                    case Assign(target=Attr(value=Name(id=me), name=attribute), value=value) if attribute == name:
                        if value is not None and me == method.params[0].name:
                            yield value
