"""Postgres goes away and comes back under load: errors are 503s, service comes back, what was acknowledged is there."""

from typing import Any

import pytest
from gateway.leaks import restarting
from gateway.leaks.asking import Caller
from gateway.tests.conftest import run
from gateway.tests.mcp.serving import in_loop
from gateway.tests.mcp.test_joined import admin, running
from gateway.tests.serving import Prepared, quick

from letgo.prove.postgres import embedded_postgres

BACK = 60.0
"""Seconds, for a machine that is slow and busy; five are promised, and measured by `make bench-gateway-leaks`."""


@pytest.mark.parametrize("way", ["restart", "crash"])
def test_postgres_may_go_and_come_back(way: restarting.Way) -> None:
    with embedded_postgres(restarting.SETTINGS) as server:
        prepared: Any = Prepared(run(quick(server.dsn)), None)  # type: ignore[arg-type]

        all_seen: list[restarting.Seen] = []

        @in_loop
        async def scene() -> None:
            async with running(server.dsn) as url, admin(url, prepared) as administrator:
                caller = Caller(int(url.rpartition(":")[2]), administrator.token)
                all_seen.append(await restarting.restarted(server, server.dsn, caller, way, writers=4, seconds=1.0))

        scene()
        [seen] = all_seen
        assert not seen.wrong, seen.wrong[:5]
        assert seen.unavailable, "nobody noticed"
        assert seen.written and not seen.lost
        assert seen.back_after < BACK


def test_a_request_that_has_waited_through_a_restart_is_counted() -> None:
    """The judge of the scenes, judged."""
    seen = restarting.Seen(written={"a", "b"}, kept={"a"}, started=10.0)
    for status, retry in ((200, None), (503, "1"), (503, None), (500, "1"), (0, None)):
        seen.answers.append(restarting.Answer("write", 9.0, 12.0, status, retry))
    assert [one.status for one in seen.wrong] == [503, 500, 0]
    assert (seen.lost, seen.back_after) == ({"b"}, 2.0)
