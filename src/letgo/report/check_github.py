"""Workflow commands: annotations on the lines of a pull request.

See https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands and, for the escapes,
https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts.
"""

from letgo.holds import Confidence
from letgo.report.outcome import Outcome, place


def render(outcome: Outcome) -> str:
    """An `error` for each certain finding, unreadable file and stale suppression, a `warning` for each likely one."""
    lines = [
        command(
            "error" if finding.confidence is Confidence.CERTAIN else "warning",
            finding.site.path,
            finding.site.line,
            f"{finding.code} {finding.rule}",
            f"{place(finding.site.path, finding.site.line)}: {finding.message}\n{finding.help}",
        )
        for finding in outcome.findings
    ]
    lines += [
        command("error", found.path, found.line, "letgo could not read this file", found.reason)
        for found in outcome.unreadable
    ]
    lines += [
        command("error", stale.site.path, stale.site.line, "stale suppression", f"{stale.what}; {stale.cure}")
        for stale in outcome.stale
    ]
    return "".join(f"{line}\n" for line in lines)


def command(level: str, path: str, line: int, title: str, message: str) -> str:
    """One workflow command. It stays a single line whatever the texts hold."""
    place_ = f"file={in_property(path)}" + (f",line={line}" if line else "")
    return f"::{level} {place_},title={in_property(title)}::{in_message(message)}"


def in_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def in_property(text: str) -> str:
    return in_message(text).replace(":", "%3A").replace(",", "%2C")
