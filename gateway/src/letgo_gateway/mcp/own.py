"""What the gateway answers by itself: tools that are endpoints or agents, and its own prompts and resources."""

import re
from collections.abc import Mapping
from typing import Any

from letgo_gateway.mcp.protocol import SERVER_INFO
from letgo_gateway.mcp.routing import OnEndpoint
from letgo_gateway.registry.catalogue import Agent, PublishedPrompt, PublishedResource
from letgo_gateway.upstreams.a2a import send_message
from letgo_gateway.upstreams.calls import SERVER_KEY, Era
from letgo_gateway.upstreams.errors import UpstreamError
from letgo_gateway.upstreams.fleet import Fleet
from letgo_gateway.upstreams.messages import INVALID_PARAMS, Failure, Message, dumps
from letgo_gateway.upstreams.rest import call_endpoint

_placeholder = re.compile(r"\{(\w+)\}")


async def call(fleet: Fleet, where: OnEndpoint, era: Era) -> str:
    """The result of a tool that is no MCP server's. That it can't be called is a result too: a model can read it."""
    source = where.source
    headers = fleet.unsealed(source.secrets)
    schema = where.definition.get("inputSchema")
    try:
        if isinstance(source, Agent):
            result = await send_message(fleet.http, source, headers, where.arguments)
        else:
            result = await call_endpoint(fleet.http, source, headers, schema, where.arguments)
        return _complete(result, era)
    except UpstreamError as error:
        problem = str(error)
    except (ValueError, RecursionError):
        # Half of a pair of surrogates, a number that is infinite (1e999), or nested deeper than the stack.
        problem = "the arguments or the answer are no JSON that can be passed on"
    return _complete({"content": [{"type": "text", "text": problem}], "isError": True}, era)


def prompt(found: PublishedPrompt, message: Message, era: Era) -> str:
    """One of the gateway's own prompts, with its arguments in their places; nothing completes these."""
    if message.method == "completion/complete":
        return _complete({"completion": {"values": [], "total": 0, "hasMore": False}}, era)
    arguments = message.param("arguments") or {}
    needed = [one["name"] for one in found.definition.get("arguments") or () if one.get("required")]
    if missing := [name for name in needed if not isinstance(arguments, dict) or name not in arguments]:
        raise Failure(INVALID_PARAMS, f"missing arguments: {', '.join(missing)}")
    result: dict[str, Any] = {"messages": [_filled(one, arguments) for one in found.messages]}
    if found.definition.get("description"):
        result["description"] = found.definition["description"]
    return _complete(result, era)


def _filled(value: Any, arguments: Mapping[str, object]) -> Any:
    match value:
        case str():
            return _placeholder.sub(lambda found: str(arguments.get(found[1], found[0])), value)
        case Mapping():
            return {key: _filled(inner, arguments) for key, inner in value.items()}
        case list() | tuple():
            return [_filled(inner, arguments) for inner in value]
    return value


def resource(found: PublishedResource, message: Message, era: Era) -> str:
    """One of the gateway's own resources."""
    if message.method == "completion/complete":
        return _complete({"completion": {"values": [], "total": 0, "hasMore": False}}, era)
    contents: dict[str, Any] = {"uri": message.param("uri")}
    if found.definition.get("mimeType"):
        contents["mimeType"] = found.definition["mimeType"]
    contents |= {"text": found.text} if found.blob is None else {"blob": found.blob}
    result: dict[str, Any] = {"contents": [contents]}
    if era == "modern":
        result |= {"ttlMs": 0, "cacheScope": "private"}
    return _complete(result, era)


def _complete(result: dict[str, Any], era: Era) -> str:
    if era == "modern":
        result = {**result, "resultType": "complete", "_meta": {SERVER_KEY: SERVER_INFO}}
    return dumps(result)
