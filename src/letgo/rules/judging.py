"""From facts to ranked, grouped findings."""

from letgo.holds import Confidence, Finding
from letgo.lifetime.facts import Facts
from letgo.rules.grouping import without_lone_roots
from letgo.rules.selection import ignores, selected
from letgo.source.settings import Settings


def judge(facts: Facts, settings: Settings) -> tuple[Finding, ...]:
    """The findings of all selected rules: what can hold longest first, certain before likely, then by place.

    Per-file ignores look at the file that a finding shows in.
    """
    found = [
        finding
        for rule in selected(settings)
        for finding in rule.check(facts)
        if settings.min_confidence in (finding.confidence, Confidence.LIKELY)
        and not ignores(settings, finding.site.path, rule)
    ]
    return without_lone_roots(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[int, bool, str, int, str]:
    likely = finding.confidence is Confidence.LIKELY
    return -finding.rank, likely, finding.site.path, finding.site.line, finding.code
