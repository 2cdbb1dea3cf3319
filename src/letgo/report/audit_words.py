"""The words that every form of the audit uses."""

from letgo.holds import WaitKind
from letgo.lifetime.categories import Category
from letgo.lifetime.census import Handler
from letgo.lifetime.convention import Verdict

VERDICT = {
    Verdict.MISSING_BOTH: "Missing both",
    Verdict.MISSING_CLOSE: "Missing close",
    Verdict.MISSING_COMMIT: "Missing commit",
    Verdict.CORRECT: "Correct",
    Verdict.EXCEPTION: "Exception",
}

CATEGORY = {
    Category.SERIALISE: "response serialisation",
    Category.RENDER: "template rendering",
    Category.BRANCH: "branches and redirects",
    Category.STREAM: "streams and tasks",
    Category.EXTERNAL: "external calls and other waits",
    Category.UNUSED: "session never used",
}

CURE = {
    Category.SERIALISE: "build the response value, then commit and close before `return`",
    Category.RENDER: "turn rows into plain data, commit and close, then render the template",
    Category.BRANCH: "commit and close on each branch, before its `return`",
    Category.STREAM: "let the stream or task open its own short session; close this one before it starts",
    Category.EXTERNAL: "read, commit and close; wait; open a new session for what is written afterwards",
    Category.UNUSED: "drop the session parameter",
}

WAIT = {
    WaitKind.SERIALISE: "serialise",
    WaitKind.RENDER: "template",
    WaitKind.BRANCH: "branch",
    WaitKind.STREAM: "stream",
    WaitKind.EXTERNAL: "external call",
    WaitKind.SLEEP: "sleep or lock",
    WaitKind.PROCESS: "process or thread",
    WaitKind.COMPUTE: "computing",
    WaitKind.TASK: "background task",
}


def shown_verdicts(counts: dict[Verdict, int]) -> tuple[Verdict, ...]:
    """The verdicts worth a column: the rare one, commit alone missing, only where it occurs."""
    return tuple(v for v in Verdict if v is not Verdict.MISSING_COMMIT or counts.get(v, 0))


def belief(handler: Handler) -> str:
    """What flow analysis says of a handler, in a few words."""
    if not handler.holds:
        return "holds nothing"
    waits = ", ".join(WAIT[kind] for kind in handler.wait_kinds)
    sure = "" if any(hold.certain for hold in handler.holds) else " (likely)"
    return f"holds during {waits}{sure}"
