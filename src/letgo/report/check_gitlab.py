"""A Code Quality report, which GitLab shows in merge requests.

See https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

import hashlib
import json

from letgo.holds import Confidence
from letgo.report.fingerprint import fingerprints
from letgo.report.outcome import Outcome

SEVERITY = {Confidence.CERTAIN: "major", Confidence.LIKELY: "minor"}


def render(outcome: Outcome) -> str:
    """A list with one issue for each finding, unreadable file and stale suppression."""
    issues = [
        issue(
            finding.code,
            f"{finding.message}. {finding.help}",
            SEVERITY[finding.confidence],
            finding.site.path,
            finding.site.line,
            fingerprint,
        )
        for finding, fingerprint in zip(outcome.findings, fingerprints(outcome.findings), strict=True)
    ]
    issues += [
        other("unreadable", f"could not be read: {found.reason}", found.path, found.line)
        for found in outcome.unreadable
    ]
    issues += [
        other("stale-suppression", f"{stale.what}; {stale.cure}", stale.site.path, stale.site.line)
        for stale in outcome.stale
    ]
    return json.dumps(issues, indent=2) + "\n"


def issue(code: str, text: str, severity: str, path: str, line: int, fingerprint: str) -> dict[str, object]:
    return {
        "check_name": code,
        "description": text,
        "severity": severity,
        "fingerprint": fingerprint,
        "location": {"path": path, "lines": {"begin": max(1, line)}},
    }


def other(name: str, text: str, path: str, line: int) -> dict[str, object]:
    content = "\0".join((name, path, str(line), text)).encode(errors="surrogatepass")
    return issue(name, text, "critical", path, line, hashlib.sha256(content).hexdigest()[:32])
