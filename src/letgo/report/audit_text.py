"""The census for a terminal: a table of files, then what flow analysis says beside it."""

from collections.abc import Iterable, Sequence

import click

from letgo.lifetime.categories import Category
from letgo.lifetime.census import Census, Handler, Tally, tally
from letgo.lifetime.convention import Verdict
from letgo.report.audit_words import CATEGORY, VERDICT, belief, shown_verdicts

LISTED = 10
"""How many handlers a list names before it says where the rest is."""

COLOUR = {
    Verdict.MISSING_BOTH: "red",
    Verdict.MISSING_CLOSE: "yellow",
    Verdict.MISSING_COMMIT: "yellow",
    Verdict.CORRECT: "green",
    Verdict.EXCEPTION: "bright_black",
}


def render_text(census: Census, *, color: bool = False) -> str:
    """The census as plain text; with ANSI colours when `color` is true."""
    if not census.handlers:
        return "No handler has a session injected.\n"
    parts = [table(census), flow_table(census.total), plan(census), surprises(census)]
    text = "\n".join(part for part in parts if part)
    return text if color else click.unstyle(text)


def table(census: Census) -> str:
    """One line a file, and the total."""
    total = census.total
    shown = shown_verdicts(total.verdicts)
    heads = [
        bold("file"),
        bold("handlers"),
        *(click.style(VERDICT[v].lower(), fg=COLOUR[v], bold=True) for v in shown),
        bold("holding"),
    ]
    rows = [row(path, tally(handlers), shown) for path, handlers in census.by_file().items()]
    return aligned([heads, *rows, [bold(cell) for cell in row("total", total, shown)]])


def row(title: str, counted: Tally, shown: Iterable[Verdict]) -> list[str]:
    verdicts = [click.style(number(counted.verdicts[v]), fg=COLOUR[v]) for v in shown]
    return [title, number(counted.handlers), *verdicts, number(counted.holding.total())]


def flow_table(total: Tally) -> str:
    """Verdicts by what the code really does."""
    rows = [[bold("beside what really happens"), bold("hold on some path"), bold("hold nothing")]]
    for verdict in shown_verdicts(total.verdicts):
        held = total.holding[verdict]
        label = f"{total.verdicts[verdict]} {VERDICT[verdict].lower()}"
        rows.append([label, number(held), number(total.verdicts[verdict] - held)])
    return aligned(rows)


def plan(census: Census) -> str:
    """How many handlers each category of a fix plan has, and the file with most of them."""
    rows = [[bold("to do"), bold("handlers"), bold("most in")]]
    for category, handlers in census.by_category().items():
        if handlers:
            path, count = hotspots(handlers)[0]
            rows.append([f"{category} {CATEGORY[category]}", number(len(handlers)), f"{path} ({count})"])
    return aligned(rows, left=(0, 2)) if len(rows) > 1 else ""


def hotspots(handlers: Iterable[Handler]) -> list[tuple[str, int]]:
    """Files with their number of handlers, most first."""
    counts: dict[str, int] = {}
    for handler in handlers:
        counts[handler.site.path] = counts.get(handler.site.path, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def surprises(census: Census) -> str:
    """Where convention and flow disagree."""
    return "\n".join(
        part
        for part in (
            listed("keep the convention and still hold a transaction on some path", census.correct_but_holding),
            listed("miss a call but hold nothing", census.missing_but_clean),
            listed("ask for a session and never use it", unused(census)),
        )
        if part
    )


def unused(census: Census) -> tuple[Handler, ...]:
    return tuple(h for h in census.handlers if Category.UNUSED in h.categories)


def listed(what: str, handlers: Sequence[Handler]) -> str:
    if not handlers:
        return ""
    lines = [bold(f"{len(handlers)} {what}")]
    for handler in handlers[:LISTED]:
        place = click.style(f"{handler.site.path}:{handler.site.line}", fg="cyan")
        said = f"  {belief(handler)}" if handler.holds else ""
        lines.append(f"  {place}  {handler.site.function}{said}")
    if len(handlers) > LISTED:
        lines.append(f"  and {len(handlers) - LISTED} more: the markdown, json and html reports list them all")
    return "\n".join(lines) + "\n"


def aligned(rows: Sequence[Sequence[str]], left: tuple[int, ...] = (0,)) -> str:
    """Rows of (maybe coloured) cells under each other, numbers to the right."""
    widths = [max(len(click.unstyle(cells[column])) for cells in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(pad(cell, widths[n], n in left) for n, cell in enumerate(cells)).rstrip() for cells in rows)
    return "\n".join(lines) + "\n"


def pad(cell: str, width: int, left: bool) -> str:
    space = " " * (width - len(click.unstyle(cell)))
    return cell + space if left else space + cell


def bold(text: str) -> str:
    return click.style(text, bold=True)


def number(count: int) -> str:
    """Nothing is a dot: zeros would drown what there is."""
    return str(count) if count else "·"
