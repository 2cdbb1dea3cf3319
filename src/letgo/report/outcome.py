"""What one run of `letgo check` has to say: the input of every `check_*` report."""

import os
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from letgo.holds import Confidence, Finding, Site, Step
from letgo.lifetime.facts import Unresolved
from letgo.rules.rule import Rule
from letgo.rules.suppression import Stale
from letgo.source.codebase import Unreadable


@dataclass(frozen=True, slots=True)
class Outcome:
    """Paths are relative to `root`, or absolute.

    `findings` stand, in the order of their ranks, `suppressed` do not count. `unresolved` is empty unless asked for.
    `files` is how many were read, in `seconds`.
    """

    root: Path
    findings: tuple[Finding, ...] = ()
    suppressed: tuple[Finding, ...] = ()
    stale: tuple[Stale, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    rules: tuple[Rule, ...] = ()
    files: int = 0
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """2 when something could not be read, 1 when a finding stands or a suppression is stale, otherwise 0."""
        if self.unreadable:
            return 2
        return 1 if self.findings or self.stale else 0

    def count(self, confidence: Confidence) -> int:
        return sum(finding.confidence is confidence for finding in self.findings)

    def by_code(self) -> dict[str, int]:
        """How many findings stand of each code, most first."""
        counts = Counter(finding.code for finding in self.findings)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def seen_from(outcome: Outcome, directory: Path) -> Outcome:
    """The outcome with all paths relative to `directory`, as the person there would write them."""

    @cache
    def path(text: str) -> str:
        try:
            return os.path.relpath(outcome.root / text, directory).replace(os.sep, "/")
        except ValueError:  # on another drive
            return str(outcome.root / text)

    @cache
    def site(place: Site) -> Site:
        seen = path(place.path)
        return place if seen == place.path else replace(place, path=seen)

    def step(known: Step) -> Step:
        seen = site(known.site)
        return known if seen is known.site else replace(known, site=seen)

    def finding(found: Finding) -> Finding:
        return replace(
            found,
            site=site(found.site),
            handler=site(found.handler),
            trace=tuple(map(step, found.trace)),
            root=found.root and replace(found.root, site=site(found.root.site)),
            suppression=found.suppression and replace(found.suppression, site=site(found.suppression.site)),
        )

    return replace(
        outcome,
        root=directory,
        findings=tuple(map(finding, outcome.findings)),
        suppressed=tuple(map(finding, outcome.suppressed)),
        stale=tuple(replace(stale, site=site(stale.site)) for stale in outcome.stale),
        unreadable=tuple(replace(found, path=path(found.path)) for found in outcome.unreadable),
        unresolved=tuple(replace(call, site=site(call.site)) for call in outcome.unresolved),
    )


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def place(path: str, line: int) -> str:
    """`app/api.py:12`; the path alone when there is no line."""
    return f"{path}:{line}" if line else path
