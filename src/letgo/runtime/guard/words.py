"""What the guard says of each kind of wait and of misuse: the codes, names and phrases of `letgo check`."""

from collections.abc import Callable
from typing import NamedTuple

from letgo.holds import Hold, Misuse, MisuseKind, Wait, WaitKind
from letgo.picture.words import inside, let_go_before, open_since, quoted


class OfWait(NamedTuple):
    """A rule of `letgo check` about a hold; `while_` and `before` complete its message and its help."""

    code: str
    rule: str
    rank: int
    while_: str
    before: str
    then: str = ""


WAITS = {
    WaitKind.SERIALISE: OfWait(
        "LG101", "open-while-serialising", 30, "while the return value is serialised", "`return`",
        "What is returned must then need no query.",
    ),
    WaitKind.RENDER: OfWait(
        "LG102", "open-while-rendering", 40, "while `{}` renders", "rendering",
        "Give the template plain data that needs no query.",
    ),
    WaitKind.BRANCH: OfWait("LG103", "open-on-branch", 20, "when this branch returns", "this `return`"),
    WaitKind.EXTERNAL: OfWait(
        "LG201", "open-during-external-call", 90, "while waiting for `{}`", "the call",
        "Keep what the call needs in variables; write its answer afterwards.",
    ),
    WaitKind.SLEEP: OfWait(
        "LG202", "open-while-sleeping", 70, "while `{}` makes it wait", "waiting",
        "In a loop, take a short session each time round.",
    ),
    WaitKind.PROCESS: OfWait(
        "LG203", "open-during-subprocess", 80, "while `{}` runs", "it runs",
        "Keep what it needs in variables; write its result afterwards.",
    ),
    WaitKind.COMPUTE: OfWait(
        "LG204", "open-during-computation", 50, "while `{}` computes", "computing", "Keep what it needs in variables.",
    ),
    WaitKind.STREAM: OfWait(
        "LG301", "open-while-streaming", 98, "while the response is streamed", "the stream starts",
        "Read what it needs first.",
    ),
    WaitKind.TASK: OfWait("LG303", "task-keeps-session", 60, "", ""),
}  # fmt: skip
GENERATOR = OfWait("LG302", "generator-keeps-session", 100, "while the generator stands at its `yield`", "")


def of_wait(wait: Wait) -> OfWait:
    return GENERATOR if wait.kind is WaitKind.STREAM and wait.what == "yield" else WAITS[wait.kind]


def message(hold: Hold, wait: Wait) -> str:
    if wait.kind is WaitKind.TASK:
        return f"the session of `{hold.session.name}` is kept while the task `{wait.what}` runs"
    return f"{open_since(hold)} {of_wait(wait).while_.format(wait.what)}{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    said = of_wait(wait)
    if said is GENERATOR:
        return (
            f"Let `{wait.site.function}` read a page in a short session of its own, end that session, "
            "and only then yield the rows."
        )
    if wait.kind is WaitKind.TASK:
        return f"Give `{wait.what}` ids instead of the session, and let it open a session of its own."
    return f"{let_go_before(hold, said.before)} {said.then}".rstrip()


class OfMisuse(NamedTuple):
    """A rule of `letgo check` about a misuse."""

    code: str
    rule: str
    rank: int
    message: Callable[[Misuse], str]
    advice: Callable[[Misuse], str]


MISUSES = {
    MisuseKind.REARMED: OfMisuse(
        "LG104", "rearmed-after-commit", 32,
        lambda misuse: f"{quoted(misuse, 'this')} opens a new transaction after the commit, and it stays open",
        lambda misuse: (
            f"Move {quoted(misuse, 'it')} before the commit, or drop it: `flush()` and `refresh()` can come first."
        ),
    ),
    MisuseKind.ESCAPES_SCOPE: OfMisuse(
        "LG304", "function-scope-escapes", 88,
        lambda misuse: (
            f"{quoted(misuse, 'what runs later')} uses the session after `{misuse.session.name}` has closed it"
        ),
        lambda misuse: (
            f"Let {quoted(misuse, 'what runs later')} open a short session of its own; give it ids or plain data."
        ),
    ),
    MisuseKind.REOPENED: OfMisuse(
        "LG401", "used-after-close", 56,
        lambda misuse: f"{quoted(misuse, 'this')} uses the session after its close, which silently opens it again",
        lambda misuse: "Close after the last use, or open a new session here.",
    ),
    MisuseKind.NEVER_CLOSED: OfMisuse(
        "LG501", "never-closed", 84,
        lambda misuse: f"the session of `{misuse.session.name}` is not closed on every path (it outlived the request)",
        lambda misuse: f"Open it in a `with` block of `{misuse.session.name}`, which closes on every path.",
    ),
    MisuseKind.ERROR_PATH: OfMisuse(
        "LG502", "lost-on-exception", 58,
        lambda misuse: (
            f"the session of `{misuse.session.name}` is not closed when an exception is raised ({misuse.detail})"
        ),
        lambda misuse: f"Use a `with` block of `{misuse.session.name}`, or close it in a `finally`.",
    ),
    MisuseKind.NESTED: OfMisuse(
        "LG504", "nested-session", 45,
        lambda misuse: (
            f"a second session{f' of `{misuse.detail}`' if misuse.detail else ''} opens while that of "
            f"`{misuse.session.name}` still holds its connection"
        ),
        lambda misuse: "Hand the first session down, or commit it before the second opens.",
    ),
}  # fmt: skip
