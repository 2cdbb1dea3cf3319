"""The census: every handler that a session is injected into, judged by the convention.

The convention is that a handler commits and closes its session itself, before it returns. The census counts calls,
not paths: it says how far a code base has come with the convention, and beside it, from the holds that flow
analysis found, what each handler really does. docs/audit.md states the rules.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from letgo.holds import Hold, Site, WaitKind
from letgo.lifetime.categories import CATEGORY_OF_WAIT, GRAVEST_FIRST, Category, categories_by_shape
from letgo.lifetime.convention import Uses, Verdict, judge, uses_of
from letgo.lifetime.dependencies import Dependency, dependencies_of
from letgo.lifetime.endpoints import Endpoint
from letgo.lifetime.sessiontypes import is_session_given, is_session_type
from letgo.source.names import FunctionSymbol, Names, Symbol
from letgo.source.program import Attr, Call, Expr, Function, Module, Name, Param
from letgo.source.walk import places


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


# --- taking it -------------------------------------------------------------------------------------------------------


class Injected(NamedTuple):
    """`function` of `module` asks for `dependency` in `param`."""

    module: Module
    function: Function
    param: Param
    dependency: Dependency


def take_census(names: Names, endpoints: Iterable[Endpoint], holds: Iterable[Hold]) -> Census:
    """Every handler of the code base with its verdict, and with those of `holds` that are its own."""
    endpoints = tuple(endpoints)
    injected = tuple(all_injected(names))
    depended = functions_of(each.dependency.callable for each in injected)
    depended |= functions_of(each.callable for endpoint in endpoints for each in endpoint.dependencies)
    routed = functions_of(endpoint.function for endpoint in endpoints)
    held: dict[Site, list[Hold]] = {}
    for hold in holds:
        held.setdefault(hold.function, []).append(hold)
    handlers = []
    for each in injected:
        if is_session_injected(names, each):
            site = Site(each.module.path, each.function.line, each.function.qualname)
            uses = uses_of(each.function, each.param.name)
            reason = exempt(each, uses, depended, routed)
            handlers.append(judged(each, site, uses, reason, tuple(held.get(site, ()))))
    return Census(names.codebase.root, tuple(worst_of_each(handlers)))


def all_injected(names: Names) -> Iterator[Injected]:
    for place in places(names):
        for param, dependency in dependencies_of(names, place.module, place.function, place.around):
            yield Injected(place.module, place.function, param, dependency)


def functions_of(symbols: Iterable[Symbol | None]) -> set[int]:
    """The identities of the functions among `symbols`: a function can be long, and hashing it reads all of it."""
    return {id(symbol.function) for symbol in symbols if isinstance(symbol, FunctionSymbol)}


def is_session_injected(names: Names, injected: Injected) -> bool:
    """By what the parameter is declared to be, or else by what the dependency gives."""
    declared = is_session_type(names, injected.module, injected.param.annotation)
    return declared or is_session_given(names, injected.dependency)


def exempt(injected: Injected, uses: Uses, depended: set[int], routed: set[int]) -> str:
    """Why nothing is asked of a function; empty when something is."""
    if not uses.named:
        return "the session is never used"
    if injected.param.name.startswith("_"):
        return "its name says that the session is not used"
    if id(injected.function) in depended:
        return "it is a dependency itself"
    return "" if id(injected.function) in routed else "no request is routed to it"


def judged(injected: Injected, site: Site, uses: Uses, reason: str, holds: tuple[Hold, ...]) -> Handler:
    verdict = Verdict.EXCEPTION if reason else judge(uses)
    return Handler(
        site=site,
        end_line=injected.function.end_line,
        parameter=injected.param.name,
        dependency=written(injected.dependency.expr),
        verdict=verdict,
        reason=reason,
        commits=uses.commits,
        closes=uses.closes,
        categories=categorised(injected.function, verdict, uses, holds),
        holds=holds,
    )


def categorised(function: Function, verdict: Verdict, uses: Uses, holds: tuple[Hold, ...]) -> tuple[Category, ...]:
    """By what the handler was seen to wait on, or else by what it returns."""
    seen = {CATEGORY_OF_WAIT[wait.kind] for hold in holds for wait in hold.waits}
    if not uses.named:
        seen.add(Category.UNUSED)
    elif not seen and verdict.is_missing:
        seen.update(categories_by_shape(function))
    return tuple(category for category in GRAVEST_FIRST if category in seen)


def written(expr: Expr) -> str:
    """A callable as code names it: `get_db`, `sessions.read`, `Sessions(...)`."""
    match expr:
        case Name(id=name):
            return name
        case Attr(value=value, name=name):
            return f"{written(value)}.{name}"
        case Call(func=func):
            return f"{written(func)}(...)"
        case _:
            return "an expression"


SEVERITY = (
    Verdict.MISSING_BOTH,
    Verdict.MISSING_CLOSE,
    Verdict.MISSING_COMMIT,
    Verdict.CORRECT,
    Verdict.EXCEPTION,
)


def worst_of_each(judgements: Iterable[Handler]) -> list[Handler]:
    """One judgement a function, in the order of places: with two sessions injected, that of the worse treated."""
    worst: dict[Site, Handler] = {}
    for handler in sorted(judgements, key=lambda handler: SEVERITY.index(handler.verdict)):
        worst.setdefault(handler.site, handler)
    return sorted(worst.values(), key=lambda handler: (handler.site.path, handler.site.line))
