"""The tutorials' own code stands still with more users than threads, and does not once it lets go."""

import pytest
from benchmarks import stall
from benchmarks.stall import PATHS, measured
from sqlalchemy import URL

USERS = 60  # more than the pool's 10 and the 40 threads together


@pytest.fixture
def dsn(database: URL) -> str:
    return database.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.mark.parametrize("path", PATHS.values())
def test_more_users_than_threads_are_all_served_once_the_app_lets_go(
    dsn: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POOL_TIMEOUT", "60")  # a standstill would outlast all patience
    monkeypatch.setattr(stall, "PATIENCE", 30.0)
    run = measured(dsn, "install(app)", path, USERS, seconds=1.5)
    assert run.errors == 0
    assert len(run.answers) >= USERS


def test_without_it_they_wait_for_each_other(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POOL_TIMEOUT", "1")
    run = measured(dsn, "as it is", "/items/1", USERS, seconds=1.5)
    assert run.errors > 0
    assert max(sample.oldest for sample in run.samples) > 0.5  # idle until the others give up
