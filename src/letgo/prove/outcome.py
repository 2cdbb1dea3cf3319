"""The outcome of a run, whole: what every report is made of, and what the JSON holds.

Times are seconds, shares 0 to 1. The time axis has steps of `Timeline.step` seconds from the start of the load; None in
a column says that nothing was seen in that step.
"""

from dataclasses import dataclass
from enum import StrEnum

FORMAT = 2
"""Grows when a field changes its meaning or goes."""


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A threshold and what was measured; None if that could not be seen."""

    threshold: str
    metric: str
    kind: str
    measured: float | None
    passed: bool | None


@dataclass(frozen=True, slots=True)
class Setup:
    """What was run. `users_from` says in words where the users' requests come from."""

    app: str
    server: str
    workers: int
    database: str
    model: str
    users: int
    rate: float | None
    ramp_up: float
    hold: float
    ramp_down: float
    timeout: float
    users_from: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A column for each line of the charts. Latencies are those of the answers of that step.

    pool_wait: the mean of the waits for a connection that ended; pool_pending: who waited. Both are the guard's.
    """

    step: float
    users: tuple[float | None, ...]
    rps: tuple[float | None, ...]
    errors: tuple[float | None, ...]
    p50: tuple[float | None, ...]
    p95: tuple[float | None, ...]
    p99: tuple[float | None, ...]
    idle_in_transaction: tuple[float | None, ...]
    oldest: tuple[float | None, ...]
    oldest_transaction: tuple[float | None, ...]
    active: tuple[float | None, ...]
    waiting: tuple[float | None, ...]
    connections: tuple[float | None, ...]
    commits: tuple[float | None, ...]
    rollbacks: tuple[float | None, ...]
    pool_wait: tuple[float | None, ...]
    pool_pending: tuple[float | None, ...]
    app_cpu: tuple[float | None, ...]
    load_cpu: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Its latencies as a histogram: `counts` of requests took about `seconds`."""

    name: str
    requests: int
    errors: int
    rps: float
    mean: float
    maximum: float
    seconds: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Holder:
    """Transactions that were seen idle after one statement: how many, and their greatest ages, by mean and maximum."""

    route: str
    application: str
    statement: str
    transactions: int
    age_mean: float
    age_max: float
    transaction_age_max: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Errors of one route with one cause."""

    route: str
    cause: str
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which the database could not be seen."""

    start: float
    end: float
    reason: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What measuring took. Shares are of one core; `late` is how far behind its clock a maker of load was at worst.

    `connections` were made, most of them within `connecting_p99`; None and 0 where the maker does not tell.
    """

    makers: int
    maker: str
    cpu_share: float
    cpu_per_request: float
    late: float
    connections: int
    connecting_p99: float | None
    samples: int
    sample_seconds: float
    app_cpu_share: float | None


@dataclass(frozen=True, slots=True)
class Machine:
    system: str
    cores: int
    memory_bytes: int | None
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`incomplete` says why a run did not get to its end, in words; `metrics` has what thresholds can speak of."""

    format: int
    letgo: str
    title: str
    started: str
    seconds: float
    verdict: Verdict
    incomplete: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    metrics: dict[str, float]
    setup: Setup
    timeline: Timeline
    routes: tuple[Route, ...]
    holders: tuple[Holder, ...]
    failures: tuple[Failure, ...]
    gaps: tuple[Gap, ...]
    cost: Cost
    machine: Machine
