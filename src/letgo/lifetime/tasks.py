"""Tasks of asyncio that whoever starts them also awaits: they do not outlive the function."""

from letgo.source.program import Assign, Attr, Await, Call, Evaluate, Function, Name, Next
from letgo.source.walk import parts


def is_awaited(function: Function, line: int) -> bool:
    """Whether the task that a call on this line starts is awaited in the same function: at once, or by the name that
    keeps it or the list that it is in."""
    steps = [step for block in function.blocks for step in block.steps]
    awaited: list[object] = [part for step in steps for part in parts(step) if isinstance(part, Await)]
    awaited += [step.iterable for step in steps if isinstance(step, Next) and step.is_async]
    if any(_is_made_in(part, line) for part in awaited):
        return True
    kept = set()
    for step in steps:
        match step:
            case Assign(Name(name), value) if _is_made_in(value, line):
                kept.add(name)
            case Evaluate(Call(Attr(Name(name), "append" | "add"), (value, *_))) if _is_made_in(value, line):
                kept.add(name)
    return any(isinstance(inner, Name) and inner.id in kept for part in awaited for inner in parts(part))


def is_dropped(function: Function, line: int) -> bool:
    """Whether nobody keeps what a call on this line gives, and so nobody can wait for it."""
    steps = (step for block in function.blocks for step in block.steps)
    return any(
        isinstance(step, Evaluate) and isinstance(step.value, Call) and step.value.line == line for step in steps
    )


def _is_made_in(expr: object, line: int) -> bool:
    return any(isinstance(part, Call) and part.line == line for part in parts(expr))
