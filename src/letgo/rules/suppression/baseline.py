"""The baseline: findings that are known and to be fixed, counted by function and code. It can only shrink."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from letgo.holds import Finding, Site, Suppression
from letgo.rules.suppression.files import read_json, write_json
from letgo.source.errors import UserError

Key: TypeAlias = tuple[str, str, str]
"""Path, function, code."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """How many findings of a code each function had. `sites` is where the file says so."""

    reason: str = "known, to be fixed"
    counts: Mapping[Key, int] = field(default_factory=dict)
    sites: Mapping[Key, Site] = field(default_factory=dict)

    def site_of(self, key: Key) -> Site:
        return self.sites.get(key, Site("letgo-baseline.json", 1, "<baseline>"))


def load_baseline(path: Path) -> Baseline | None:
    """The baseline, or None when there is no such file.

    Raises `UserError` naming line and column of broken JSON, or what is not
    `{"reason", "findings": {path: {function: {code: count}}}}`.
    """
    read = read_json(path)
    if read is None:
        return None
    text, content = read
    problems = list(_problems(content))
    if problems or not isinstance(content, dict):
        raise UserError(
            "\n".join(f"{path}: {problem}" for problem in problems), "write it with `letgo baseline --write`"
        )
    counts = {
        (file, function, code): count
        for file, functions in content["findings"].items()
        for function, codes in functions.items()
        for code, count in codes.items()
    }
    sites = {key: Site(str(path), _line(text, key), "<baseline>") for key in counts}
    return Baseline(content["reason"].strip(), counts, sites)


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Writes the baseline in order of path, function and code. Raises `UserError` when it can't be written."""
    findings: dict[str, dict[str, dict[str, int]]] = {}
    for (file, function, code), count in sorted(baseline.counts.items()):
        findings.setdefault(file, {}).setdefault(function, {})[code] = count
    write_json(path, {"reason": baseline.reason, "findings": findings})


def counted(findings: Iterable[Finding]) -> Counter[Key]:
    """How many findings there are of each key."""
    return Counter(_key(finding) for finding in findings)


def suppression_of(finding: Finding, found: Mapping[Key, int], baseline: Baseline) -> Suppression | None:
    """The count that covers the finding.

    When a function has more of a code than was counted, none of them can be told to be the old one: all of them stand.
    """
    key = _key(finding)
    if found[key] > baseline.counts.get(key, 0):
        return None
    return Suppression("baseline", baseline.reason, baseline.site_of(key))


def pruned(baseline: Baseline, findings: Iterable[Finding], covers: Callable[[str, str], bool]) -> Baseline:
    """The baseline with no count above what is found."""
    found = counted(
        finding for finding in findings if finding.suppression is None or finding.suppression.by == "baseline"
    )
    left = {key: min(count, found[key]) if covers(key[0], key[2]) else count for key, count in baseline.counts.items()}
    return replace(baseline, counts={key: count for key, count in left.items() if count})


def grown(old: Baseline, new: Baseline) -> tuple[Key, ...]:
    """The keys of which `new` counts more than `old`: a baseline must not have any."""
    return tuple(key for key, count in sorted(new.counts.items()) if count > old.counts.get(key, 0))


def _key(finding: Finding) -> Key:
    return finding.handler.path, finding.handler.function, finding.code


def _line(text: str, key: Key) -> int:
    """The line of the function in its file's part of the text, as `write_baseline` lays it out."""
    path, function, _ = key
    file = max(0, text.find(f"{json.dumps(path, ensure_ascii=False)}:"))
    return text.count("\n", 0, max(0, text.find(f"{json.dumps(function, ensure_ascii=False)}:", file))) + 1


def _problems(content: object) -> Iterator[str]:
    if not isinstance(content, dict) or content.keys() != {"reason", "findings"}:
        yield "a baseline has a `reason` and `findings`"
        return
    if not isinstance(content["reason"], str) or not content["reason"].strip():
        yield "`reason` must say why these findings may wait"
    yield from _problems_of_findings(content["findings"])


def _problems_of_findings(findings: object) -> Iterator[str]:
    if not isinstance(findings, dict):
        yield "`findings` maps a path to its functions"
        return
    for path, functions in findings.items():
        if not isinstance(functions, dict) or not all(isinstance(codes, dict) for codes in functions.values()):
            yield f"`{path}` maps a function to its codes, each with a count"
            continue
        for function, codes in functions.items():
            for code, count in codes.items():
                if type(count) is not int or count < 1:
                    yield f"{code} in {function} of {path} must be counted 1 or more"
