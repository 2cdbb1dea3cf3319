"""Several workers are one gateway: what belongs together may come to different ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.conformance.memory import gateway, registered
from gateway.tests.conftest import Prepared
from gateway.tests.mcp.serving import Json, RawClient, client, following, in_loop, serve
from sqlalchemy import make_url

from letgo_gateway.mcp.relay import PostgresRelay
from letgo_gateway.upstreams.calls import Era

LONG = "x" * 20_000


def answered(result: Json, content: Json) -> Json:
    """What is sent again with an answer to the one question in a result."""
    key = next(iter(result["inputRequests"]))
    responses = {key: {"action": "accept", "content": content}}
    return {"inputResponses": responses, "requestState": result["requestState"]}


@asynccontextmanager
async def two_workers(on_postgres: Prepared, upstream: str, era: Era) -> AsyncIterator[tuple[RawClient, RawClient]]:
    """The same client, at two workers."""
    async with AsyncExitStack() as stack:
        database, found = stack.enter_context(on_postgres.copy()), []
        for _ in range(2):
            relay = PostgresRelay(make_url(database))
            one = registered("sdk", url=upstream)
            app, _service = await stack.enter_async_context(gateway(one, only=era, relay=relay))
            url = await stack.enter_async_context(serve(app))
            found.append(await stack.enter_async_context(client(url)))
            async with asyncio.timeout(30):
                while relay._connection is None:
                    await asyncio.sleep(0.01)
        yield found[0], found[1]


@in_loop
async def test_a_legacy_client_answers_another_worker(on_postgres: Prepared, sdk_upstream: str) -> None:
    async with two_workers(on_postgres, sdk_upstream, "legacy") as (first, second):
        await first.initialize(elicitation={})
        second.session = first.session
        params = {"name": "test_elicitation", "arguments": {"message": "Who?"}}
        body = {"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": params}
        async with first.http.stream("POST", first.url, json=body, headers=first.legacy_headers()) as response:
            lines = response.aiter_lines()
            asked = await following(lines)
            result = {"action": "accept", "content": {"response": LONG}}
            answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
            await second.http.post(second.url, json=answer, headers=second.legacy_headers())
            last = await following(lines)
        assert LONG in last["result"]["content"][0]["text"]


@in_loop
async def test_a_modern_client_brings_its_input_to_another_worker(on_postgres: Prepared, sdk_upstream: str) -> None:
    able = {"elicitation": {}}
    tool: Json = {"name": "test_input_required_result_multi_round", "arguments": {}}
    async with two_workers(on_postgres, sdk_upstream, "legacy") as (first, second):
        one = (await first.modern("tools/call", able, **tool))["result"]
        two = (await second.modern("tools/call", able, **tool, **answered(one, {"name": LONG})))["result"]
        last = (await second.modern("tools/call", able, **tool, **answered(two, {"color": "blue"})))["result"]
        assert last["content"][0]["text"] == f"{LONG} likes blue"
        again = await second.modern("tools/call", able, **tool, **answered(two, {"color": "red"}))
        assert again["error"]["code"] == -32602


@in_loop
async def test_a_session_that_was_ended_is_ended_everywhere(on_postgres: Prepared, sdk_upstream: str) -> None:
    async with two_workers(on_postgres, sdk_upstream, "modern") as (first, second):
        await first.initialize()
        second.session = first.session
        assert "result" in await second.legacy("tools/list")
        assert (await first.http.delete(first.url, headers=first.legacy_headers())).status_code == 204
        async with asyncio.timeout(30):
            while (await second.post("tools/list", {}, second.legacy_headers())).status_code != 404:
                await asyncio.sleep(0.02)


@in_loop
async def test_a_subscription_reaches_the_stream_on_another_worker(on_postgres: Prepared, sdk_upstream: str) -> None:
    uri = "test://watched-resource"
    async with two_workers(on_postgres, sdk_upstream, "modern") as (first, second):
        await first.initialize()
        second.session = first.session
        async with second.http.stream("GET", second.url, headers=second.legacy_headers()) as response:
            assert "error" not in await first.legacy("resources/subscribe", uri=uri)
            await first.legacy("tools/call", name="touch", arguments={})
            told = await following(response.aiter_lines())
        assert (told["method"], told["params"]["uri"]) == ("notifications/resources/updated", uri)
