"""Keeps of some repairs those that do what they are for, and nothing else: the whole program is followed again.

A repair is taken back when a finding that it was to cure is still there, when any rule finds something new in a
function that it touches or leads to, and when the file could not be read afterwards.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from letgo.fix.edits import Edit, apply, overlap
from letgo.fix.program import Look, Looking, Program
from letgo.fix.repair import Repair
from letgo.fix.texts import Unfixable
from letgo.holds import Finding

Key = tuple[str, str, str]
"""Code of a finding, path and name of the function that it is about."""

UNUSED = "LG506"
"""A session that a repair leaves without a use does no harm, and is a repair of its own."""


class Proven(NamedTuple):
    """The program with the repairs that were `kept`, what is known of it, and the others with the reason."""

    program: Program
    look: Look
    kept: tuple[Repair, ...]
    refused: tuple[tuple[Repair, str], ...]


def compatible(repairs: Iterable[Repair]) -> tuple[Repair, ...]:
    """The repairs that can be made together, earlier ones first."""
    taken: dict[str, list[Edit]] = {}
    kept = []
    for repair in repairs:
        own = _by_path((repair,))
        if not any(overlap((*taken.get(path, ()), *edits)) for path, edits in own.items()):
            kept.append(repair)
            for path, edits in own.items():
                taken.setdefault(path, []).extend(edits)
    return tuple(kept)


def prove(program: Program, before: Look, repairs: Sequence[Repair], look: Looking) -> Proven:
    """Makes the repairs, takes back what is not sound, and again, until all that is left is."""
    left = list(repairs)
    refused: list[tuple[Repair, str]] = []
    while left:
        changed, bad = _made(program, left)
        if changed is not None:
            after = look(changed.codebase)
            bad = _unsound(before, after, left)
            if not bad:
                return Proven(changed, after, tuple(left), tuple(refused))
        refused += bad.items()
        left = [repair for repair in left if repair not in bad]
    return Proven(program, before, (), tuple(refused))


def _made(program: Program, repairs: Sequence[Repair]) -> tuple[Program | None, dict[Repair, str]]:
    """The program with the repairs made, or those that make it unreadable."""
    try:
        texts = {path: apply(program.text(path), edits) for path, edits in _by_path(repairs).items()}
        return program.changed(texts), {}
    except Unfixable as error:
        if len(repairs) == 1:
            return None, {repairs[0]: str(error)}
    bad: dict[Repair, str] = {}
    for repair in repairs:
        bad |= _made(program, [repair])[1]
    return None, bad or dict.fromkeys(repairs, "together with others it made a file unreadable")


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
                bad[repair] = f"tried, but {key[0]} is still found afterwards"
    fresh = [finding for finding in after.all if now[_key(finding)] > was[_key(finding)] and finding.code != UNUSED]
    for finding in fresh:
        blamed = _blamed(finding, repairs)
        for repair in blamed:
            bad.setdefault(repair, f"tried, but it brings {finding.code}: {finding.message}")
    for failed in after.facts.unresolved:
        if failed.failed and failed not in before.facts.unresolved:
            bad |= dict.fromkeys(repairs, "tried, but letgo can't follow the program afterwards")
    return bad


def _key(finding: Finding) -> Key:
    return (finding.code, finding.handler.path, finding.handler.function)


def _blamed(finding: Finding, repairs: Sequence[Repair]) -> Sequence[Repair]:
    """The repairs in the finding's own function; else those in functions of its trace; else those in its file; else
    all of them."""
    touched = {(step.site.path, step.site.function) for step in finding.trace}
    own = [repair for repair in repairs if _is_at(repair, finding.handler.path, finding.handler.function)]
    near = [repair for repair in repairs if (repair.function.path, repair.function.function) in touched]
    files = [repair for repair in repairs if finding.handler.path in repair.paths]
    return own or near or files or repairs


def _is_at(repair: Repair, path: str, function: str) -> bool:
    return (repair.function.path, repair.function.function) == (path, function)
