"""The census: every handler that a session is injected into, judged by the convention.

The convention is that a handler commits and closes its session itself, before it returns. The census counts calls,
not paths: it says how far a code base has come with the convention, and beside it, from the holds that flow
analysis found, what each handler really does. docs/audit.md states the rules.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from letgo.holds import Hold, Site, WaitKind


class Verdict(StrEnum):
    """How a handler stands to the convention."""

    MISSING_BOTH = "missing-both"
    MISSING_CLOSE = "missing-close"
    MISSING_COMMIT = "missing-commit"
    CORRECT = "correct"
    EXCEPTION = "exception"

    @property
    def is_missing(self) -> bool:
        return self in (Verdict.MISSING_BOTH, Verdict.MISSING_CLOSE, Verdict.MISSING_COMMIT)


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


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler. `site` is its `def` line; `end_line` its last.

    `parameter` is what it calls the session, `dependency` what the session is injected from. `commits` and `closes`
    are the lines of those calls on the session. `reason` says why an exception is one, and is empty otherwise.
    """

    site: Site
    end_line: int
    parameter: str
    dependency: str
    verdict: Verdict
    reason: str = ""
    commits: tuple[int, ...] = ()
    closes: tuple[int, ...] = ()
    categories: tuple[Category, ...] = ()
    holds: tuple[Hold, ...] = ()

    @property
    def lines(self) -> int:
        return self.end_line - self.site.line + 1

    @property
    def category(self) -> Category | None:
        """The gravest of its categories: the part of a fix plan it belongs to."""
        return next((category for category in GRAVEST_FIRST if category in self.categories), None)

    @property
    def wait_kinds(self) -> tuple[WaitKind, ...]:
        """The kinds it waits on while it holds, each once, in the order of the code."""
        return tuple(dict.fromkeys(wait.kind for hold in self.holds for wait in hold.waits))


@dataclass(frozen=True, slots=True)
class Tally:
    """How many handlers have each verdict, and how many of those hold a transaction on some path."""

    verdicts: Counter[Verdict]
    holding: Counter[Verdict]

    @property
    def handlers(self) -> int:
        return self.verdicts.total()

    @property
    def missing(self) -> int:
        return sum(count for verdict, count in self.verdicts.items() if verdict.is_missing)


@dataclass(frozen=True, slots=True)
class Census:
    """All handlers of a code base, ordered by place. `root` is the directory that their paths are relative to."""

    root: Path
    handlers: tuple[Handler, ...]

    @property
    def total(self) -> Tally:
        return tally(self.handlers)

    def by_file(self) -> dict[str, tuple[Handler, ...]]:
        """The handlers of each file; files with most missing calls first, then by path."""
        files: dict[str, list[Handler]] = {}
        for handler in self.handlers:
            files.setdefault(handler.site.path, []).append(handler)
        order = sorted(files, key=lambda path: (-tally(files[path]).missing, path))
        return {path: tuple(files[path]) for path in order}

    def by_category(self) -> dict[Category, tuple[Handler, ...]]:
        """The fix plan: each handler that needs work once, under the gravest of its categories."""
        return {
            category: tuple(h for h in self.handlers if needs_work(h) and h.category is category)
            for category in Category
        }

    @property
    def correct_but_holding(self) -> tuple[Handler, ...]:
        """Those that keep the convention and still hold a transaction on some path."""
        return tuple(h for h in self.handlers if h.verdict is Verdict.CORRECT and h.holds)

    @property
    def missing_but_clean(self) -> tuple[Handler, ...]:
        """Those that miss a call and hold nothing, as far as flow analysis can see."""
        return tuple(h for h in self.handlers if h.verdict.is_missing and not h.holds)


def tally(handlers: Iterable[Handler]) -> Tally:
    handlers = tuple(handlers)
    return Tally(Counter(h.verdict for h in handlers), Counter(h.verdict for h in handlers if h.holds))


def needs_work(handler: Handler) -> bool:
    """Whether a fix plan lists it: it misses a call, holds a transaction, or asks for a session it never uses."""
    return handler.verdict.is_missing or bool(handler.holds) or Category.UNUSED in handler.categories
