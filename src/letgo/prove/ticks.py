"""What a maker of load tells of each step of time."""

from dataclasses import dataclass, field

STEP = 0.5
"""Seconds: how often makers of load report, and the finest step of a report's time axis."""


@dataclass(slots=True)
class RouteTick:
    """The answers of one route in one step: a count for each latency bucket, and for each cause of an error.

    `requests` have ended, one way or another; an error is one of them. `latencies` has those that got an answer or were
    given up. In the closed model they count from the moment the request was sent, in the open one from when it was due;
    `service` then has the same from the sending.
    """

    requests: int = 0
    latencies: dict[int, int] = field(default_factory=dict)
    service: dict[int, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tick:
    """One step of one maker, that ended `at` seconds after the start of the load.

    `users` are at work at its end; `cpu_seconds` were used since the start; `late` is how far behind its clock it was;
    `connecting` counts by latency bucket how long connections took that were made in this step.
    """

    maker: int
    at: float
    users: int
    cpu_seconds: float
    late: float
    routes: dict[str, RouteTick]
    connecting: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Began:
    """The load of a maker with a mind of its own has begun, `at` of `perf_counter`."""

    at: float


@dataclass(frozen=True, slots=True)
class Bug:
    """The scenario failed: `message` says what and where. There is no load after it."""

    message: str
