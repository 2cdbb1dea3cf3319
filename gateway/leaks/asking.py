"""A small HTTP client that costs little, so that it does not starve what it asks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.leaks.behaving import MODERN, Json

PATIENCE = 120.0


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Caller:
    """Somebody with a token, at one worker."""

    port: int
    token: str | None = None
    kept: list[Connection] = field(default_factory=list)

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """The answer. Raises `OSError` and `EOFError` if there is none."""
        reader, writer = self.still_open() or await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(self.request(method, path, body, headers))
                response = await read_response(reader)
        except BaseException:
            writer.close()
            raise
        if response.headers.get("connection") == "close":
            writer.close()
        else:
            self.kept.append((reader, writer))
        return response

    def still_open(self) -> Connection | None:
        """A connection of before that the gateway has not closed meanwhile, as it does with those that are idle."""
        while self.kept:
            reader, writer = self.kept.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    def request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        said = {"host": "localhost", "content-type": "application/json", "content-length": str(len(content))} | headers
        if self.token is not None:
            said["authorization"] = f"Bearer {self.token}"
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + content

    def close(self) -> None:
        for _, writer in self.kept:
            writer.close()
        self.kept.clear()


async def read_response(reader: asyncio.StreamReader) -> Response:
    status, headers = await read_head(reader)
    return Response(status, headers, await reader.readexactly(int(headers.get("content-length", 0))))


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    return int(lines[0].split(" ")[1]), dict(line.lower().split(": ", 1) for line in lines[1:] if line)


async def ask(caller: Caller, method: str, path: str, body: Any = None) -> Any:
    """The JSON of an answer that must be a success."""
    response = await caller.send(method, path, body)
    assert response.status < 300, f"{method} {path}: {response.status} {response.body.decode()}"
    return response.json() if response.body else None


def modern(method: str, **params: Any) -> tuple[Json, dict[str, str]]:
    """A message of 2026-07-28, and the headers that go with it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"mcp_protocol_version": MODERN, "mcp_method": method}
    if "name" in params:
        headers["mcp_name"] = params["name"]
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}, headers


async def call_tool(caller: Caller, name: str) -> Response:
    message, headers = modern("tools/call", name=name, arguments={})
    return await caller.send("POST", "/mcp", message, accept="application/json", **headers)


async def tools_of(caller: Caller) -> set[str]:
    message, headers = modern("tools/list")
    listed = (await caller.send("POST", "/mcp", message, accept="application/json", **headers)).json()
    return {tool["name"] for tool in listed["result"]["tools"]}


@asynccontextmanager
async def stream(caller: Caller) -> AsyncIterator[asyncio.StreamReader]:
    """A stream of what changes, which the gateway has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    try:
        message, headers = modern("subscriptions/listen", notifications={"toolsListChanged": True})
        writer.write(caller.request("POST", "/mcp", message, {"accept": "text/event-stream", **headers}))
        async with asyncio.timeout(PATIENCE):
            status, _ = await read_head(reader)
            assert status == 200, status
            await reader.readuntil(b"acknowledged")
        yield reader
    finally:
        writer.close()
