"""One line a finding, for editors and for grep."""

from letgo.report.outcome import Outcome, place


def render(outcome: Outcome) -> str:
    """`path:line: CODE message [confidence]`, and the same for what could not be read and for stale suppressions."""
    lines = [
        f"{place(finding.site.path, finding.site.line)}: {finding.code} {finding.message} [{finding.confidence}]"
        for finding in outcome.findings
    ]
    lines += [f"{place(found.path, found.line)}: unreadable: {found.reason}" for found in outcome.unreadable]
    lines += [
        f"{place(stale.site.path, stale.site.line)}: stale: {stale.what}; {stale.cure}" for stale in outcome.stale
    ]
    return "".join(f"{line}\n" for line in lines)
