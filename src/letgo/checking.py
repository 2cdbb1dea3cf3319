"""The way of the data, from paths to what a report shows: read, follow, judge, suppress."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from letgo.holds import Confidence, Finding, Hold, Site, WaitKind
from letgo.lifetime.analysis import Settings as Known
from letgo.lifetime.beginnings import all_functions
from letgo.lifetime.census import Census, take_census
from letgo.lifetime.endpoints import endpoints
from letgo.lifetime.facts import Facts
from letgo.lifetime.follow import follow
from letgo.lifetime.waits import Waits
from letgo.picture.words import leaves_open
from letgo.report.outcome import Outcome, place, plural, seen_from
from letgo.report.trace_text import Belief
from letgo.rules.judging import judge
from letgo.rules.registry import RULES
from letgo.rules.selection import covers as looks_for
from letgo.rules.suppression import Covers, Said, Stale, prune, suppress
from letgo.rules.suppression.allowlist import load_allowlist, write_allowlist
from letgo.rules.suppression.baseline import Baseline, counted, grown, load_baseline, write_baseline
from letgo.rules.suppression.comments import comments_in
from letgo.source.codebase import CodeBase, Unreadable
from letgo.source.errors import UserError
from letgo.source.names import Names
from letgo.source.read import collection_paused, cores, read
from letgo.source.settings import Settings

CODES = frozenset(rule.code for rule in RULES)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Followed:
    """A code base, what was found out about its sessions, and how long that took in seconds."""

    codebase: CodeBase
    names: Names
    facts: Facts
    seconds: float

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """The files of which something was not understood: all of it, or a function in which letgo failed."""
        failures = [
            Unreadable(failure.site.path, failure.site.line, f"{failure.call}: {failure.reason}")
            for failure in self.facts.unresolved
            if failure.failed
        ]
        return tuple(sorted((*self.codebase.unreadable, *failures), key=lambda found: (found.path, found.line)))


def follow_paths(
    paths: Sequence[Path],
    settings: Settings,
    *,
    use_cache: bool = True,
    progress: Progress | None = None,
    debug: bool = False,
) -> Followed:
    """Reads the files at and below `paths` and follows their sessions. Raises `UserError` for a path not there, and
    with `debug` whatever makes letgo fail in one function."""
    started = time.perf_counter()
    with collection_paused():
        codebase = read(
            paths,
            root=settings.root,
            exclude=(*settings.exclude, *settings.extend_exclude),
            jobs=settings.jobs,
            cache=settings.cache_dir if use_cache else None,
            progress=progress,
        )
        followed = follow_codebase(codebase, settings, cache=settings.cache_dir if use_cache else None, debug=debug)
    return replace(followed, seconds=time.perf_counter() - started)


def follow_codebase(
    codebase: CodeBase, settings: Settings, *, cache: Path | None = None, debug: bool = False
) -> Followed:
    """Follows the sessions of a code base that was read. `cache` is where to keep what was found for the next time."""
    started = time.perf_counter()
    names = Names(codebase)
    facts = follow(
        codebase,
        names=names,
        waits=_waits(settings.waits, settings.harmless),
        settings=Known(frozenset(settings.sessions), frozenset(settings.openers), frozenset(settings.releasers)),
        fastapi=settings.fastapi_version,
        jobs=settings.jobs or cores(),
        debug=debug,
        cache=None if debug else cache,
        said=(settings.waits, settings.harmless),
    )
    return Followed(codebase, names, facts, time.perf_counter() - started)


@lru_cache(maxsize=1)
def _waits(waits: tuple[tuple[str, WaitKind], ...], harmless: tuple[str, ...]) -> Waits:
    """Kept, since what it has answered once is the same when a code base is followed again."""
    return Waits.with_extensions(dict(waits), harmless)


def check(followed: Followed, paths: Sequence[Path], settings: Settings, *, unresolved: bool = False) -> Outcome:
    """What there is to report, with paths as seen from the current directory.

    Raises `UserError` for a comment, allowlist or baseline that is wrong.
    """
    codebase = followed.codebase
    findings, stale = _suppressed(followed, paths, settings, _said(codebase, settings))
    shown = [finding for finding in findings if _is_confident(finding, settings.min_confidence)]
    outcome = Outcome(
        root=codebase.root,
        findings=tuple(finding for finding in shown if finding.suppression is None),
        suppressed=tuple(finding for finding in shown if finding.suppression),
        stale=stale,
        unreadable=followed.unreadable,
        unresolved=tuple(call for call in followed.facts.unresolved if unresolved and not call.failed),
        rules=RULES,
        files=len(codebase.modules),
        seconds=followed.seconds,
    )
    return seen_from(outcome, Path.cwd())


def standing(followed: Followed, paths: Sequence[Path], settings: Settings) -> tuple[Finding, ...]:
    """The findings that `check` would show and count, with paths as in the code base."""
    findings, _ = _suppressed(followed, paths, settings, _said(followed.codebase, settings))
    return tuple(
        finding
        for finding in findings
        if finding.suppression is None and _is_confident(finding, settings.min_confidence)
    )


def write_new_baseline(followed: Followed, paths: Sequence[Path], settings: Settings, reason: str | None) -> str:
    """Puts every finding that stands into the baseline. Says what it did; raises `UserError` if it would grow."""
    _refuse_unreadable(followed)
    said = _said(followed.codebase, settings)
    old = load_baseline(settings.baseline)
    covers = _covers(followed, paths, settings)
    findings, _ = _suppressed(followed, paths, settings, replace(said, baseline=Baseline()))
    elsewhere = {key: count for key, count in said.baseline.counts.items() if not covers(key[0], key[2])}
    found = counted(finding for finding in findings if finding.suppression is None)
    new = Baseline(reason or said.baseline.reason, {**elsewhere, **found})
    if old is not None and (more := grown(old, new)):
        lines = [
            f"{path}: {code} in {function} is found {new.counts[path, function, code]} times, was counted "
            f"{old.counts.get((path, function, code), 0)}"
            for path, function, code in more
        ]
        raise UserError(
            "\n".join(("the baseline can only shrink, but:", *lines)),
            f"fix what is new; to begin anew, delete {settings.baseline} first",
        )
    write_baseline(new, settings.baseline)
    return f"{settings.baseline}: {plural(sum(new.counts.values()), 'finding')} to be fixed"


def prune_suppressions(followed: Followed, paths: Sequence[Path], settings: Settings) -> str:
    """Drops what matches nothing any more from allowlist and baseline, and says what it did."""
    _refuse_unreadable(followed)
    said = _said(followed.codebase, settings)
    findings, stale = _suppressed(followed, paths, settings, said)
    left = prune(findings, said, _covers(followed, paths, settings))
    if left.allowlist != said.allowlist:
        write_allowlist(left.allowlist, settings.allowlist)
    if left.baseline != said.baseline:
        write_baseline(left.baseline, settings.baseline)
    dropped = [entry for entry in stale if entry.by != "inline"]
    return "\n".join((*(f"dropped: {entry.what}" for entry in dropped), f"{len(dropped)} dropped"))


def _said(codebase: CodeBase, settings: Settings) -> Said:
    return Said(
        comments_in(codebase, CODES),
        load_allowlist(settings.allowlist, CODES),
        load_baseline(settings.baseline) or Baseline(),
    )


def _suppressed(
    followed: Followed, paths: Sequence[Path], settings: Settings, said: Said
) -> tuple[tuple[Finding, ...], tuple[Stale, ...]]:
    # Judged with every confidence: what is only likely is not stale because it isn't shown.
    findings = judge(followed.facts, replace(settings, min_confidence=Confidence.LIKELY))
    return suppress(findings, said, _covers(followed, paths, settings))


def _covers(followed: Followed, paths: Sequence[Path], settings: Settings) -> Covers:
    """Whether this run looked for a code in a file: below one of the paths (even if it is gone), and readable."""
    root = followed.codebase.root
    places = [path.resolve() for path in paths]
    unreadable = {found.path for found in followed.unreadable}

    def covers(path: str, code: str) -> bool:
        location = (root / path).resolve()
        below = any(location.is_relative_to(place) for place in places)
        return below and path not in unreadable and looks_for(settings, path, code)

    return covers


def _is_confident(finding: Finding, wanted: Confidence) -> bool:
    return wanted is Confidence.LIKELY or finding.confidence is Confidence.CERTAIN


def _refuse_unreadable(followed: Followed) -> None:
    if followed.unreadable:
        lines = [f"{found.path}:{found.line}: {found.reason}" for found in followed.unreadable]
        raise UserError(
            "\n".join(("these files could not be read:", *lines)), "mend them, or leave them out: --exclude"
        )


# --- other commands --------------------------------------------------------------------------------------------------


def unreadable(followed: Followed) -> list[str]:
    """A line for each file that could not be read."""
    return [f"{place(found.path, found.line)}: could not be read: {found.reason}" for found in followed.unreadable]


def file_and_function(target: str) -> tuple[Path, str]:
    """The two parts of `FILE:FUNCTION`. Raises `UserError` when it is not that, or there is no such file."""
    file, colon, name = target.rpartition(":")
    if not (file and colon and name):
        raise UserError(f"{target!r} is not FILE:FUNCTION", "as in app/api.py:create_tool or app/api.py:Tools.create")
    if not Path(file).is_file():
        raise UserError(f"{file}: no such file", "it is relative to where letgo is run")
    return Path(file), name


def believe(followed: Followed, settings: Settings, file: Path, name: str) -> Belief:
    """What was found out about a function. Raises `UserError` for a file or function that was not read."""
    root = followed.codebase.root
    wanted = file.resolve()
    module = next((module for module in followed.codebase.modules if (root / module.path).resolve() == wanted), None)
    if module is None:
        raise UserError(f"{file} is not among the files that were read", "name the paths of the program after it")
    symbols = all_functions(followed.names)
    functions = {symbol.function.qualname: symbol.function for symbol in symbols if symbol.module is module}
    if name not in functions:
        from difflib import get_close_matches

        close = get_close_matches(name, functions, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(functions) or 'no functions'}"
        raise UserError(f"{file} has no function {name}", hint)
    function = Site(module.path, functions[name].line, name)
    facts = followed.facts
    everything = replace(settings, select=("LG",), ignore=(), per_file_ignores=(), strict=True, preview=True)
    return Belief(
        root,
        function,
        tuple(filter(None, (_held_in(function, hold) for hold in facts.holds))),
        tuple(misuse for misuse in facts.misuses if _is_at(misuse.function, function)),
        tuple(call for call in facts.unresolved if _is_at(call.site, function)),
        tuple(finding for finding in judge(facts, everything) if _is_at(finding.handler, function)),
    )


def _held_in(function: Site, hold: Hold) -> Hold | None:
    """A hold of the function; of one that a dependency leaves open to several endpoints, what is waited for in this."""
    if _is_at(hold.function, function):
        return hold
    waits = tuple(
        wait for wait in hold.waits if leaves_open(hold, wait) and _is_at((*wait.via, wait.site)[0], function)
    )
    return replace(hold, waits=waits) if waits else None


def _is_at(site: Site, function: Site) -> bool:
    return (site.path, site.function) == (function.path, function.function)


def take_census_of(followed: Followed) -> Census:
    """The census of the handlers, beside what the flow analysis found."""
    return take_census(followed.names, endpoints(followed.names), followed.facts.holds)
