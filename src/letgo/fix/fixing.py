"""Finds repairs, proves them, and goes on until there is nothing left that can be repaired."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from letgo.fix.insisting import chains, hopeless
from letgo.fix.patient import Style
from letgo.fix.program import Look, Looking, Program, opened
from letgo.fix.proposing import proposals
from letgo.fix.proving import STILL_FOUND, compatible, prove
from letgo.fix.repair import FunctionKey, Left, Proposal, Repair, RepairKey
from letgo.holds import Finding
from letgo.source.codebase import CodeBase

MOST_ROUNDS = 8
"""A repair can make room for another, as two waits in a row do; more than a few in a row have not been seen."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """What came of it. `program` holds the new texts; `made` are the repairs, `left` the findings that stay."""

    program: Program
    made: tuple[Repair, ...]
    left: tuple[Left, ...]


def fix(
    codebase: CodeBase,
    look: Looking,
    *,
    unsafe: bool = False,
    style: Style = "explicit",
    jobs: int = 1,
    choose: Callable[[Program, Repair], bool] | None = None,
) -> Fixed:
    """Repairs what `look` finds in a code base, in memory.

    Without `unsafe` only repairs that keep behaviour for certain are made. `jobs` is the largest number of processes
    that find repairs. `choose` is asked before each repair.
    """
    seen = look(codebase)
    program, unreadable = opened(codebase, sorted({path for each in seen.wanted for path in _paths(each)}))
    refused: dict[RepairKey, str] = {}
    made: list[Repair] = []
    exhausted: set[FunctionKey] = set()
    reasons: dict[Place, str] = {}

    def usable(program: Program, seen: Look) -> list[Repair]:
        return _usable(program, proposals(program, seen, style, jobs), unsafe)

    for _ in range(MOST_ROUNDS):
        proposed = proposals(program, seen, style, jobs)
        reasons = _reasons(proposed, refused, unsafe)
        repairs = [each for each in _usable(program, proposed, unsafe) if each.key not in refused]
        stubborn = frozenset() if repairs else _stubborn(seen, refused) - exhausted
        repairs = repairs or chains(program, seen, stubborn, usable, look)
        chosen = compatible(repairs)
        if choose is not None:
            chosen = _asked(program, chosen, choose, refused)
        exhausted |= stubborn - {
            repair.place for repair in repairs if repair not in chosen and repair.key not in refused
        }
        if not chosen:
            break
        proven = prove(program, seen, chosen, look)
        refused |= {repair.key: reason for repair, reason in proven.refused}
        exhausted |= {place for trial in proven.trials for place in hopeless(trial, usable)}
        made += proven.kept
        if stubborn:  # what was in the way is gone: what was tried in vain beside it may do now
            eased = {repair.place for repair in proven.kept}
            refused = {key: reason for key, reason in refused.items() if key.function not in eased}
        program, seen = proven.program, proven.look
    left = [Left(each, unreadable.get(each.handler.path) or _why(each, reasons)) for each in seen.wanted]
    return Fixed(program, tuple(made), tuple(left))


def _usable(program: Program, proposed: Iterable[Proposal], unsafe: bool) -> list[Repair]:
    every = (repair for proposal in proposed for repair in proposal.repairs)
    return [repair for repair in every if (unsafe or not repair.unsafe) and repair.paths <= program.files.keys()]


def _stubborn(seen: Look, refused: Mapping[RepairKey, str]) -> frozenset[FunctionKey]:
    """The functions of which a repair seemed to leave what it was to cure."""
    tried = {key.function for key, reason in refused.items() if reason.endswith(STILL_FOUND)}
    return frozenset((each.handler.path, each.handler.function) for each in seen.wanted) & tried


def _asked(
    program: Program,
    repairs: Sequence[Repair],
    choose: Callable[[Program, Repair], bool],
    refused: dict[RepairKey, str],
) -> tuple[Repair, ...]:
    """The first repair that is wanted, alone: the next one is shown as it is after this one."""
    for repair in repairs:
        if choose(program, repair):
            return (repair,)
        refused[repair.key] = "you left it"
    return ()


def _paths(finding: Finding) -> Iterator[str]:
    yield finding.handler.path
    yield from (step.site.path for step in finding.trace)


# --- why findings stay -----------------------------------------------------------------------------------------------

Place = tuple[str, str, int]
"""Code, path and line of a finding."""


def _place(finding: Finding) -> Place:
    return (finding.code, finding.site.path, finding.site.line)


def _reasons(proposed: Iterable[Proposal], refused: Mapping[RepairKey, str], unsafe: bool) -> dict[Place, str]:
    """Why each finding stays: its repair was taken back, or is unsafe, or there is none."""
    reasons: dict[Place, str] = {}
    for proposal in proposed:
        for left in proposal.left:
            reasons.setdefault(_place(left.finding), left.reason)
        for repair in proposal.repairs:
            reason = refused.get(repair.key)
            if reason is None and repair.unsafe and not unsafe:
                reason = f"unsafe: {repair.unsafe}"
            if reason is not None:
                reasons.update((_place(finding), reason) for finding in repair.cures)
    return reasons


NO_WAY = "letgo knows no way to repair this"


def _why(finding: Finding, reasons: dict[Place, str]) -> str:
    return reasons.get(_place(finding), NO_WAY)
