"""Upstreams that hang, die in the middle or talk nonsense hurt nobody but who calls them, and not for long."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from gateway.conformance.memory import gateway, registered
from gateway.tests.mcp.serving import (
    Json,
    Stub,
    client,
    in_loop,
    listening,
    meta,
    modern_headers,
    read_request,
    serve,
    text,
)

from letgo_gateway.registry.catalogue import Upstream
from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.calls import Call, given
from letgo_gateway.upstreams.endpoints import Endpoint
from letgo_gateway.upstreams.errors import CircuitOpen, Garbage, TooSlow, Unreachable, UpstreamError
from letgo_gateway.upstreams.health import FAILURES, Breaker
from letgo_gateway.upstreams.http import Http
from letgo_gateway.upstreams.messages import Message
from letgo_gateway.upstreams.upstream import Upstream as Called

HERE = Reach(("127.0.0.1",))


@contextmanager
def upstream(url: str, timeout: float = 2.0) -> Iterator[Called]:
    http = Http(HERE)
    try:
        yield Called(Endpoint("bad", "bad", url=url + "/mcp", timeout=timeout, era="modern", only="modern"), http)
    finally:
        http.close()


async def answer(called: Called) -> Message:
    exchange = await called.open(Call("tools/call", given(name="x", arguments={})))
    try:
        while not (message := await exchange.next()).is_response:
            pass
        return message
    finally:
        exchange.cancel()


def event_stream(*lines: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + b"".join(lines)


TROUBLES: dict[str, tuple[bytes, type[UpstreamError]]] = {
    "says nothing": (b"", TooSlow),
    "says no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Garbage),
    "says no JSON": (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5\r\n\r\n<p>hi", Garbage),
    "answers another request": (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 38\r\n\r\n"
        b'{"jsonrpc":"2.0","id":99,"result": {}}',
        Garbage,
    ),
    "stops in the middle of a body": (b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{", Unreachable),
    "stops in the middle of a stream": (event_stream(b": hi\n\n"), Unreachable),
    "streams nonsense": (event_stream(b"data: {not json\n\n"), Garbage),
    "streams what is no text": (event_stream(b"data: \xff\xfe\n\n"), Garbage),
    "ends at once": (b"-", Unreachable),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@in_loop
async def test_an_upstream_that(trouble: str) -> None:
    said, error = TROUBLES[trouble]

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        if said == b"":
            await reader.read()
        writer.write(said.removeprefix(b"-"))
        await writer.drain()

    async with listening(connected) as url:
        with upstream(url) as called:
            with pytest.raises(error):
                await answer(called)
            assert called.active == 0


@in_loop
async def test_a_broken_upstream_is_left_alone_and_tried_again() -> None:
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1

    async with listening(connected) as url:
        with upstream(url) as called:
            for _ in range(FAILURES):
                with pytest.raises(Unreachable):
                    await answer(called)
            with pytest.raises(CircuitOpen):
                await answer(called)
            assert connections == FAILURES


def test_one_call_a_pause_is_let_through_until_one_succeeds() -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    for _ in range(FAILURES):
        breaker.check()
        breaker.failed()
    with pytest.raises(CircuitOpen):
        breaker.check()
    now = 1.5
    breaker.check()
    with pytest.raises(CircuitOpen):
        breaker.check()
    breaker.succeeded()
    breaker.check()


@in_loop
async def test_an_upstream_that_hangs_does_not_slow_another() -> None:
    async def hang(arguments: Json) -> Json:
        await asyncio.sleep(3600)
        return {}

    async def quick(arguments: Json) -> Json:
        return text("quick")

    async with serve(Stub({"hang": hang})) as bad, serve(Stub({"quick": quick})) as good:
        ups = (registered("bad", url=bad + "/mcp", timeout=120.0), registered("good", url=good + "/mcp"))
        async with gateway(*ups) as (app, _), serve(app) as url, client(url) as caller:
            hanging = [asyncio.create_task(caller.modern("tools/call", name="hang", arguments={})) for _ in range(50)]
            quickly = [await caller.modern("tools/call", name="quick", arguments={}) for _ in range(20)]
            assert all(one["result"]["content"][0]["text"] == "quick" for one in quickly)
            assert not any(task.done() for task in hanging)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)


@in_loop
async def test_a_modern_client_that_goes_away_ends_its_call_upstream() -> None:
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await read_request(reader)
            asked = json.loads(body)
            if asked["method"] == "tools/call":
                writer.write(event_stream(b": working\n\n"))
                assert await reader.read() == b""
                ended.set()
                return
            said = {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            said["tools"] = [{"name": "x", "inputSchema": {"type": "object"}}]
            text = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": said}).encode()
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
            writer.write(head.encode() + text)

    async with listening(connected) as bad:
        one = registered("bad", url=bad + "/mcp")
        async with gateway(one) as (app, _), serve(app) as url, client(url) as caller:
            params: Json = {"name": "x", "arguments": {}, "_meta": meta()}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            call = asyncio.create_task(
                caller.http.post(caller.url, json=body, headers=modern_headers("tools/call", params))
            )
            await asyncio.sleep(0.5)
            call.cancel()
            async with asyncio.timeout(20):
                await ended.wait()


@in_loop
async def test_a_legacy_client_cancels_what_it_has_asked(sdk_upstream: str) -> None:
    one = registered("sdk", url=sdk_upstream)
    async with gateway(one) as (app, _), serve(app) as url, client(url) as caller:
        await caller.initialize()
        began = time.perf_counter()
        call = asyncio.create_task(caller.post("tools/call", slow_call(60), caller.legacy_headers()))
        await asyncio.sleep(0.5)
        told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": caller.count}}
        assert (await caller.http.post(caller.url, json=told, headers=caller.legacy_headers())).status_code == 202
        await call
        assert time.perf_counter() - began < 30


def slow_call(seconds: float) -> dict[str, Any]:
    return {"name": "slow", "arguments": {"seconds": seconds}}


@in_loop
async def test_a_session_that_the_upstream_has_forgotten_is_begun_again(sdk_upstream: str) -> None:
    one: Upstream = replace(registered("sdk", url=sdk_upstream), protocol="2025-11-25")
    async with gateway(one, only="legacy") as (app, service), serve(app) as url, client(url) as caller:
        await caller.initialize()
        called = service.fleet.of(service.catalogues.catalogues[None].upstreams[0])  # type: ignore[attr-defined]
        assert "result" in await caller.legacy("tools/call", name="test_simple_text", arguments={})
        for made in called._sessions.values():
            made.result()._headers["mcp-session-id"] = "forgotten"  # type: ignore[union-attr]
        assert "result" in await caller.legacy("tools/call", name="test_simple_text", arguments={})
