"""Keeps of some repairs those that do what they are for, and nothing else: the whole program is followed again.

A repair is taken back when a finding that it was to cure is still there, when any rule finds something new in a
function that it touches or leads to, and when the file could not be read afterwards.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from letgo.fix.edits import Edit, apply, overlap
from letgo.fix.program import Look, Looking, Program
from letgo.fix.repair import FunctionKey, Repair
from letgo.fix.syntax import syntax_of
from letgo.fix.texts import Unfixable
from letgo.holds import Finding
from letgo.source.definitions import functions_within

Key = tuple[str, str, str]
"""Code of a finding, path and name of the function that it is about."""

UNKNOWN = "tried, but it does not go together with others"
"""Why a repair is taken back where it is not known which of several is to blame."""

STILL_FOUND = "is still found afterwards"

UNUSED = "LG506"
"""A session that a repair leaves without a use does no harm, and is a repair of its own."""


class Trial(NamedTuple):
    """A program with repairs that were not all sound, and the functions in which one left what it was to cure."""

    program: Program
    look: Look
    stubborn: frozenset[FunctionKey]


class Proven(NamedTuple):
    """The program with the repairs that were `kept`, what is known of it, the others with the reason, and in which
    trials these have shown."""

    program: Program
    look: Look
    kept: tuple[Repair, ...] = ()
    refused: tuple[tuple[Repair, str], ...] = ()
    trials: tuple[Trial, ...] = ()


def compatible(repairs: Iterable[Repair]) -> tuple[Repair, ...]:
    """The repairs that can be made together, earlier ones first."""
    taken: dict[str, list[Edit]] = {}
    kept = []
    for repair in repairs:
        own = _by_path((repair,))
        if not any(_collide(taken.get(path, []), edits) for path, edits in own.items()):
            kept.append(repair)
            for path, edits in own.items():
                taken.setdefault(path, []).extend(edits)
    return tuple(kept)


def _collide(taken: Sequence[Edit], edits: Sequence[Edit]) -> bool:
    """Whether edits can't be made beside others: they overlap, or lie between lines that others move in."""
    return overlap((*taken, *edits)) or _moves(taken, edits) or _moves(edits, taken)


def _moves(moving: Sequence[Edit], edits: Sequence[Edit]) -> bool:
    moved = [edit.start for edit in moving if edit.start == edit.end and edit.replacement.isspace()]
    return bool(moved) and any(min(moved) <= edit.start <= max(moved) for edit in edits)


def prove(program: Program, before: Look, repairs: Sequence[Repair], look: Looking) -> Proven:
    """Makes the repairs, takes back what is not sound, and again, until all that is left is."""
    return _proven(Proven(program, before), program, before, repairs, look)


def _proven(sound: Proven, program: Program, before: Look, repairs: Sequence[Repair], look: Looking) -> Proven:
    """What is sound already, and those of the repairs that are so beside it. `program` is that without any of them."""
    left = tuple(repairs)
    refused = dict(sound.refused)
    while left:
        changed, bad = _made(program, (*sound.kept, *left))
        if changed is not None:
            after = look(changed.codebase)
            bad = _unsound(before, after, (*sound.kept, *left))
            if not bad:
                return Proven(changed, after, (*sound.kept, *left), tuple(refused.items()), sound.trials)
            stubborn = frozenset(repair.place for repair, reason in bad.items() if reason.endswith(STILL_FOUND))
            sound = sound._replace(trials=(*sound.trials, Trial(changed, after, stubborn)))
        refused |= {repair: reason for repair, reason in bad.items() if repair in left}
        if not set(bad).isdisjoint(left) and (len(set(bad) & set(left)) < len(left) or len(left) == 1):
            left = tuple(repair for repair in left if repair not in bad)
        elif len(left) > 1 and UNKNOWN in bad.values():
            refused = {repair: reason for repair, reason in refused.items() if repair not in left}
            half = len(left) // 2
            sound = _proven(sound._replace(refused=tuple(refused.items())), program, before, left[:half], look)
            return _proven(sound, program, before, left[half:], look)
        else:
            left = ()
    return sound._replace(refused=tuple(refused.items()))


def _made(program: Program, repairs: Sequence[Repair]) -> tuple[Program | None, dict[Repair, str]]:
    """The program with the repairs made, or those that make it unreadable."""
    try:
        return program.changed(texts_with(program, repairs)), {}
    except Unfixable:
        return None, _misfits(program, repairs)


def _misfits(program: Program, repairs: Sequence[Repair]) -> dict[Repair, str]:
    """The repairs that make a file unreadable, by themselves or beside those before them."""
    kept: dict[str, list[Repair]] = {}
    bad: dict[Repair, str] = {}
    broken = {path for path in _by_path(repairs) if _fault(program, repairs, path)}
    for repair in repairs:
        for path in sorted(repair.paths & broken):
            if fault := _fault(program, (*kept.get(path, ()), repair), path):
                bad[repair] = f"tried, but {fault}"
        if repair not in bad:
            for path in repair.paths:
                kept.setdefault(path, []).append(repair)
    return bad or dict.fromkeys(repairs, UNKNOWN)


def _fault(program: Program, repairs: Sequence[Repair], path: str) -> str:
    """What is wrong with a file after the repairs; empty when nothing is."""
    try:
        text = texts_with(program, repairs)[path]
        syntax_of(text)
        program.files[path].encoded(text)
    except Unfixable as error:
        return str(error)
    return ""


def texts_with(program: Program, repairs: Iterable[Repair]) -> dict[str, str]:
    """What the repairs make of the files that they change."""
    return {path: apply(program.text(path), edits) for path, edits in _by_path(repairs).items()}


def _by_path(repairs: Iterable[Repair]) -> dict[str, list[Edit]]:
    edits: dict[str, list[Edit]] = {}
    for repair in repairs:
        for path, edit in repair.edits:
            edits.setdefault(path, []).append(edit)
    return edits


def counted(findings: Iterable[Finding]) -> Counter[Key]:
    return Counter((finding.code, finding.handler.path, finding.handler.function) for finding in findings)


def _unsound(before: Look, after: Look, repairs: Sequence[Repair]) -> dict[Repair, str]:
    """The repairs that must be taken back, each with the reason."""
    was, now = counted(before.all), counted(after.all)
    bad: dict[Repair, str] = {}
    wanted = counted(finding for repair in repairs for finding in repair.cures)
    for repair in repairs:
        for key in counted(repair.cures):
            if now[key] > was[key] - wanted[key]:
                bad[repair] = f"tried, but {key[0]} {STILL_FOUND}"
    fresh = [finding for finding in after.all if now[_key(finding)] > was[_key(finding)] and finding.code != UNUSED]
    for finding in fresh:
        blamed = _blamed(finding, before, after, repairs)
        for repair in blamed:
            bad.setdefault(repair, f"tried, but it brings {finding.code}: {finding.message}")
        if not blamed:
            bad |= {repair: UNKNOWN for repair in repairs if repair not in bad}
    for failed in after.facts.unresolved:
        if failed.failed and failed not in before.facts.unresolved:
            bad |= dict.fromkeys(repairs, "tried, but letgo can't follow the program afterwards")
    return bad


def _key(finding: Finding) -> Key:
    return (finding.code, finding.handler.path, finding.handler.function)


def _blamed(finding: Finding, before: Look, after: Look, repairs: Sequence[Repair]) -> Sequence[Repair]:
    """The repairs in the finding's own function; else those in functions of its trace, or that it calls; else those in
    functions that were found to lead to it before."""
    place = (finding.handler.path, finding.handler.function)
    traced = {(step.site.path, step.site.function) for step in finding.trace}
    named = _mentions(after, finding)
    leading = {
        (other.handler.path, other.handler.function)
        for other in before.all
        if any((step.site.path, step.site.function) == place for step in other.trace)
    }
    ways: tuple[Callable[[Repair], bool], ...] = (
        lambda repair: repair.place == place,
        lambda repair: repair.place in traced,
        lambda repair: repair.function.function.rpartition(".")[2] in named,
        lambda repair: repair.place in leading,
    )
    return next((found for way in ways if (found := list(filter(way, repairs)))), [])


def _mentions(look: Look, finding: Finding) -> frozenset[str]:
    """The words in the function that a finding is about."""
    for module in look.names.codebase.modules:
        if module.path == finding.handler.path:
            for function in functions_within(module.body):
                if function.line == finding.handler.line:
                    return function.mentions
    return frozenset()
