"""A client of any revision that shows what is said, word for word."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from gateway.tests.mcp.serving import PATIENCE, Json, modern_headers

from letgo_gateway.upstreams.events import EventReader

MODERN, LEGACY = "2026-07-28", ("2025-11-25", "2025-06-18")
EVERYTHING: Json = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": True}}
PREFIX = "io.modelcontextprotocol/"

Answer = Callable[[Json], Json]
"""From a question to the result that answers it."""


@dataclass
class Talk:
    """What a client says to `url`; begun by `talk`."""

    http: httpx.AsyncClient
    url: str
    version: str
    capabilities: Json
    session: str | None = None
    log_level: str | None = None
    count: int = 0
    begun: Json = field(default_factory=dict)

    @property
    def legacy(self) -> bool:
        return self.version != MODERN

    @property
    def headers(self) -> dict[str, str]:
        """Of what is said in a session."""
        said = {"accept": "application/json, text/event-stream", "mcp-protocol-version": self.version}
        return said | ({"mcp-session-id": self.session} if self.session else {})

    def _request(self, method: str, params: Json) -> tuple[Json, dict[str, str]]:
        self.count += 1
        if self.legacy:
            return {"jsonrpc": "2.0", "id": self.count, "method": method, "params": params}, self.headers
        meta = {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": self.capabilities}
        meta |= {f"{PREFIX}logLevel": self.log_level} if self.log_level else {}
        said = {**params, "_meta": {**params.get("_meta", {}), **meta}}
        body = {"jsonrpc": "2.0", "id": self.count, "method": method, "params": said}
        return body, modern_headers(method, params)

    @asynccontextmanager
    async def saying(self, method: str, **params: Any) -> AsyncIterator[AsyncIterator[tuple[str | None, Json]]]:
        """What is said until the response, with the ids of the events."""
        body, headers = self._request(method, params)
        async with self.http.stream("POST", self.url, json=body, headers=headers) as response:
            yield events(response)

    async def all(self, method: str, **params: Any) -> list[Json]:
        """All that is said to a request; the response is the last."""
        async with self.saying(method, **params) as said:
            return [message async for _, message in said]

    async def ask(self, method: str, **params: Any) -> Json:
        """The response to a request."""
        return (await self.all(method, **params))[-1]

    async def call(self, tool: str, **arguments: Any) -> Json:
        """The result of a tool."""
        result: Json = (await self.ask("tools/call", name=tool, arguments=arguments))["result"]
        return result

    async def tell(self, method: str, **params: Any) -> None:
        """Say something that has no answer."""
        await self._post({"jsonrpc": "2.0", "method": method, "params": params})

    async def _post(self, body: Json) -> None:
        response = await self.http.post(self.url, json=body, headers=self.headers)
        assert response.status_code == 202, response.text

    async def converse(self, answer: Answer, method: str, **params: Any) -> tuple[list[Json], Json]:
        """Answer whatever is asked: the questions, and the response."""
        questions: list[Json] = []
        if self.legacy:
            async with self.hearing() as unasked, self.saying(method, **params) as said:
                heard = merged(said, unasked)
                async for message in heard:
                    if "id" in message and "method" in message:
                        questions.append({"method": message["method"], "params": message.get("params", {})})
                        result = answer(questions[-1])
                        await self._post({"jsonrpc": "2.0", "id": message["id"], "result": result})
                    elif "method" not in message:
                        return questions, message
            raise AssertionError("there was no response")
        while True:
            message = await self.ask(method, **params)
            if message.get("result", {}).get("resultType") != "input_required":
                return questions, message
            asked = message["result"]["inputRequests"]
            questions += asked.values()
            params["inputResponses"] = {key: answer(question) for key, question in asked.items()}
            params["requestState"] = message["result"].get("requestState")
            params = {name: value for name, value in params.items() if value is not None}

    @asynccontextmanager
    async def hearing(
        self, *uris: str, after: str | None = None
    ) -> AsyncIterator[AsyncIterator[tuple[str | None, Json]]]:
        """What is said unasked: that lists have changed, and these resources."""
        if self.legacy:
            headers = self.headers | {"accept": "text/event-stream"} | ({"last-event-id": after} if after else {})
            async with self.http.stream("GET", self.url, headers=headers) as response:
                assert response.status_code == 200, await response.aread()
                for uri in uris:
                    assert "error" not in await self.ask("resources/subscribe", uri=uri)
                yield events(response)
            return
        wanted = {f"{kind}ListChanged": True for kind in ("tools", "prompts", "resources")}
        async with self.saying(
            "subscriptions/listen", notifications={**wanted, "resourceSubscriptions": list(uris)}
        ) as said:
            _, acknowledged = await anext(said)
            assert acknowledged["method"] == "notifications/subscriptions/acknowledged", acknowledged
            yield said


@asynccontextmanager
async def talk(url: str, version: str, capabilities: Json | None = None) -> AsyncIterator[Talk]:
    """Begin to talk, and in the legacy era end the session afterwards."""
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        found = Talk(http, url, version, EVERYTHING if capabilities is None else capabilities)
        if found.legacy:
            info = {"name": "talk", "version": "1"}
            params = {"protocolVersion": version, "capabilities": found.capabilities, "clientInfo": info}
            body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
            response = await http.post(url, json=body, headers={"accept": "application/json, text/event-stream"})
            found.session = response.headers.get("mcp-session-id")
            async for _, message in events(response):
                found.begun = message["result"]
            await found.tell("notifications/initialized")
        else:
            found.begun = (await found.ask("server/discover"))["result"]
        yield found
        if found.session:
            await http.delete(url, headers=found.headers)


async def events(response: httpx.Response) -> AsyncIterator[tuple[str | None, Json]]:
    """The messages of a response, with the ids of their events."""
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        yield None, json.loads(await response.aread())
        return
    reader = EventReader()
    async for chunk in response.aiter_bytes():
        for event in reader.feed(chunk):
            if event.data:
                yield event.id, json.loads(event.data)


Events = AsyncIterator[tuple[str | None, Json]]


async def merged(first: Events, second: Events) -> AsyncIterator[Json]:
    """The messages of two streams as they come, until the first ends."""
    waiting = {asyncio.ensure_future(anext(one, None)): one for one in (first, second)}  # type: ignore[arg-type]
    try:
        while first in waiting.values():
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                one = waiting.pop(task)
                if (found := task.result()) is not None:
                    waiting[asyncio.ensure_future(anext(one, None))] = one  # type: ignore[arg-type]
                    yield found[1]
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
