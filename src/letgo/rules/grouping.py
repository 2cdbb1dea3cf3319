"""Findings that share one cause, told once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from letgo.holds import Finding, Root


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of one code with one root; without a root it is a single finding."""

    code: str
    root: Root | None
    findings: tuple[Finding, ...]

    @property
    def headline(self) -> str:
        """How many functions share which cause; of a single finding, its message."""
        if self.root is None:
            return self.findings[0].message
        functions = _functions(self.findings)
        return f"{functions} function{'s' if functions > 1 else ''}: {self.root.cause}"


def groups(findings: Iterable[Finding]) -> tuple[FindingGroup, ...]:
    """The findings by code and root, in the order in which each group first appears."""
    members: dict[tuple[object, ...], list[Finding]] = {}
    for number, finding in enumerate(findings):
        key = (finding.code, finding.root) if finding.root else (number,)
        members.setdefault(key, []).append(finding)
    return tuple(FindingGroup(found[0].code, found[0].root, tuple(found)) for found in members.values())


def without_lone_roots(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings; a root that only one function has is dropped, since it explains nothing more."""
    findings = tuple(findings)
    alone = {(group.code, group.root) for group in groups(findings) if group.root and _functions(group.findings) == 1}
    return tuple(
        replace(finding, root=None) if (finding.code, finding.root) in alone else finding for finding in findings
    )


def _functions(findings: Iterable[Finding]) -> int:
    return len({finding.handler for finding in findings})
