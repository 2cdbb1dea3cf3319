"""An outcome on a terminal or in a pipe."""

from collections.abc import Iterator, Sequence

from letgo.picture.look import Look, printable
from letgo.prove import units
from letgo.prove.comparison import compared
from letgo.prove.histogram import percentile_of
from letgo.prove.outcome import Holder, Outcome, Route, Verdict

ROWS = 8
"""How many routes, holders and errors are shown; the page has them all."""

COLOURS = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.INCOMPLETE: "yellow"}


def render_text(outcome: Outcome, look: Look, before: Outcome | None = None) -> str:
    return "\n".join([*_lines(outcome, look), *(_changes(before, outcome, look) if before else ())]) + "\n"


def verdict_line(outcome: Outcome) -> str:
    failed = sum(judgement.passed is False for judgement in outcome.judgements)
    match outcome.verdict:
        case Verdict.PASSED:
            return f"PASSED: all {len(outcome.judgements)} thresholds hold"
        case Verdict.FAILED:
            return f"FAILED: {failed} of {len(outcome.judgements)} thresholds missed"
        case Verdict.INCOMPLETE:
            return "INCOMPLETE: " + "; ".join(
                printable(reason.partition("\n")[0].rstrip(":")) for reason in outcome.incomplete
            )


def _lines(outcome: Outcome, look: Look) -> Iterator[str]:
    yield look.paint(verdict_line(outcome), fg=COLOURS[outcome.verdict], bold=True)
    for reason in outcome.incomplete:
        if "\n" in reason:
            yield from (f"  {printable(line)}" for line in reason.splitlines()[1:])
    yield load_line(outcome)
    yield ""
    for judgement in outcome.judgements:
        mark, colour = {True: ("ok  ", "green"), False: ("FAIL", "red"), None: ("?   ", "yellow")}[judgement.passed]
        measured = units.of_kind(judgement.measured, judgement.kind)
        yield f"  {look.paint(mark, fg=colour, bold=True)}  {judgement.threshold:<40}  {measured:>10}"
    if outcome.holders:
        yield ""
        yield look.paint("Idle in transaction, the longest first", bold=True)
        yield from table(
            ("route", "longest", "mean", "seen", "last statement"), [_holder(each) for each in outcome.holders[:ROWS]]
        )
        yield from _more(len(outcome.holders), "statements")
    yield ""
    yield look.paint("Routes", bold=True)
    rows = [_route(each) for each in outcome.routes[:ROWS]]
    yield from table(("route", "requests", "errors", "P50", "P99", "max"), rows)
    yield from _more(len(outcome.routes), "routes")
    if outcome.failures:
        yield ""
        yield look.paint("Errors", bold=True)
        rows = [(each.route, f"{each.count:,}", each.cause) for each in outcome.failures[:ROWS]]
        yield from table(("route", "count", "cause"), rows)
        yield from _more(len(outcome.failures), "kinds of errors")
    for gap in outcome.gaps:
        yield ""
        yield f"The database was not seen from {gap.start:.1f} to {gap.end:.1f} s: {printable(gap.reason)}"


def _changes(before: Outcome, outcome: Outcome, look: Look) -> Iterator[str]:
    yield ""
    yield look.paint(f"Before ({before.verdict}) and after ({outcome.verdict})", bold=True)
    rows = [(each.metric, each.before, each.after, each.change) for each in compared(before, outcome)]
    yield from table(("metric", "before", "after", "change"), rows)


def load_line(outcome: Outcome) -> str:
    """What was asked of the app, and what came of it, in a line."""
    setup, metrics = outcome.setup, outcome.metrics
    load = f"{setup.rate:g} visits a second, {setup.users:,} users at most" if setup.rate else f"{setup.users:,} users"
    answers = f"{metrics['requests']:,.0f} requests, {units.count(metrics['rps'])} good answers a second"
    latency = f"P50 {units.seconds(metrics['latency.p50'])}, P99 {units.seconds(metrics['latency.p99'])}"
    return f"{load} for {outcome.seconds:.0f} s: {answers}, {latency}, {units.share(metrics['errors'])} errors"


def _holder(holder: Holder) -> tuple[str, ...]:
    return (
        holder.route or holder.application or "(not named)",
        units.seconds(holder.age_max),
        units.seconds(holder.age_mean),
        f"{holder.transactions:,}",
        shortened(holder.statement, 60),
    )


def _route(route: Route) -> tuple[str, ...]:
    quantiles = [units.seconds(percentile_of(route.seconds, route.counts, percent)) for percent in (50, 99)]
    return (route.name, f"{route.requests:,}", f"{route.errors:,}", *quantiles, units.seconds(route.maximum))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they need; the first and the last to the left, what is between them to the right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [
            cell.ljust(width) if index in (0, len(row) - 1) and not _is_number(head[index]) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  " + "  ".join(cells).rstrip()


def _is_number(head: str) -> bool:
    return head in ("max", "requests", "errors")


def _more(count: int, what: str) -> Iterator[str]:
    if count > ROWS:
        yield f"  ... and {count - ROWS} more {what}"


def shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
