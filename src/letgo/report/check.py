"""All formats of a check, by name: `check_<format>.py` holds each."""

from importlib import import_module

from letgo.picture.look import Look
from letgo.report.outcome import Outcome, place


def render(outcome: Outcome, form: str, look: Look, *, expand: bool = False, statistics: bool = False) -> str:
    """The outcome in the format called `form`. What is said after `look` is for text alone."""
    if form == "text":
        from letgo.report import check_text

        return check_text.render(outcome, look, expand=expand, statistics=statistics)
    report: str = import_module(f"letgo.report.check_{form}").render(outcome)
    return report


def problems(outcome: Outcome) -> list[str]:
    """What makes a run fail besides its findings, in lines: for whoever doesn't see it in the report."""
    unreadable = [f"{place(found.path, found.line)}: could not be read: {found.reason}" for found in outcome.unreadable]
    stale = [f"{place(entry.site.path, entry.site.line)}: {entry.what}: {entry.cure}" for entry in outcome.stale]
    return unreadable + stale
