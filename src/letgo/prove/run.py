"""A run while it goes on: what was planned, what is known so far."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from letgo.prove import measuring
from letgo.prove.plan import Plan
from letgo.prove.pools import PoolWatcher
from letgo.prove.processes import Supervised
from letgo.prove.recording import Recording
from letgo.prove.sampler import Sampler
from letgo.prove.thresholds import Threshold

SILENT_SECONDS = 30.0
"""If no maker says anything for so long, something is wrong with all of them."""


LOCUST_SECONDS = 150.0
"""The same for Locust, which may first have to wait for its workers."""


@dataclass(slots=True)
class Run:
    """What is known of a run while it goes on. `phase` says in words what it does now."""

    plan: Plan
    phase: str = ""
    start: float = 0.0
    recording: Recording = field(default_factory=lambda: Recording((0, 0)))
    sampler: Sampler | None = None
    pools: PoolWatcher | None = None
    app: Supervised | None = None
    app_cpu: list[tuple[float, float]] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    hopeless: str = ""
    notes: list[str] = field(default_factory=list)
    users_from: str = ""
    database: str = ""
    makers: int = 0
    maker: str = "letgo"
    locusts: Sequence[Supervised] = ()
    patience: float = SILENT_SECONDS

    @property
    def elapsed(self) -> float:
        """Seconds of load so far."""
        return max(0.0, time.perf_counter() - self.start) if self.start else 0.0

    def metrics(self, thresholds: Sequence[Threshold] = ()) -> dict[str, float]:
        """All metrics of what is known so far, with the percentiles that these thresholds ask for."""
        seen = self.sampler.seen if self.sampler else None
        return measuring.metrics(self.recording, seen, self.start, thresholds, self.pools.looks if self.pools else ())
