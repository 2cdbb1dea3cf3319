"""What an upstream does to an HTTP connection: nothing of it holds a caller for ever, nor leaves anything open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from gateway.conformance.memory import agent_tool, rest_tool
from gateway.tests.mcp.serving import in_loop, listening, read_request

from letgo_gateway.registry.catalogue import Agent, RestEndpoint
from letgo_gateway.upstreams import events, http
from letgo_gateway.upstreams.a2a import send_message
from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.calls import Caller
from letgo_gateway.upstreams.endpoints import Endpoint
from letgo_gateway.upstreams.errors import Garbage, TooSlow
from letgo_gateway.upstreams.events import EventReader
from letgo_gateway.upstreams.http import Http, Url
from letgo_gateway.upstreams.legacy import LegacySession
from letgo_gateway.upstreams.rest import call_endpoint

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
ENDLESS = HEAD + b"content-length: 500\r\n\r\n{"
SOON = 0.2


class Server:
    """Says something to each request, and notes whose connections have ended."""

    def __init__(self, said: bytes) -> None:
        self.said, self.begun, self.ended = said, 0, asyncio.Semaphore(0)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await read_request(reader)
                self.begun += 1
                writer.write(self.said)
                await writer.drain()
        finally:
            self.ended.release()


@asynccontextmanager
async def upstream(said: bytes) -> AsyncIterator[tuple[Server, str, Http]]:
    server, client = Server(said), Http(Reach(("127.0.0.1",)))
    async with listening(server) as url:
        try:
            yield server, url, client
        finally:
            client.close()


def endpoint(url: str) -> Callable[[Http], Awaitable[object]]:
    one = rest_tool("slow", url).source
    assert isinstance(one, RestEndpoint)
    address = RestEndpoint(one.url, one.method, None, SOON)
    return lambda client: call_endpoint(client, address, {}, {}, {})


def agent(url: str) -> Callable[[Http], Awaitable[object]]:
    one = agent_tool("slow", url).source
    assert isinstance(one, Agent)
    address = Agent(one.id, one.name, one.url, {}, None, SOON)
    return lambda client: send_message(client, address, {}, {"message": "hi"})


def notification(url: str) -> Callable[[Http], Awaitable[object]]:
    address = Endpoint("slow", "slow", url=url, timeout=SOON)
    return lambda client: LegacySession(client, address, Caller(), lambda message: None).tell(b"{}")


@pytest.mark.parametrize("call", [endpoint, agent, notification])
@in_loop
async def test_an_answer_that_begins_and_never_ends_is_given_up(
    call: Callable[[str], Callable[[Http], Awaitable[object]]],
) -> None:
    async with upstream(ENDLESS) as (server, url, client):
        with pytest.raises(TooSlow):
            await call(url)(client)
        await server.ended.acquire()


@in_loop
async def test_a_refusal_that_begins_and_never_ends_is_given_up() -> None:
    async with upstream(ENDLESS.replace(b"200 OK", b"400 Bad Request")) as (server, url, client):
        session = LegacySession(client, Endpoint("slow", "slow", url=url, timeout=SOON), Caller(), lambda message: None)
        session._headers["mcp-session-id"] = "known"
        with pytest.raises(TooSlow):
            await session.ask("tools/list")
        await server.ended.acquire()
        await session.close()


@in_loop
async def test_who_goes_away_in_the_middle_of_an_answer_leaves_no_connection() -> None:
    async with upstream(ENDLESS) as (server, url, client):
        address = RestEndpoint(url, "GET", None, 100.0)
        calling = asyncio.create_task(call_endpoint(client, address, {}, {}, {}))
        while not server.begun:
            await asyncio.sleep(0.01)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await server.ended.acquire()


@pytest.mark.parametrize(("line", "told"), [(b"x: y\r\n", "more than 1000 headers"), (b"x" * 1000, "longer than")])
@in_loop
async def test_headers_without_an_end_are_refused(line: bytes, told: str) -> None:
    async with upstream(HEAD + line * (http.LONGEST_HEAD // len(line) + 1)) as (server, url, client):
        with pytest.raises(Garbage, match=told):
            await client.send("GET", Url.parse(url), {}, timeout=100)
        await server.ended.acquire()


@in_loop
async def test_a_connection_that_nobody_uses_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "KEPT_SECONDS", 0.1)
    async with upstream(HEAD + b"content-length: 2\r\n\r\n{}") as (server, url, client):
        response = await client.send("GET", Url.parse(url), {}, timeout=100)
        assert await response.read(10, None) == b"{}"
        await server.ended.acquire()
        while client._idle:
            await asyncio.sleep(0.01)


def test_an_event_in_many_pieces_is_one_and_one_without_an_end_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LONGEST_EVENT", 1000)
    for ending in (b"\n\n", b"\r\n\r\n"):
        reader, heard = EventReader(), []
        for _ in range(10):  # what is counted is one event, not all of a stream
            for piece in (b"da", b"ta: \xc3", b"\xa9", *[b"x"] * 500, ending):
                heard += reader.feed(piece)
        assert [len(one.data) for one in heard] == [501] * 10
    for piece in (b"data: " + b"x" * 10, b"data: x\n", b": comment\n"):
        with pytest.raises(ValueError, match="no end"):
            for _ in range(1000):
                reader.feed(piece)
