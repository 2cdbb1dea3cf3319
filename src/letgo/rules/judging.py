"""From facts to ranked, grouped findings."""

from letgo.holds import Confidence, Finding
from letgo.lifetime.facts import Facts
from letgo.rules.grouping import without_lone_roots
from letgo.rules.selection import DEFAULT, Selection


def judge(
    facts: Facts, selection: Selection = DEFAULT, min_confidence: Confidence = Confidence.LIKELY
) -> tuple[Finding, ...]:
    """The findings of all selected rules: what can hold longest first, certain before likely, then by place.

    Per-file ignores look at the file that a finding shows in.
    """
    found = [
        finding
        for rule in selection.rules()
        for finding in rule.check(facts)
        if min_confidence in (finding.confidence, Confidence.LIKELY)
        and not selection.is_ignored_in(finding.site.path, rule)
    ]
    return without_lone_roots(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[int, bool, str, int, str]:
    likely = finding.confidence is Confidence.LIKELY
    return -finding.rank, likely, finding.site.path, finding.site.line, finding.code
