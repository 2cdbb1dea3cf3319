"""The run as it goes on: a few numbers on a terminal, a line now and then elsewhere, nothing in CI."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from letgo.prove import histogram, units
from letgo.prove.plan import Plan
from letgo.prove.run import Run

if TYPE_CHECKING:
    from rich.console import RenderableType

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 40
LATEST = 4
"""Steps that "now" means: two seconds."""


@contextmanager
def watching(stream: TextIO, plan: Plan) -> Iterator[Callable[[Run], None]]:
    """A function that shows how far a run is."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield _announcing(stream) if not os.environ.get("CI") else lambda run: None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=stream), refresh_per_second=4, transient=True) as live:
        yield lambda run: live.update(_picture(run, plan))


def _announcing(stream: TextIO) -> Callable[[Run], None]:
    """Tells each phase once, for whoever reads a log."""
    told = ""

    def tell(run: Run) -> None:
        nonlocal told
        if run.phase != told:
            told = run.phase
            stream.write(f"letgo prove: {told}\n")
            stream.flush()

    return tell


def _picture(run: Run, plan: Plan) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    picture = Table.grid(padding=(0, 2))
    picture.add_row(Text(plan.title, style="bold"), Text(_progress(run)), "")
    for name, value, course in _rows(run) if run.recording.steps else ():
        picture.add_row(Text(name, style="dim"), Text(value, style="bold"), Text(course, style="cyan"))
    return picture


def _progress(run: Run) -> str:
    schedule = run.plan.schedule
    if not run.start or run.phase == "ending":
        return run.phase
    phases = (("ramp up", schedule.ramp_up), ("hold", schedule.hold), ("ramp down", schedule.ramp_down))
    passed = run.elapsed
    for name, seconds in phases:
        if passed < seconds:
            return f"{name}, {schedule.seconds - run.elapsed:.0f} s to go"
        passed -= seconds
    return "waiting for the last answers"


def _rows(run: Run) -> list[tuple[str, str, str]]:
    steps = run.recording.steps
    now = steps[-LATEST:]
    width = run.recording.step
    latencies = histogram.merged(step.latencies for step in now)
    rates = [(step.requests - step.errors) / width for step in steps]
    errors = [step.errors / width for step in steps]
    rows = [
        ("users", f"{sum(now[-1].users.values()):,}", ""),
        ("good answers a second", units.count(sum(rates[-LATEST:]) / len(now)), sparkline(rates)),
        ("P50", _latency(latencies, 50), ""),
        (
            "P99",
            _latency(latencies, 99),
            sparkline([histogram.percentile(step.latencies, 99) for step in steps[-WIDTH:]]),
        ),
        ("errors a second", units.count(sum(errors[-LATEST:]) / len(now)), sparkline(errors)),
    ]
    samples = list(run.sampler.seen.samples[-WIDTH * 5 :]) if run.sampler else []
    if samples:
        rows += [
            ("idle in transaction", f"{samples[-1].idle}", sparkline([float(sample.idle) for sample in samples[::5]])),
            (
                "oldest of them",
                units.seconds(samples[-1].oldest),
                sparkline([sample.oldest for sample in samples[::5]]),
            ),
        ]
    return rows


def _latency(latencies: histogram.Counts, percent: float) -> str:
    return units.seconds(histogram.percentile(latencies, percent)) if latencies else "no answers"


def sparkline(values: list[float]) -> str:
    """The latest values as a row of blocks, the highest as a full one."""
    latest = values[-WIDTH:]
    top = max(latest, default=0)
    return "".join(BLOCKS[round(value / top * (len(BLOCKS) - 1))] if top else BLOCKS[0] for value in latest)
