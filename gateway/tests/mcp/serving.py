"""Servers and clients of real sockets, for tests that run in one event loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec

import httpx
import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

P = ParamSpec("P")
Json = dict[str, Any]
MODERN, LEGACY = "2026-07-28", "2025-11-25"
PATIENCE = 150.0


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in an event loop of the kind that serves the gateway, and fail it if it never ends."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE):
                await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(bounded())

    return run


@asynccontextmanager
async def serve(app: ASGIApp, lifespan: bool = False, **more: Any) -> AsyncIterator[str]:
    """The address of `app` on a port of its own; `more` options of uvicorn."""
    options: Any = {"lifespan": "on" if lifespan else "off", "log_level": "error", "ws": "none", "backlog": 2048}
    options |= more
    server = uvicorn.Server(uvicorn.Config(app, port=0, timeout_graceful_shutdown=1, **options))
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(connected: Connected) -> AsyncIterator[str]:
    """The address of a server that does whatever `connected` does with a connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await connected(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def read_request(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    return headers, await reader.readexactly(int(headers.get("content-length", 0)))


Tool = Callable[[Json], Awaitable[Json]]


@dataclass
class Stub:
    """An upstream of 2026-07-28 whose tools are functions; `calls` are the requests it got."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    calls: list[Json] = field(default_factory=list)
    running: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        asked = json.loads(body + message["body"])
        self.calls.append(asked)
        answer = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": await self._result(asked)}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _result(self, asked: Json) -> Json:
        match asked["method"]:
            case "server/discover":
                said: Json = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}}
            case "tools/list":
                said = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in self.tools]}
            case "tools/call":
                self.running += 1
                try:
                    said = await self.tools[asked["params"]["name"]](asked["params"].get("arguments", {}))
                finally:
                    self.running -= 1
            case _:
                said = {}
        return {"resultType": "complete", **said}


def text(said: str) -> Json:
    return {"content": [{"type": "text", "text": said}]}


def meta(**more: Any) -> Json:
    """The `_meta` of a modern client."""
    return {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": more.pop("capabilities", {}),
        **more,
    }


def modern_headers(method: str, params: Mapping[str, Any]) -> dict[str, str]:
    named = params.get("name") or params.get("uri")
    headers = {"mcp-protocol-version": MODERN, "mcp-method": method, "accept": "application/json, text/event-stream"}
    return headers | ({"mcp-name": named} if named and method != "completion/complete" else {})


@dataclass
class RawClient:
    """A client that says what it is told to say, to one address."""

    http: httpx.AsyncClient
    url: str
    session: str | None = None
    count: int = 0

    async def modern(self, method: str, capabilities: Json | None = None, **params: Any) -> Json:
        """The response to a request of 2026-07-28."""
        given = meta(capabilities=capabilities or {}) | params.pop("_meta", {})
        response = await self.post(method, {**params, "_meta": given}, modern_headers(method, params))
        return self.last(response)

    async def legacy(self, method: str, **params: Any) -> Json:
        """The response to a request in the session."""
        return self.last(await self.post(method, params, self.legacy_headers()))

    def legacy_headers(self) -> dict[str, str]:
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": LEGACY}
        return headers | ({"mcp-session-id": self.session} if self.session else {})

    async def initialize(self, version: str = LEGACY, **capabilities: Any) -> Json:
        info = {"name": "raw", "version": "1"}
        params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": info}
        response = await self.post("initialize", params, {"accept": "application/json, text/event-stream"})
        self.session = response.headers["mcp-session-id"]
        result: Json = response.json()["result"]
        return result

    async def post(self, method: str, params: Json, headers: Mapping[str, str]) -> httpx.Response:
        self.count += 1
        body = {"jsonrpc": "2.0", "id": self.count, "method": method, "params": params}
        return await self.http.post(self.url, json=body, headers=dict(headers))

    @staticmethod
    def last(response: httpx.Response) -> Json:
        return RawClient.messages(response)[-1]

    @staticmethod
    def messages(response: httpx.Response) -> list[Json]:
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
        return [response.json()]


@asynccontextmanager
async def client(url: str, path: str = "/mcp") -> AsyncIterator[RawClient]:
    limits = httpx.Limits(max_connections=2000, max_keepalive_connections=100)
    async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as http:
        yield RawClient(http, url + path)


def data_of(line: str) -> Json:
    found: Json = json.loads(line[6:])
    return found


async def following(lines: AsyncIterator[str]) -> Json:
    async for line in lines:
        if line.startswith("data: {"):
            return data_of(line)
    raise AssertionError("the stream has ended")
