"""What a run is to be: everything that was asked for, with its defaults."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from letgo.prove.application import App
from letgo.prove.models import Schedule
from letgo.prove.pools import PATH as METRICS
from letgo.prove.thresholds import Threshold

USERS = 200
RAMP_UP, HOLD, RAMP_DOWN = 5.0, 20.0, 1.0


def makers_for(users: int) -> int:
    """As many processes as make the load without taking the machine from the app: at most half of the cores."""
    return max(1, min((os.cpu_count() or 2) // 2, -(-users // 1000)))


@dataclass(frozen=True, slots=True)
class Locust:
    """A team's own locustfile; `workers` processes here, `attached` ones on other machines."""

    file: Path
    workers: int = 0
    attached: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """`app` is started here, or one at `url` runs already. Without a `dsn` an embedded Postgres is started.

    dsn_env, dsn_scheme: the variable in which app and commands find the DSN, and the scheme it has there.
    setup: commands that run to their end before the app starts; beside: commands that run as long as it does.
    metrics: the path of the app's metrics, which tell of its pools if there is a guard.
    scenario: a file of users; without one, and without Locust, users are made from the app's OpenAPI.
    """

    schedule: Schedule
    thresholds: tuple[Threshold, ...]
    app: App | None = None
    url: str | None = None
    dsn: str | None = None
    dsn_env: str = "DATABASE_URL"
    dsn_scheme: str = "postgresql"
    setup: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    scenario: Path | None = None
    locust: Locust | None = None
    metrics: str = METRICS
    makers: int = 1
    timeout: float = 30.0
    abort_early: bool = False
    directory: Path = field(default_factory=Path.cwd)

    @property
    def title(self) -> str:
        return self.app.name if self.app else self.url or ""
