"""What the code of one file defines and assigns, at any depth."""

from collections.abc import Iterable, Iterator

from letgo.source.program import Assign, Attr, Class, Const, Expr, Function, Item, Name, Sequence


def by_name(functions: Iterable[Function]) -> dict[str, Function]:
    """The function that each name ends up with; setters and deleters of a property do not replace its getter."""
    return {function.name: function for function in functions if not _is_setter(function)}


def _is_setter(function: Function) -> bool:
    return any(isinstance(expr, Attr) and expr.name in ("setter", "deleter") for expr in function.decorators)


def assigned(function: Function) -> Iterator[tuple[str, Assign]]:
    """The assignments to plain names in a body, unpacked: `a, b = 1, 2` and `a = b = 1` are two each."""
    made: dict[str, Expr] = {}
    for block in function.blocks:
        for step in block.steps:
            match step:
                case Assign(target=Name(id=name), value=Name(id=value)) if value in made:
                    yield name, step._replace(value=made[value])
                case Assign(target=Name(id=name)):
                    if name.startswith(".") and step.value is not None:
                        made[name] = step.value
                    yield name, step
                case Assign(target=Sequence(items=targets), value=value) if value is not None:
                    yield from _unpacked(step, targets, value)


def _unpacked(step: Assign, targets: tuple[Expr, ...], whole: Expr) -> Iterator[tuple[str, Assign]]:
    parts = whole.items if isinstance(whole, Sequence) and len(whole.items) == len(targets) else None
    for position, target in enumerate(targets):
        if isinstance(target, Name):
            value = parts[position] if parts else Item(whole, Const(position), step.line)
            yield target.id, Assign(target, value, None, step.line)


def functions_within(function: Function) -> Iterator[Function]:
    """The functions, lambdas and methods defined in a body."""
    for nested in function.functions:
        yield nested
        yield from functions_within(nested)
    for cls in with_nested(function.classes):
        for method in cls.methods:
            yield method
            yield from functions_within(method)


def classes_within(function: Function) -> Iterator[Class]:
    """The classes defined in a body."""
    for cls in with_nested(function.classes):
        yield cls
        for method in cls.methods:
            if method.classes or method.functions:
                yield from classes_within(method)
    for nested in function.functions:
        if nested.classes or nested.functions:
            yield from classes_within(nested)


def with_nested(classes: tuple[Class, ...]) -> Iterator[Class]:
    """The classes and those in their bodies."""
    for cls in classes:
        yield cls
        if cls.classes:
            yield from with_nested(cls.classes)


def note_enclosing(function: Function, table: dict[int, Function]) -> None:
    """Enters the function that each function and class in a body is written in, by the `id` of the inner one."""
    for nested in function.functions:
        table[id(nested)] = function
        note_enclosing(nested, table)
    for cls in with_nested(function.classes):
        table[id(cls)] = function
        for method in cls.methods:
            table[id(method)] = function
            note_enclosing(method, table)
