"""Two workers on one database: what is changed at one, the other knows within a second."""

from collections.abc import Iterator
from typing import Any

import pytest
from gateway.leaks.asking import Caller
from gateway.leaks.coherence import NEW, Cut, Workers, changes, cut_of, no_cut
from gateway.tests.mcp.serving import in_loop
from gateway.tests.mcp.test_joined import admin, running
from gateway.tests.serving import StartGateway
from sqlalchemy import make_url

from letgo_gateway.registry.kinds import KINDS

SOON, LONG = 0.1, 3600.0
"""How often a worker asks, in seconds: sooner than by default, for there are many changes to wait for, or never."""
NOWHERE = "postgresql://127.0.0.1:1/nowhere"
PATIENCE = 30.0
"""For a busy machine. A second is promised, and measured by `make bench-gateway-leaks`."""


@pytest.fixture(params=["notified", "cut", "asking"])
def way(request: pytest.FixtureRequest, database_url: str) -> Iterator[tuple[dict[str, Any], Cut]]:
    """With notifications alone; with these cut off right before each change; with nothing but asking.

    Returns the settings of the workers, and what cuts.
    """
    postgres = make_url(database_url).get_backend_name() == "postgresql"
    if not postgres and request.param != "asking":
        pytest.skip("SQLite notifies nobody")
    match request.param:
        case "notified":
            yield {"changes_interval": LONG}, no_cut
        case "cut":
            yield {"changes_interval": SOON}, cut_of(database_url)
        case "asking":
            yield {"changes_interval": SOON} | ({"listen_url": NOWHERE} if postgres else {}), no_cut


@in_loop
async def test_whatever_is_changed_at_one_worker_is_known_to_the_other(
    prepared: Any, database_url: str, way: tuple[dict[str, Any], Cut]
) -> None:
    settings, cut = way
    async with (
        running(database_url, **settings) as one,
        running(database_url, **settings) as other,
        admin(one, prepared) as administrator,
    ):
        ports = [int(url.rpartition(":")[2]) for url in (one, other)]
        workers = Workers(*(Caller(port, administrator.token) for port in ports))
        try:
            found = await changes(workers, cut)
        finally:
            workers.close()
    assert all(change.seconds < PATIENCE for change in found), found
    assert {kind.topic for kind in KINDS} == NEW.keys()
    assert {change.what.partition(":")[0] for change in found} > NEW.keys()


def test_the_intervals_keep_the_promise_of_a_second(start: StartGateway) -> None:
    assert start().settings.changes_interval <= 0.5


def test_a_worker_that_does_not_know_the_changes_is_not_ready(
    start: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = start()
    assert gateway.anybody.get("/ready")["status"] == "ready"
    monkeypatch.setattr("letgo_gateway.observability.health.STALE_SECONDS", -1.0)
    gateway.anybody.get("/ready", 503)
