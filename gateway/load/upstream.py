"""`python -m load.upstream`: a small fast process that is both upstreams, until it is ended.

`POST /echo` is a REST endpoint that answers with what it was sent; `POST /mcp` an MCP server whose tools do the same,
in both eras. It keeps nothing, and costs a tenth of what the gateway may cost.
"""

import asyncio
import json
from typing import Any, cast

import httptools
import uvloop

from letgo_gateway.upstreams.calls import LEGACY, MODERN
from letgo_gateway.upstreams.discovery import Offer
from load.world import MCP_TOOLS, PORT, mcp_tool

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
INFO = {"name": "load", "version": "1"}
TOOLS = tuple(
    {"name": mcp_tool(number), "description": f"Says what it is told, number {number}.", "inputSchema": SCHEMA}
    for number in range(MCP_TOOLS)
)
OFFER = Offer(protocol=MODERN, capabilities={"tools": {}}, server_info=INFO, tools=TOOLS)
METHOD_NOT_FOUND = -32601


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """The response to a request of JSON-RPC."""
    result: dict[str, Any]
    match message["method"]:
        case "tools/call":
            text = message["params"]["arguments"]["text"]
            result = {"content": [{"type": "text", "text": text}], "structuredContent": {"text": text}}
        case "tools/list":
            result = {"tools": TOOLS, "ttlMs": 60_000, "cacheScope": "public"}
        case "server/discover":
            result = {"supportedVersions": [MODERN], "capabilities": OFFER.capabilities, "serverInfo": INFO}
        case "initialize":
            result = {"protocolVersion": LEGACY[0], "capabilities": OFFER.capabilities, "serverInfo": INFO}
        case "ping":
            result = {}
        case method:
            error = {"code": METHOD_NOT_FOUND, "message": f"Method not found: {method}"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result | {"resultType": "complete"}}


class Serving(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path, self._body = url, b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._path == b"/echo":
            self._say(b"200 OK", self._body)
        elif self._parser.get_method() != b"POST":
            self._say(b"405 Method Not Allowed", b"{}")
        elif "id" in (message := json.loads(self._body)):
            self._say(b"200 OK", json.dumps(answer(message)).encode())
        else:
            self._say(b"202 Accepted", b"")

    def _say(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Serving, "127.0.0.1", PORT, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
