"""Three ways to say no to a finding, all with a reason: a comment, the allowlist, the baseline.

- `# letgo: ignore[LG201] reason` on the line of a finding or of its handler's `def`, or alone on the line above.
- `letgo-allowlist.json`, what is accepted for good: a list of `{"path", "function", "codes", "reason"}`.
- `letgo-baseline.json`, what is to be fixed: `{"reason", "findings": {path: {function: {code: count}}}}`. It names no
  lines, so that code may move, and it can only shrink.

Each entry must match something: one that no longer does is `Stale`, and fails the run.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from letgo.holds import Finding, Site
from letgo.rules.suppression import allowlist as _allowlist
from letgo.rules.suppression import baseline as _baseline
from letgo.rules.suppression import comments as _comments
from letgo.rules.suppression.allowlist import Allowance
from letgo.rules.suppression.baseline import Baseline
from letgo.rules.suppression.comments import Comment

Covers = Callable[[str, str], bool]
"""Whether this run looked into a file (a path) for a rule (a code)."""


@dataclass(frozen=True, slots=True)
class Said:
    """All that was said against findings."""

    comments: tuple[Comment, ...] = ()
    allowlist: tuple[Allowance, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)


@dataclass(frozen=True, slots=True)
class Stale:
    """An entry at `site` that matches nothing any more: what it was for, and how to drop it."""

    by: str
    site: Site
    what: str
    cure: str


def everything(path: str, code: str) -> bool:
    """Covers all: the whole code base was read, for every rule."""
    return True


def suppress(
    findings: Iterable[Finding], said: Said, covers: Covers = everything
) -> tuple[tuple[Finding, ...], tuple[Stale, ...]]:
    """The findings, each with the suppression that applies to it, and the entries that apply to none.

    A comment goes before the allowlist, that before the baseline; what one has suppressed no longer counts for the
    next. An entry for something that this run did not look for is not judged.
    """
    accepted = tuple(
        replace(
            finding,
            suppression=_comments.suppression_of(finding, said.comments)
            or _allowlist.suppression_of(finding, said.allowlist),
        )
        for finding in findings
    )
    known = _baseline.counted(finding for finding in accepted if finding.suppression is None)
    suppressed = tuple(
        finding
        if finding.suppression
        else replace(finding, suppression=_baseline.suppression_of(finding, known, said.baseline))
        for finding in accepted
    )
    return suppressed, tuple(_stale(suppressed, said, covers))


def prune(findings: Iterable[Finding], said: Said, covers: Covers = everything) -> Said:
    """What is left when every entry that matches none of the (suppressed) findings is dropped.

    Comments stay: they are the source's.
    """
    findings = tuple(findings)
    return Said(
        said.comments,
        _allowlist.pruned(said.allowlist, findings, covers),
        _baseline.pruned(said.baseline, findings, covers),
    )


def _stale(findings: tuple[Finding, ...], said: Said, covers: Covers) -> Iterator[Stale]:
    left = prune(findings, said, covers)
    for comment, code in _comments.unused(said.comments, findings, covers):
        yield Stale(
            "inline", comment.site, f"ignores {code}, which is not found here", f"delete {code} from the comment"
        )
    kept = {(entry.site, code) for entry in left.allowlist for code in entry.codes}
    for entry in said.allowlist:
        for code in entry.codes:
            if (entry.site, code) not in kept:
                what = f"allows {code} in {entry.function} of {entry.path}, which is not found"
                yield Stale("allowlist", entry.site, what, "drop it with `letgo baseline --prune`")
    for key, count in said.baseline.counts.items():
        found = left.baseline.counts.get(key, 0)
        if found < count:
            path, function, code = key
            what = f"counts {count} of {code} in {function} of {path}, found {found or 'none'}"
            yield Stale("baseline", said.baseline.site_of(key), what, "shrink it with `letgo baseline --prune`")
