"""What the tests of the guard share: a guard that tells quickly, and apps on a real Postgres."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from letgo.runtime.guard import Guard, Seen
from letgo.runtime.guard.guard import stop

IDLE = """
    select count(*) from pg_stat_activity
    where datname = current_database() and state like 'idle in transaction%'
"""


@pytest.fixture
def seen() -> list[Seen]:
    """All that the guards of a test have found, in order."""
    return []


@pytest.fixture
def guarded(seen: list[Seen]) -> Iterator[Callable[..., Guard]]:
    """Makes a guard around an app; after the test nothing follows any engine."""

    def guard(app: Any, **options: Any) -> Guard:
        return Guard(app, **{"wait": 0.02, "tick": 0.005, "held": 5.0, "on_finding": seen.append, **options})

    yield guard
    stop()


@pytest.fixture
def idle(database: URL) -> Iterator[Callable[[], int]]:
    """Counts the transactions that Postgres sees idle in the test's database."""
    dsn = database.set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(dsn, autocommit=True) as connection:

        def count() -> int:
            row = connection.execute(IDLE).fetchone()
            assert row is not None
            return int(row[0])

        yield count
