"""500 slow streams on a pool of 10: once an app lets go, it has a connection for everybody else."""

import pytest
from benchmarks.streams import measured
from sqlalchemy import URL

STREAMS = 500


@pytest.mark.parametrize("way", ["install(app)", 'Guard, mode="release"'])
def test_while_500_streams_are_open_no_connection_is_held_and_health_is_answered(database: URL, way: str) -> None:
    dsn = database.set(drivername="postgresql").render_as_string(hide_password=False)
    run = measured(dsn, way, STREAMS, asked=20, pool_timeout=60)
    assert (run.streams, run.errors, run.idle, run.taken) == (STREAMS, 0, 0, 0)
    # How soon depends on the machine: `make bench-streams` tells. Whoever waited for a stream would wait for ever.
    assert max(run.health) < 10


def test_without_it_the_pool_is_all_that_there_is(database: URL) -> None:
    dsn = database.set(drivername="postgresql").render_as_string(hide_password=False)
    run = measured(dsn, "as it is", 12, asked=1, pool_timeout=1)
    assert (run.streams, run.errors, run.idle) == (10, 2, 10)
    assert run.health == [float("inf")]
