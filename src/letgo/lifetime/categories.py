"""The categories of work that a fix plan is made of."""

from enum import StrEnum

from letgo.holds import WaitKind
from letgo.source.program import Attr, Expr, Function, Name, Return
from letgo.source.walk import calls


class Category(StrEnum):
    """The kinds of work a fix plan is made of, in the order of the letters."""

    SERIALISE = "A"
    RENDER = "B"
    BRANCH = "C"
    STREAM = "D"
    EXTERNAL = "E"
    UNUSED = "F"


CATEGORY_OF_WAIT = {
    WaitKind.SERIALISE: Category.SERIALISE,
    WaitKind.RENDER: Category.RENDER,
    WaitKind.BRANCH: Category.BRANCH,
    WaitKind.STREAM: Category.STREAM,
    WaitKind.TASK: Category.STREAM,
    WaitKind.EXTERNAL: Category.EXTERNAL,
    WaitKind.SLEEP: Category.EXTERNAL,
    WaitKind.PROCESS: Category.EXTERNAL,
    WaitKind.COMPUTE: Category.EXTERNAL,
}

GRAVEST_FIRST = (
    Category.STREAM,
    Category.EXTERNAL,
    Category.RENDER,
    Category.BRANCH,
    Category.SERIALISE,
    Category.UNUSED,
)
"""By how long such a wait can last: a stream as long as its reader likes, serialisation some milliseconds."""

TEMPLATES = frozenset({"TemplateResponse"})
STREAMS = frozenset({"StreamingResponse", "EventSourceResponse", "FileResponse"})
REDIRECTS = frozenset({"RedirectResponse"})
"""Response classes of Starlette, and of sse-starlette, by what is still to be done once the handler makes one."""


def categories_by_shape(function: Function) -> tuple[Category, ...]:
    """What a session that stays open would wait on, read from the responses the handler makes and its returns."""
    made = {last_name(call.func) for call in calls(function)}
    returns = {step.line for block in function.blocks for step in block.steps if isinstance(step, Return)}
    found = {
        Category.RENDER: bool(made & TEMPLATES),
        Category.STREAM: bool(made & STREAMS) or function.is_generator,
        Category.BRANCH: bool(made & REDIRECTS) or len(returns) > 1,
    }
    shaped = tuple(category for category, there in found.items() if there)
    return shaped or (Category.SERIALISE,)


def last_name(expr: Expr) -> str:
    """`name` of `name` and of `value.name`."""
    match expr:
        case Name(id=name) | Attr(name=name):
            return name
        case _:
            return ""
