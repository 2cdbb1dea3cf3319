"""Credentials that are revoked end what was opened with them, on every worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from gateway.tests.mcp.serving import PATIENCE, in_loop, meta, modern_headers
from gateway.tests.mcp.test_joined import Administrator, RawClient, admin, callers, running

LISTEN = "subscriptions/listen"


@asynccontextmanager
async def listening(caller: RawClient, legacy: bool) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a stream of either era, once it is open."""
    options: dict[str, Any] = {"method": "GET", "headers": {**caller.legacy_headers(), "accept": "text/event-stream"}}
    if not legacy:
        params = {"notifications": {"toolsListChanged": True}, "_meta": meta()}
        body = {"jsonrpc": "2.0", "id": 1, "method": LISTEN, "params": params}
        options = {"method": "POST", "headers": modern_headers(LISTEN, {}), "json": body}
    async with caller.http.stream(url=caller.url, **options) as response:
        assert response.status_code == 200
        yield response.aiter_lines()


async def until_it_ends(lines: AsyncIterator[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        async for _ in lines:
            pass


@in_loop
async def test_streams_end_with_the_token_they_were_opened_with_on_another_worker(
    prepared: Any, database_url: str
) -> None:
    async with (
        running(database_url) as one,
        running(database_url) as other,
        admin(one, prepared) as ask,
        callers(other) as signed_in,
        AsyncExitStack() as stack,
    ):
        tokens = [await ask("POST", "/tokens", {"name": name}) for name in ("revoked", "kept")]
        streams = {}
        for given in tokens:
            caller = await signed_in(given["secret"])
            await caller.initialize()
            for legacy in (True, False):
                key = given["token"]["name"], legacy
                streams[key] = await stack.enter_async_context(listening(caller, legacy))
        reading = {key: asyncio.create_task(until_it_ends(lines)) for key, lines in streams.items()}
        await ask("DELETE", f"/tokens/{tokens[0]['token']['id']}")
        await reading["revoked", True]
        await reading["revoked", False]
        assert not reading["kept", True].done() and not reading["kept", False].done()
        await ask("DELETE", f"/tokens/{tokens[1]['token']['id']}")
        await asyncio.gather(*reading.values())


@in_loop
async def test_a_session_that_is_over_ends_its_streams_and_is_taken_nowhere(prepared: Any, database_url: str) -> None:
    async with running(database_url) as url, admin(url, prepared) as ask, callers(url) as signed_in:
        caller = await signed_in(ask.token)
        await caller.initialize()
        async with listening(caller, legacy=True) as lines, listening(caller, legacy=False) as others:
            await ask("POST", "/auth/logout")
            await until_it_ends(lines)
            await until_it_ends(others)
        for path in ("/mcp", "/rpc", "/tools", "/auth/email/me"):
            assert await status(ask, url + path) == 401, path


async def status(ask: Administrator, url: str) -> int:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    post = url.endswith(("/mcp", "/rpc"))
    response: httpx.Response = await ask.http.request("POST" if post else "GET", url, json=body if post else None)
    return response.status_code
