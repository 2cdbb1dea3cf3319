"""A legacy client that has lost its connection comes back for the rest; what is said outside of requests arrives."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from gateway.conformance.memory import gateway, registered
from gateway.tests.conftest import Prepared
from gateway.tests.mcp.serving import Json, in_loop, serve
from gateway.tests.mcp.talking import LEGACY, Talk, talk
from sqlalchemy import make_url

from letgo_gateway.mcp import streams
from letgo_gateway.mcp.relay import PostgresRelay, Relay
from letgo_gateway.mcp.streams import NotKept, Streams, position_of

Check = Callable[[Talk, Talk], Awaitable[None]]
WATCHED = "test://watched-resource"
WAITING: Json = {"name": "waits_for_someone", "arguments": {}, "_meta": {"progressToken": "p"}}


@asynccontextmanager
async def workers(upstream: str, era: str, database: str | None) -> AsyncIterator[tuple[Talk, Talk]]:
    """One client at two workers on a database, or at one worker."""
    async with AsyncExitStack() as stack:
        found: list[str] = []
        for _ in range(1 if database is None else 2):
            relay = PostgresRelay(make_url(database)) if database else None
            one = registered("sdk", url=upstream.replace("/mcp", f"/{era}/mcp"))
            app, _service = await stack.enter_async_context(gateway(one, relay=relay))
            found.append(await stack.enter_async_context(serve(app)) + "/mcp")
            while relay is not None and relay._connection is None:
                await asyncio.sleep(0.01)
        first = await stack.enter_async_context(talk(found[0], LEGACY[0]))
        second = Talk(first.http, found[-1], first.version, first.capabilities, first.session, count=1000)
        yield first, second


async def the_rest_of_an_answer_is_told_to_who_comes_back_for_it(first: Talk, second: Talk) -> None:
    async with first.saying("tools/call", **WAITING) as said:
        last, step = await anext(said)
        assert step["params"]["progress"] == 1 and last is not None
    async with second.hearing(after=last) as rest:
        await first.call("go_on")
        told = [(id, message) async for id, message in rest]
    assert [message["params"]["progress"] for _, message in told[:-1]] == [2, 3]
    assert told[-1][1]["result"]["content"][0]["text"] == "waited"
    async with second.hearing(after=told[1][0]) as again:
        assert [message async for _, message in again] == [told[-1][1]]


async def what_comes_unasked_is_told_to_who_comes_back_for_it(first: Talk, second: Talk) -> None:
    async with first.hearing(WATCHED) as heard:
        await first.call("touch")
        last, told = await anext(heard)
        assert told["params"]["uri"] == WATCHED
    await first.call("touch")
    async with second.hearing(after=last) as heard:
        assert (await anext(heard))[1] == told
        await first.call("touch")
        assert (await anext(heard))[1] == told


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize(
    "check",
    [
        the_rest_of_an_answer_is_told_to_who_comes_back_for_it,
        what_comes_unasked_is_told_to_who_comes_back_for_it,
    ],
    ids=lambda check: check.__name__,
)
@in_loop
async def test_on_one_worker_and_on_another(sdk_upstream: str, on_postgres: Prepared, check: Check, era: str) -> None:
    async with workers(sdk_upstream, era, None) as (first, second):
        await check(first, second)
    with on_postgres.copy() as database:
        async with workers(sdk_upstream, era, database) as (first, second):
            await check(first, second)


@in_loop
async def test_a_stream_is_for_its_session_alone_and_what_is_not_kept_is_refused(sdk_upstream: str) -> None:
    async with workers(sdk_upstream, "legacy", None) as (first, _), talk(first.url, LEGACY[0]) as stranger:
        async with first.saying("tools/call", **WAITING) as said:
            last, _step = await anext(said)
        await first.call("go_on")
        for who, after in ((stranger, str(last)), (first, str(last).replace(":a", ":a9")), (first, "x:a1:1")):
            headers = who.headers | {"accept": "text/event-stream", "last-event-id": after}
            refused = await who.http.get(who.url, headers=headers)
            assert refused.status_code == 400 and "not kept" in refused.json()["error"]["message"]


@in_loop
async def test_a_client_is_told_soon_where_its_stream_is_if_its_revision_can_be(
    sdk_upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("letgo_gateway.mcp.answers.PRIME_SECONDS", 0.05)
    params = {"name": "slow", "arguments": {"seconds": 1}}
    async with workers(sdk_upstream, "modern", None) as (first, _):
        for version, primed in ((LEGACY[0], True), (LEGACY[1], False)):
            async with talk(first.url, version) as client:
                body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                text = (await client.http.post(client.url, json=body, headers=client.headers)).text
                assert text.startswith("id: ") == primed and ("data: \n\n" in text) == primed
                assert json.loads(text.splitlines()[-1].removeprefix("data: ") or text.splitlines()[-2][6:])["result"]


@in_loop
async def test_what_is_said_outside_of_requests_reaches_the_other_side(sdk_upstream: str) -> None:
    async with workers(sdk_upstream, "legacy", None) as (client, _), client.hearing() as heard:
        await client.call("speaks_unasked")
        told = (await anext(heard))[1]
        assert (told["method"], told["params"]) == ("notifications/elicitation/complete", {"elicitationId": "e1"})
        before = json.loads((await client.call("what_happened"))["content"][0]["text"])["roots changed"]
        await client.tell("notifications/roots/list_changed")
        while json.loads((await client.call("what_happened"))["content"][0]["text"])["roots changed"] == before:
            await asyncio.sleep(0.05)


@in_loop
async def test_nothing_is_lost_that_is_said_while_something_is_told() -> None:
    kept = Streams("w", Relay())
    stream, heard = kept.open("s", answers=True), []

    async def say(said: bytes) -> None:
        heard.append(said)
        if len(heard) == 1:
            stream.add(b"2")
            stream.end()

    stream.add(b"1")
    await stream.follow(0, say)
    assert [said.split(b"data: ")[1].strip() for said in heard] == [b"1", b"2"]


@in_loop
async def test_only_so_much_is_kept_and_the_last_event_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_BYTES_OF_ONE", 300)
    monkeypatch.setattr(streams, "MOST_STREAMS", 2)
    kept, ended = Streams("w", Relay()), []
    stream = kept.open("s", answers=True, ended=lambda: ended.append("first"))
    events = [stream.add(b"x" * 50) for _ in range(10)] + [stream.add(b"y" * 1000)]
    stream.end()
    heard: list[bytes] = []

    async def say(said: bytes) -> None:
        heard.append(said)

    first = position_of("w:a1:1")
    assert first is not None
    await kept.follow(first, "s", say)
    assert heard == [b"", events[-1]]
    for _ in range(2):
        kept.open("s", answers=True)
    assert ended == ["first"]
    with pytest.raises(NotKept):
        await kept.follow(first, "s", say)
    assert [position_of(text) for text in ("", "a:b", "a:b:c", "a:b:-1", ":b:1", "a::1")] == [None] * 6
