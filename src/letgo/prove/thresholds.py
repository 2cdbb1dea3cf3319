"""Thresholds: what must be true of a run, as `metric < value` with a unit.

```python
threshold = parse("idle_in_transaction.age.max < 5s")
threshold.holds(4.2)    # True
```
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from operator import ge, gt, le, lt

from letgo.source.errors import UserError

COMPARISONS = {"<": lt, "<=": le, ">": gt, ">=": ge}

UNITS: Mapping[str, Mapping[str, float]] = {
    "seconds": {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0},
    "share": {"%": 0.01},
    "count": {},
}

METRICS: Mapping[str, str] = {
    "idle_in_transaction.max": "count",
    "idle_in_transaction.mean": "count",
    "idle_in_transaction.age.max": "seconds",
    "idle_in_transaction.age.mean": "seconds",
    "idle_in_transaction.transaction_age.max": "seconds",
    "connections.max": "count",
    "active.max": "count",
    "waiting_on_locks.max": "count",
    "commits_per_second": "count",
    "rollbacks_per_second": "count",
    "rps": "count",
    "rps.min": "count",
    "connecting.p99": "seconds",
    "connecting.max": "seconds",
    "pool_wait.mean": "seconds",
    "pool_wait.p99": "seconds",
    "pool_pending.max": "count",
    "latency.mean": "seconds",
    "latency.max": "seconds",
    "errors": "share",
    "errors.count": "count",
}
"""Each metric and the kind of its value; `latency.pN` for any percentile N comes to them."""

DATABASE = ("idle_in_transaction", "connections", "active", "waiting_on_locks", "commits", "rollbacks")
"""What the metrics begin with that the sampler sees."""

PERCENTILE = re.compile(r"latency\.p(\d{1,2}(?:\.\d+)?|100)")
EXPRESSION = re.compile(r"\s*([a-z_.\d]+)\s*(<=|>=|<|>)\s*(\d+(?:[._]?\d+)*)\s*([a-z%]*)\s*")


@dataclass(frozen=True, slots=True)
class Threshold:
    """`value` is in the metric's base unit: a count, seconds, or a share (0.001 for 0.1 %)."""

    expression: str
    metric: str
    comparison: str
    value: float

    def holds(self, measured: float) -> bool:
        return bool(COMPARISONS[self.comparison](measured, self.value))

    @property
    def kind(self) -> str:
        return kind_of(self.metric)

    @property
    def hopeless_once_missed(self) -> bool:
        """Whether no later measurement can make it good: a greatest value only grows."""
        return self.comparison in ("<", "<=") and self.metric.endswith((".max", ".count"))

    @property
    def of_database(self) -> bool:
        return self.metric.startswith(DATABASE)


def parse(text: str) -> Threshold:
    """Raises UserError that says which part is wrong."""
    match = EXPRESSION.fullmatch(text)
    if match is None:
        raise UserError(
            f"{text!r} is not a threshold", "Write a metric, one of < <= > >=, and a value: latency.p99 < 500ms"
        )
    metric, comparison, number, unit = match.groups()
    try:
        units = UNITS[kind_of(metric)]
    except KeyError:
        raise UserError(f"{text!r}: there is no metric {metric!r}", _did_you_mean(metric, METRICS)) from None
    if unit and unit not in units:
        raise UserError(f"{text!r}: {metric} can't be in {unit!r}", _units_of(metric, units))
    if not unit and kind_of(metric) == "seconds":
        raise UserError(f"{text!r}: {number} of what?", _units_of(metric, units))
    expression = f"{metric} {comparison} {number}{unit}"
    return Threshold(expression, metric, comparison, float(number.replace("_", "")) * units.get(unit, 1.0))


def kind_of(metric: str) -> str:
    """`count`, `seconds` or `share`. Raises KeyError for what is no metric."""
    return "seconds" if PERCENTILE.fullmatch(metric) else METRICS[metric]


def default_thresholds(users: int) -> tuple[str, ...]:
    """What must be true when nothing else is said. 4,000 users get 2,000 answers a second, fewer in proportion."""
    return (
        "idle_in_transaction.max < 50",
        "idle_in_transaction.age.max < 5s",
        "idle_in_transaction.age.mean < 2s",
        f"rps > {users / 2:g}",
        "latency.p99 < 5s",
        "errors < 0.1%",
    )


def _units_of(metric: str, units: Mapping[str, float]) -> str:
    kind = {"seconds": "time", "share": "share", "count": "plain number"}[kind_of(metric)]
    return f"{metric} is a {kind}" + (f"; write it with one of: {', '.join(units)}." if units else ".")


def _did_you_mean(metric: str, known: Collection[str]) -> str:
    close = get_close_matches(metric, [*known, "latency.p50", "latency.p99"], n=1)
    meant = f"Did you mean {close[0]!r}? " if close else ""
    return f"{meant}There are: {', '.join(known)}, and latency.pN for any N."
