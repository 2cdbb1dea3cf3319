"""Slow upstreams, those with troubles, and open streams hold nothing of the gateway's: least of all its database."""

import asyncio
import gc
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import pytest
from gateway.leaks.asking import Caller
from gateway.leaks.behaving import BEHAVIOURS, SLOW_SECONDS
from gateway.leaks.processes import Gateway, connections_of, http_upstreams
from gateway.leaks.troubles import Load, Seen, register, trouble
from gateway.tests.mcp.serving import in_loop
from gateway.tests.mcp.test_joined import admin, running
from sqlalchemy import make_url

HELD = SLOW_SECONDS - 0.5
"""A transaction that were open during a call would be as old as that."""
BELONG_TO_REQUESTS = frozenset(
    "_Connection HttpExchange StdioExchange Tracked Presence Answer ModernClient LegacyClient Inbound".split()
)


on_postgres = pytest.mark.parametrize("prepared", ["postgres"], indirect=True)
"""Which can be asked for what it holds; upstreams know nothing of databases."""


@asynccontextmanager
async def scene(
    prepared: Any, database_url: str, *behaviours: str
) -> AsyncIterator[tuple[Gateway, Caller, str | None, list[str]]]:
    """A gateway with a pool of 10 in front of upstreams that behave like this; the tools to call."""
    others = connections_of(os.getpid())  # what runs the tests has one
    dsn = database_url if make_url(database_url).get_backend_name() == "postgresql" else None
    with http_upstreams() as address:
        async with running(database_url, pool_size=10) as url, admin(url, prepared) as administrator:
            caller = Caller(int(url.rpartition(":")[2]), administrator.token)
            tools = [tool for one in behaviours for tool in await register(caller, one, address)]
            await administrator.http.aclose()
            try:
                yield Gateway(caller.port, os.getpid(), others), caller, dsn, tools
            finally:
                caller.close()


def alive() -> Counter[str]:
    """What there is of objects that live as long as a request, and of tasks that serve one."""
    gc.collect()
    kinds = (type(one) for one in gc.get_objects())
    names = (kind.__name__ for kind in kinds if str(kind.__module__).startswith("letgo_gateway."))
    found = Counter(name for name in names if name in BELONG_TO_REQUESTS)
    found["tasks"] = sum("RequestResponseCycle" in repr(task.get_coro()) for task in asyncio.all_tasks())
    return +found


async def until_only(before: Counter[str]) -> None:
    deadline = asyncio.get_running_loop().time() + 60
    while (left := alive() - before) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.2)
    assert not left


def nothing_is_held(seen: Seen) -> None:
    assert seen.failed == 0 and len(seen.probes) > 4
    assert not seen.unexpected, {tool: (end, seen.errors[tool]) for tool, end in seen.unexpected}
    for path in ("/health", "/tools"):
        # How soon is measured by `make bench-gateway-leaks`; that it waits for no call is true on any machine.
        assert median(seen.took(path)) < SLOW_SECONDS, (path, seen.took(path))
    assert seen.oldest is None or seen.oldest < HELD
    assert seen.before is not None and seen.left is not None
    assert (seen.left.connections, seen.left.transactions) == (0, 0)
    assert seen.left.processes <= seen.before.processes


@on_postgres
@in_loop
async def test_500_slow_calls_and_500_streams_hold_nothing(prepared: Any, database_url: str) -> None:
    async with scene(prepared, database_url, "slow") as (gateway, caller, dsn, tools):
        before = alive()
        seen = await trouble(gateway, caller, dsn, tools, Load(calls=500, streams=500, seconds=4.0))
        nothing_is_held(seen)
        assert seen.ended("done") == 500 and seen.streams == 500
        await until_only(before)


@on_postgres
@in_loop
async def test_upstreams_that_hang_die_or_send_nonsense_hold_nothing(prepared: Any, database_url: str) -> None:
    async with scene(prepared, database_url, *BEHAVIOURS) as (gateway, caller, dsn, tools):
        before = alive()
        load = Load(calls=10 * len(tools), streams=100, seconds=8.0)
        seen = await trouble(gateway, caller, dsn, tools, load)
        nothing_is_held(seen)
        assert {tool for tool, _ in seen.ends} == set(tools)
        await until_only(before)
