"""Upstreams are watched: what they have is asked for on all of its pages, who goes away is noticed, and found again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from gateway.conformance.memory import registered
from gateway.tests.mcp.serving import Json, Stub, in_loop, serve
from starlette.types import Receive, Scope, Send

from letgo_gateway.registry.catalogue import Upstream as Registered
from letgo_gateway.upstreams import watching
from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.discovery import Offer
from letgo_gateway.upstreams.fleet import Fleet
from letgo_gateway.upstreams.http import Http

SOON = 0.02


@dataclass
class Upstream(Stub):
    """One that tells a tool a page, and is there or is not."""

    names: tuple[str, ...] = ("one", "two", "three")
    there: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.there:
            await super().__call__(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 502, "headers": []})
            await send({"type": "http.response.body", "body": b"nobody is at home"})

    async def _result(self, asked: Json) -> Json:
        if asked["method"] != "tools/list":
            return await super()._result(asked)
        at = int(asked["params"].get("cursor", "0"))
        page: Json = {"tools": [{"name": self.names[at], "inputSchema": {"type": "object"}}]}
        more = {"nextCursor": str(at + 1)} if at + 1 < len(self.names) else {}
        return {"resultType": "complete"} | page | more


@dataclass
class Written:
    """What is written down of an upstream: the names of its tools, or why it has none."""

    said: list[tuple[str, ...] | str] = field(default_factory=list)

    async def found(self, registered: Registered, offer: Offer) -> None:
        self.said.append(tuple(str(tool["name"]) for tool in offer.tools))

    async def failed(self, registered: Registered, problem: str) -> None:
        self.said.append(problem)

    async def until(self, true: Callable[[tuple[str, ...] | str], bool]) -> None:
        while not self.said or not true(self.said[-1]):
            await asyncio.sleep(SOON)


@asynccontextmanager
async def fleet() -> AsyncIterator[Fleet]:
    made = Fleet(Http(Reach(("127.0.0.1",))), lambda secrets: {})
    async with made.opened():
        yield made


@asynccontextmanager
async def watched(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Written]:
    """Asked every moment whether it is there, and for what it has."""
    for name in ("HEALTH_SECONDS", "REFRESH_SECONDS", "FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(watching, name, SOON)
    written = Written()
    async with serve(upstream) as url, fleet() as made:
        one = registered("far", url=url + "/mcp")
        async with watching.watch(made, [one], lambda kind: None, written):
            yield written


@in_loop
async def test_what_an_upstream_has_is_read_on_all_of_its_pages_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = Upstream()
    async with watched(upstream, monkeypatch) as written:
        await written.until(lambda last: last == ("one", "two", "three"))
        upstream.names = ("one", "four")
        await written.until(lambda last: last == ("one", "four"))


@in_loop
async def test_an_upstream_that_goes_away_is_noticed_and_found_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = Upstream()
    async with watched(upstream, monkeypatch) as written:
        await written.until(lambda last: last == ("one", "two", "three"))
        upstream.there = False
        await written.until(lambda last: isinstance(last, str))
        upstream.there = True
        await written.until(lambda last: last == ("one", "two", "three"))


@in_loop
async def test_an_upstream_that_stays_away_is_asked_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            raise asyncio.CancelledError

    async with fleet() as made:
        one = registered("far", url="http://127.0.0.1:1/mcp")
        with monkeypatch.context() as patched:
            patched.setattr("random.uniform", lambda low, high: high)
            patched.setattr("asyncio.sleep", sleep)
            with pytest.raises(asyncio.CancelledError):
                await watching.keep_watching(one, made.of(one), watching.NoLedger(), lambda kind: None)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
