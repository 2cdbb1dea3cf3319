"""The steps that lead to a finding, in the order in which they happen."""

from collections.abc import Iterator
from itertools import pairwise

from letgo.holds import Event, Hold, Misuse, MisuseKind, Site, Step, Wait, WaitKind
from letgo.picture.words import comes_from, is_in, of_task, outermost

SHOWN = 12
"""The waits of one finding that its trace tells in full."""


def steps_of_hold(hold: Hold, waits: tuple[Wait, ...]) -> tuple[Step, ...]:
    """Where the session came from, where it opened, the first waits, where it let go."""
    return tuple(_steps_of_hold(hold, waits))


def _steps_of_hold(hold: Hold, waits: tuple[Wait, ...]) -> Iterator[Step]:
    yield Step(Event.SOURCE, hold.session.site, comes_from(hold.session))
    yield from calls(hold.opened_via, hold.opened, hold.function)
    yield Step(Event.OPENED, hold.opened, "the transaction begins")
    for wait in waits[:SHOWN]:
        yield from calls(wait.via, wait.site, hold.function)
        yield Step(Event.WAIT, wait.site, describe(wait))
    last = waits[-1]
    end = outermost(hold.function, last.site, last.via)
    if len(waits) > SHOWN:
        yield Step(Event.NOTE, end, f"and {len(waits) - SHOWN} more such waits")
    if hold.released is None:
        yield Step(Event.NEVER_RELEASED, end, "nothing on this path lets go")
    elif is_in(hold.released, hold.function):
        yield Step(Event.RELEASED, hold.released, "only here it lets go")
    else:
        yield Step(Event.RELEASED, hold.released, f"only `{hold.released.function}` lets go, afterwards")


def steps_of_misuse(misuse: Misuse, shows: str) -> tuple[Step, ...]:
    """Where the session came from, what led to the misuse, and the misuse, which `shows` puts in words."""
    steps = misuse.trail
    if not any(step.event is Event.SOURCE for step in steps):
        steps = (Step(Event.SOURCE, misuse.session.site, comes_from(misuse.session)), *steps)
    if not any(step.site == misuse.site for step in misuse.trail):
        steps = (*steps, Step(Event.NOTE, misuse.site, shows))
    return steps


def calls(via: tuple[Site, ...], target: Site, depends: Site | None = None) -> Iterator[Step]:
    """A step for each call on the way down to `target`, naming the function that is called.

    A function `depends` on what its own definition, rather than a line of its body, leads to.
    """
    for site, callee in pairwise((*via, target)):
        verb = "depends on" if site == depends else "calls"
        yield Step(Event.CALL, site, f"{verb} `{callee.function}`")


def describe(wait: Wait) -> str:
    """What happens at the wait, in words."""
    match wait.kind:
        case WaitKind.SERIALISE:
            return "the return value is serialised"
        case WaitKind.RENDER:
            return f"`{wait.what}` renders"
        case WaitKind.BRANCH:
            return "returns"
        case WaitKind.STREAM:
            return f"streams: `{wait.what}`"
        case WaitKind.EXTERNAL | WaitKind.SLEEP | WaitKind.PROCESS:
            return f"waits for `{wait.what}`"
        case WaitKind.COMPUTE:
            return f"`{wait.what}` computes"
        case WaitKind.TASK:
            task, inner = of_task(wait)
            return f"the task waits for `{inner}`" if inner else f"task `{task}` runs"


def describe_misuse(kind: MisuseKind) -> str:
    """What happens at the place of a misuse, in words."""
    match kind:
        case MisuseKind.REARMED:
            return "a new transaction begins"
        case MisuseKind.REOPENED:
            return "used after its close"
        case MisuseKind.DETACHED:
            return "read without its session"
        case MisuseKind.NEVER_CLOSED:
            return "not closed on every path"
        case MisuseKind.ERROR_PATH:
            return "not closed after an exception"
        case MisuseKind.FINALISED_GENERATOR:
            return "its generator ends here"
        case MisuseKind.NESTED:
            return "a second session opens"
        case MisuseKind.UNCOMMITTED:
            return "written, not committed"
        case MisuseKind.UNUSED:
            return "never used"
        case MisuseKind.ESCAPES_SCOPE:
            return "used after its end"
        case MisuseKind.STALL:
            return "needs a thread while it holds a connection"
        case MisuseKind.EVENT_LOOP_STALL:
            return "awaits while it holds a connection"
        case MisuseKind.CONVENTION:
            return "returns"
