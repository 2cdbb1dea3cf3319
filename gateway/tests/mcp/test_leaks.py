"""Slow upstreams and open streams hold nothing of the gateway's: least of all its ten connections to the database."""

import asyncio
import time
from typing import Any

import psycopg
import pytest
from gateway.tests.mcp.serving import Json, RawClient, Stub, client, in_loop, meta, modern_headers, serve, text
from gateway.tests.mcp.test_joined import gateway_of, running, until_listed

MANY = 500
SLOW = 4.0
SOON = 0.1
OLDEST_TRANSACTION = 1.0


async def slow(arguments: Json) -> Json:
    await asyncio.sleep(SLOW)
    return text("done")


async def nothing(arguments: Json) -> Json:
    return text("nothing")


class Watch:
    """What the database says of transactions meanwhile: the age of the oldest, in seconds."""

    def __init__(self, url: str) -> None:
        self._url, self.oldest, self.asked = url, 0.0, 0

    def look(self) -> None:
        age = "select coalesce(extract(epoch from max(clock_timestamp() - xact_start)), 0) from pg_stat_activity"
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(
                f"{age} where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in %'"
            ).fetchone()
        assert row is not None
        self.oldest, self.asked = max(self.oldest, float(row[0])), self.asked + 1


async def timed(caller: RawClient, path: str) -> float:
    began = time.perf_counter()
    response = await caller.http.get(caller.url.removesuffix("/mcp") + path)
    assert response.status_code == 200
    return time.perf_counter() - began


@pytest.mark.parametrize("prepared", ["postgres"], indirect=True)
@in_loop
async def test_500_slow_calls_and_500_streams_hold_nothing(prepared: Any, database_url: str) -> None:
    stub = Stub({"slow": slow})
    async with (
        serve(stub) as upstream,
        running(database_url, pool_size=10) as url,
        gateway_of(url, prepared) as (ask, signed_in),
        client(url) as watcher,
    ):
        caller = await signed_in(ask.token)
        await ask("POST", "/gateways", {"name": "stub", "url": upstream + "/mcp"})
        await until_listed(caller, "slow")
        watcher.http.headers.update(caller.http.headers)
        quiet = max([await timed(watcher, path) for path in ("/health", "/tools") * 5])
        listening = [asyncio.create_task(listen(caller)) for _ in range(MANY)]
        await asyncio.sleep(0)
        calls = [asyncio.create_task(caller.modern("tools/call", name="slow", arguments={})) for _ in range(MANY)]
        async with asyncio.timeout(60):
            while stub.running < MANY and not any(call.done() for call in calls):
                await asyncio.sleep(0.05)
        seen, took = Watch(database_url), []
        while not all(call.done() for call in calls):
            took += [await timed(watcher, "/health"), await timed(watcher, "/tools")]
            await asyncio.to_thread(seen.look)
            await asyncio.sleep(0.05)
        results = await asyncio.gather(*calls)
        assert all(one["result"]["content"][0]["text"] == "done" for one in results)
        assert seen.asked > 1 and seen.oldest < OLDEST_TRANSACTION
        # On a machine that is slow or busy, "soon" is what it was before, many times.
        assert len(took) > 2 and sorted(took)[len(took) // 2] < SOON + 20 * quiet, (quiet, sorted(took))
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        assert not any(task.done() and not task.cancelled() for task in listening)
        await until_quiet(stub)


async def listen(caller: RawClient) -> None:
    params = {"notifications": {"toolsListChanged": True}, "_meta": meta()}
    body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    headers = modern_headers("subscriptions/listen", {})
    async with caller.http.stream("POST", caller.url, json=body, headers=headers) as response:
        async for _ in response.aiter_lines():
            pass


async def until_quiet(stub: Stub) -> None:
    """Nothing is left: no call upstream, no task that serves a stream."""
    async with asyncio.timeout(30):
        while stub.running or serving():
            await asyncio.sleep(0.05)


def serving() -> int:
    """How many requests the gateway is still busy with."""
    return sum("Presence." in repr(task.get_coro()) for task in asyncio.all_tasks())
