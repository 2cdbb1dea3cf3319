"""An outcome in Markdown, for a step summary or a comment."""

import re
from collections.abc import Iterator, Sequence

from letgo.prove import units
from letgo.prove.comparison import compared
from letgo.prove.outcome import Outcome
from letgo.prove.text import load_line, verdict_line

MARKS = {True: "✅", False: "❌", None: "❔"}
ROWS = 10


def render_markdown(outcome: Outcome, before: Outcome | None = None) -> str:
    return "\n".join(_lines(outcome, before)) + "\n"


def _lines(outcome: Outcome, before: Outcome | None) -> Iterator[str]:
    yield f"## letgo prove: {_cell(outcome.title)}"
    yield ""
    yield f"**{_cell(verdict_line(outcome))}**"
    yield ""
    yield _cell(load_line(outcome))
    yield ""
    yield from _table(
        ("", "threshold", "measured"),
        [
            (MARKS[each.passed], _code(each.threshold), units.of_kind(each.measured, each.kind))
            for each in outcome.judgements
        ],
    )
    if before is not None:
        changes = compared(before, outcome)
        yield from _table(
            ("metric", "before", "after", "change"),
            [(each.metric, each.before, each.after, each.change) for each in changes],
        )
    if outcome.holders:
        held = [
            (
                _cell(each.route or each.application),
                units.seconds(each.age_max),
                f"{each.transactions:,}",
                _code(each.statement),
            )
            for each in outcome.holders[:ROWS]
        ]
        yield from _table(("idle in transaction", "longest", "seen", "last statement"), held)
    if outcome.failures:
        failed = [(_cell(each.route), f"{each.count:,}", _cell(each.cause)) for each in outcome.failures[:ROWS]]
        yield from _table(("errors of", "count", "cause"), failed)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"
    yield ""


def _code(text: str) -> str:
    """Code in a cell: as it is, for nothing in it means anything but a bar, between more backticks than it has."""
    shown = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
