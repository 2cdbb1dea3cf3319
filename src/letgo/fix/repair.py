"""What a fix is before it is made: edits that cure findings of one function, or the reason why there are none."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from letgo.fix.edits import Edit
from letgo.fix.texts import Unfixable
from letgo.holds import Finding, Site

FunctionKey = tuple[str, str]
"""Path and qualified name of a function."""


class RepairKey(NamedTuple):
    """What tells a repair from others, whatever lines have moved."""

    kind: str
    function: FunctionKey
    codes: tuple[str, ...]
    written: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Repair:
    """`kind` says in words what is done, `cures` which findings it must make go away, `edits` where, by path.

    `unsafe` says why a person must judge it; it is empty when behaviour stays the same for certain.
    """

    kind: str
    function: Site
    cures: tuple[Finding, ...]
    edits: tuple[tuple[str, Edit], ...]
    unsafe: str = ""

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(path for path, _ in self.edits)

    @property
    def place(self) -> FunctionKey:
        return (self.function.path, self.function.function)

    @property
    def key(self) -> RepairKey:
        codes = tuple(sorted(finding.code for finding in self.cures))
        written = tuple((path, edit.replacement) for path, edit in self.edits)
        return RepairKey(self.kind, self.place, codes, written)


@dataclass(frozen=True, slots=True)
class Left:
    """A finding that stays, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one kind of fix has to say of a function."""

    repairs: tuple[Repair, ...] = ()
    left: tuple[Left, ...] = ()


NOTHING = Proposal()


def together(proposals: Iterable[Proposal]) -> Proposal:
    """What several proposals say, in their order."""
    every = tuple(proposals)
    return Proposal(
        tuple(repair for each in every for repair in each.repairs), tuple(left for each in every for left in each.left)
    )


@dataclass(slots=True)
class Draft:
    """Collects the edits of one repair, and the reasons that make it unsafe."""

    edits: list[tuple[str, Edit]] = field(default_factory=list)
    doubts: dict[str, None] = field(default_factory=dict)

    def edit(self, path: str, *edits: Edit) -> None:
        self.edits += ((path, edit) for edit in edits)

    def doubt(self, reason: str) -> None:
        self.doubts[reason] = None

    def repair(self, kind: str, function: Site, cures: tuple[Finding, ...]) -> Iterator[Repair]:
        """The repair, if there is anything to do."""
        if self.edits:
            yield Repair(kind, function, cures, tuple(dict.fromkeys(self.edits)), "; ".join(self.doubts))


def drafted(kind: str, function: Site, cures: tuple[Finding, ...], write: Callable[[Draft], None]) -> Proposal:
    """The repair that `write` drafts; where it raises Unfixable, that as the reason why each of the findings stays."""
    draft = Draft()
    try:
        write(draft)
    except Unfixable as reason:
        return Proposal(left=tuple(Left(finding, str(reason)) for finding in cures))
    return Proposal(tuple(draft.repair(kind, function, cures)))
