"""The vocabulary of letgo: a hold, and what surrounds it.

A *hold* is a stretch in which a transaction (or a checked-out connection) is open while the code does no
database work. `letgo check` reads holds out of source code, the guard observes them in a running app and
`letgo prove` sees them from Postgres's side; all three speak in the values of this module, so one renderer
draws them all. Nothing here imports anything else of letgo.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Site:
    """A place in code, or a frame at run time.

    `path` is relative to the checked directory, with forward slashes; `line` counts from 1; `function` is the
    qualified name inside its file (`Class.method`, `outer.inner`), or `<module>`.
    """

    path: str
    line: int
    function: str


class Origin(StrEnum):
    """How code came by a session."""

    DEPENDENCY = "dependency"
    CONTEXT = "context"
    FACTORY = "factory"
    GENERATOR = "generator"
    PARAMETER = "parameter"
    ATTRIBUTE = "attribute"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a session came from: the dependency, opener, factory, attribute ... that gave it.

    `name` is what the code calls the giver (`get_db`, `SessionLocal`, `self.db`), `site` the place where the
    session reached the code that holds it.
    """

    origin: Origin
    name: str
    site: Site


class WaitKind(StrEnum):
    """What the code did while the transaction was open."""

    SERIALISE = "serialise"
    RENDER = "render"
    BRANCH = "branch"
    STREAM = "stream"
    EXTERNAL = "external"
    SLEEP = "sleep"
    PROCESS = "process"
    COMPUTE = "compute"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing the code did meanwhile.

    `what` names it as the code does (`httpx.AsyncClient.post`, `return`), `via` lists the calls that lead down
    to it, outermost first. `seconds` is measured at run time and unknown to the reader of code.
    """

    kind: WaitKind
    what: str
    site: Site
    via: tuple[Site, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A transaction that stays open while `function` waits.

    `function` is the place that owns the session (a handler, a task, a `with` block's function), its line the
    definition's. `opened` is the statement that began the transaction, `opened_via` the calls leading down to
    it. `released` is None when no release was found on the path.
    """

    function: Site
    session: Source
    opened: Site
    waits: tuple[Wait, ...]
    released: Site | None
    certain: bool
    opened_via: tuple[Site, ...] = ()


class MisuseKind(StrEnum):
    """What else goes wrong in a session's life, beside waiting while it is open."""

    REARMED = "rearmed"  # committed, then touched again and left open
    REOPENED = "reopened"  # used after close, so silently open again
    DETACHED = "detached"  # an ORM object read after its session let go of it
    NEVER_CLOSED = "never-closed"
    ERROR_PATH = "error-path"  # closed on the good path only
    FINALISED_GENERATOR = "finalised-generator"  # next(get_db())
    NESTED = "nested"  # a second session while the first is open
    UNCOMMITTED = "uncommitted"
    UNUSED = "unused"
    ESCAPES_SCOPE = "escapes-scope"  # scope="function" under a generator or a background task
    STALL = "stall"  # it holds a connection while it needs a thread
    EVENT_LOOP_STALL = "event-loop-stall"  # and the event loop waits for one
    CONVENTION = "convention"  # commit and close on every path


@dataclass(frozen=True, slots=True)
class Misuse:
    """A defect of a session's life that is not a hold. `site` is where it shows, `trail` what led there.

    `detail` is the one thing a message needs beside the places: the attribute read, the number of users.
    """

    kind: MisuseKind
    function: Site
    session: Source
    site: Site
    certain: bool
    trail: tuple["Step", ...] = ()
    detail: str = ""


class Event(StrEnum):
    """What happens at one step of a trace."""

    SOURCE = "source"
    CALL = "call"
    OPENED = "opened"
    WAIT = "wait"
    RELEASED = "released"
    NEVER_RELEASED = "never-released"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a trace: what happened, where, in words."""

    event: Event
    site: Site
    text: str


class Confidence(StrEnum):
    """`certain`: read out of the code. `likely`: a name or an unresolved call had to be trusted."""

    CERTAIN = "certain"
    LIKELY = "likely"


@dataclass(frozen=True, slots=True)
class Root:
    """The one cause that many findings share, and its one-line cure. Findings with equal roots are one group."""

    site: Site
    cause: str
    cure: str


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why a finding is not counted: `by` is `inline`, `allowlist` or `baseline`."""

    by: str
    reason: str
    site: Site


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement of one rule: what a report shows.

    `rank` orders by how long the hold can last: higher first. `handler` is the function that the finding is
    about (the key of allowlist and baseline), `site` the line to look at.
    """

    code: str
    rule: str
    message: str
    help: str
    site: Site
    handler: Site
    confidence: Confidence
    rank: int
    trace: tuple[Step, ...]
    root: Root | None = None
    suppression: Suppression | None = None
