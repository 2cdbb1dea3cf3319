"""What an upstream does with a call of its tool, well or badly: the same over HTTP and over stdio.

An upstream is `slow` (answers after `SLOW_SECONDS`), `hang`s, `die`s in the middle of its answer, or sends `garbage`.
"""

import json
from typing import Any

SLOW_SECONDS = 4.0
BEHAVIOURS = ("slow", "hang", "die", "garbage")
LEGACY, MODERN = "2025-11-25", "2026-07-28"
HUGE = 20_000_000
"""Bytes without an end, more than the gateway takes."""

Json = dict[str, Any]


def usual(asked: Json, tool: str) -> Json | None:
    """The result of whatever is not the call of a tool; None for a notification."""
    match asked["method"]:
        case "server/discover":
            result: Json = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}}
        case "initialize":
            info = {"name": tool, "version": "1"}
            result = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": info}
        case "tools/list":
            result = {"tools": [{"name": tool, "inputSchema": {"type": "object"}}]}
        case _:
            result = {}
    return {"resultType": "complete", **result} if "id" in asked else None


def done() -> Json:
    return {"resultType": "complete", "content": [{"type": "text", "text": "done"}]}


def response(asked: Json, result: Json) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()


def garbage(asked: Json) -> tuple[bytes, ...]:
    """Messages that are none, one worse than the other."""
    return (
        b"<html>nonsense</html>",
        b"\xff\xfe\x00\x01",
        b'{"jsonrpc":"2.0","id":',
        response({"id": 987_654}, done()),
        b'{"jsonrpc":"2.0","id":' + str(asked["id"]).encode() + b',"result":' + b"[" * 100_000,
        b"x" * HUGE,
    )
