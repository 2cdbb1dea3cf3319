"""What makers of load tell, put together: by step of time and by route."""

from collections import Counter
from dataclasses import dataclass, field
from math import ceil

from letgo.prove.histogram import merged
from letgo.prove.ticks import STEP, RouteTick, Tick

STEPS = 1200
"""A longer run has longer steps, so that neither memory nor a report grows with time."""


@dataclass(slots=True)
class Step:
    """What all makers told of one step of time."""

    requests: int = 0
    errors: int = 0
    cpu_seconds: float = 0.0
    latencies: dict[int, int] = field(default_factory=dict)
    users: dict[int, int] = field(default_factory=dict)  # by maker

    def add(self, other: "Step") -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.cpu_seconds += other.cpu_seconds
        self.latencies = merged([self.latencies, other.latencies])
        self.users |= other.users


@dataclass(slots=True)
class RouteTotal:
    requests: int = 0
    latencies: dict[int, int] = field(default_factory=dict)
    service: dict[int, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Recording:
    """`take` ticks; the rest is there to be read at any time. `good` counts answers without an error in the hold."""

    hold: tuple[float, float]
    step: float = STEP
    steps: list[Step] = field(default_factory=list)
    routes: dict[str, RouteTotal] = field(default_factory=dict)
    connecting: dict[int, int] = field(default_factory=dict)
    good_in_hold: int = 0
    late: float = 0.0
    until: float = 0.0
    _cpu: dict[int, float] = field(default_factory=dict)

    def take(self, tick: Tick) -> None:
        requests = errors = 0
        for name, route in tick.routes.items():
            self._add(name, route)
            requests += route.requests
            errors += sum(route.errors.values())
        if self.hold[0] < tick.at <= self.hold[1] + STEP / 2:
            self.good_in_hold += requests - errors
        cpu_seconds = tick.cpu_seconds - self._cpu.get(tick.maker, 0.0)
        self._cpu[tick.maker] = tick.cpu_seconds
        self.late, self.until = max(self.late, tick.late), max(self.until, tick.at)
        self.connecting = merged([self.connecting, tick.connecting])
        latencies = merged(route.latencies for route in tick.routes.values())
        self._step_at(tick.at).add(Step(requests, errors, cpu_seconds, latencies, {tick.maker: tick.users}))

    @property
    def requests(self) -> int:
        return sum(route.requests for route in self.routes.values())

    @property
    def errors(self) -> int:
        return sum(route.errors.total() for route in self.routes.values())

    @property
    def cpu_seconds(self) -> float:
        return sum(step.cpu_seconds for step in self.steps)

    def latencies(self) -> dict[int, int]:
        return merged(route.latencies for route in self.routes.values())

    def seconds_in_hold(self) -> float:
        """How much of the hold has passed."""
        return max(0.0, min(self.until, self.hold[1]) - self.hold[0])

    def _add(self, name: str, tick: RouteTick) -> None:
        total = self.routes.setdefault(name, RouteTotal())
        total.requests += tick.requests
        total.latencies = merged([total.latencies, tick.latencies])
        total.service = merged([total.service, tick.service])
        total.errors.update(tick.errors)

    def _step_at(self, at: float) -> Step:
        """The step that ends at `at`."""
        index = max(0, ceil((at - STEP / 2) / self.step) - 1)
        while index >= STEPS:
            self._coarsen()
            index //= 2
        while len(self.steps) <= index:
            self.steps.append(Step())
        return self.steps[index]

    def _coarsen(self) -> None:
        """Make one step of each two."""
        for left, right in zip(self.steps[::2], self.steps[1::2], strict=False):
            left.add(right)
        self.steps = self.steps[::2]
        self.step *= 2
