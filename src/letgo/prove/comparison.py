"""Two runs side by side."""

from dataclasses import dataclass

from letgo.prove import units
from letgo.prove.outcome import Outcome
from letgo.prove.thresholds import kind_of

SHOWN = (
    "rps",
    "latency.p50",
    "latency.p99",
    "latency.max",
    "errors",
    "idle_in_transaction.max",
    "idle_in_transaction.mean",
    "idle_in_transaction.age.max",
    "idle_in_transaction.age.mean",
    "idle_in_transaction.transaction_age.max",
    "connections.max",
    "waiting_on_locks.max",
    "commits_per_second",
    "rollbacks_per_second",
)

MORE_IS_BETTER = ("rps",)
NEITHER = ("connections.max", "commits_per_second", "rollbacks_per_second")
"""More of these is neither better nor worse."""


@dataclass(frozen=True, slots=True)
class Change:
    """A metric before and after, in words; `better` is None where it stayed as it was, within a twentieth."""

    metric: str
    before: str
    after: str
    change: str
    better: bool | None


def compared(before: Outcome, after: Outcome) -> tuple[Change, ...]:
    """The metrics that both runs have."""
    return tuple(
        _change(metric, before.metrics[metric], after.metrics[metric])
        for metric in SHOWN
        if metric in before.metrics and metric in after.metrics
    )


def _change(metric: str, before: float, after: float) -> Change:
    kind = kind_of(metric)
    same = abs(after - before) <= 0.05 * max(abs(before), abs(after))
    better = None if same or metric in NEITHER else (after > before) is (metric in MORE_IS_BETTER)
    return Change(metric, units.of_kind(before, kind), units.of_kind(after, kind), _ratio(before, after), better)


def _ratio(before: float, after: float) -> str:
    if before == after:
        return "same"
    if not before or not after:
        return "from none" if not before else "to none"
    ratio = after / before
    if ratio >= 2 or ratio <= 0.5:
        return f"{ratio:.1f} times" if ratio >= 2 else f"1/{1 / ratio:.1f}"
    return f"{(ratio - 1) * 100:+.0f} %"
