"""Findings as Markdown: for an issue, a pull request, or the summary page of a CI job."""

import re

from letgo.holds import Confidence
from letgo.report.outcome import Outcome, place, plural
from letgo.rules.grouping import FindingGroup, groups


def render(outcome: Outcome) -> str:
    """A summary, a table by rule, then a section for each cause with its places."""
    parts = [f"# letgo: {summary(outcome)}\n"]
    if outcome.findings:
        parts.append(_table(outcome))
    parts += [_section(group) for group in groups(outcome.findings)]
    if outcome.unreadable:
        rows = [f"- `{place(found.path, found.line)}`: {escaped(found.reason)}" for found in outcome.unreadable]
        parts.append("\n".join(("## Could not be read\n", *rows, "")))
    if outcome.stale:
        rows = [
            f"- `{place(stale.site.path, stale.site.line)}` {escaped(stale.what)}: {stale.cure}"
            for stale in outcome.stale
        ]
        parts.append("\n".join(("## Stale suppressions\n", *rows, "")))
    return "\n".join(parts)


def summary(outcome: Outcome) -> str:
    certain, likely = outcome.count(Confidence.CERTAIN), outcome.count(Confidence.LIKELY)
    said = f"{plural(len(outcome.findings), 'finding')} ({certain} certain, {likely} likely)"
    suppressed = f", {len(outcome.suppressed)} suppressed" if outcome.suppressed else ""
    return f"{said}{suppressed} in {plural(outcome.files, 'file')}"


def _table(outcome: Outcome) -> str:
    names = {finding.code: finding.rule for finding in outcome.findings}
    rows = [f"| {code} | {names[code]} | {count} |" for code, count in outcome.by_code().items()]
    return "\n".join(("| Code | Rule | Findings |", "| --- | --- | ---: |", *rows, ""))


def _section(group: FindingGroup) -> str:
    first = group.findings[0]
    lines = [
        f"## {group.code}: {escaped(group.headline)}\n",
        escaped(group.root.cure if group.root else first.help),
        "",
    ]
    lines += [
        f"- [ ] `{place(finding.site.path, finding.site.line)}` in `{finding.handler.function}` ({finding.confidence})"
        for finding in group.findings
    ]
    lines += ["", "<details><summary>How it happens</summary>\n"]
    lines += [f"1. `{place(step.site.path, step.site.line)}` {escaped(step.text)}" for step in first.trace]
    return "\n".join((*lines, "\n</details>\n"))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line; what stands between backticks is code and stays so."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        return _plain("`".join(parts)).replace("`", "\\`")
    return "`".join(part if number % 2 else _plain(part) for number, part in enumerate(parts))


def _plain(text: str) -> str:
    return re.sub(r"([\\*_\[\]<>|#])", r"\\\1", text)
