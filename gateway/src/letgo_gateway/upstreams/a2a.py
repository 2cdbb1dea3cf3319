"""A2A agents, called as tools: `message/send` of the Agent2Agent protocol over JSON-RPC (https://a2a-protocol.org)."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

from letgo_gateway.upstreams.errors import Garbage, Refused
from letgo_gateway.upstreams.http import Http, Url, follow, within
from letgo_gateway.upstreams.messages import INVALID_PARAMS, Failure, dumps, loads

LONGEST_ANSWER = 16 * 1024 * 1024


class AgentAddress(Protocol):
    """Where an agent is; `timeout` in seconds."""

    @property
    def url(self) -> str: ...
    @property
    def timeout(self) -> float: ...


TOOL_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "description": "What to say to the agent"},
        "data": {"type": "object", "description": "Structured input for the agent"},
        "contextId": {"type": "string", "description": "The conversation to go on with"},
        "taskId": {"type": "string", "description": "The task to go on with"},
    },
    "required": ["message"],
}
"""What an agent takes as a tool."""


async def send_message(
    http: Http, agent: AgentAddress, headers: Mapping[str, str], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """What the agent says, as a `CallToolResult`. Raises `Failure` for wrong arguments, and `UpstreamError`."""
    said = arguments.get("message")
    if not isinstance(said, str):
        raise Failure(INVALID_PARAMS, "message must be a string")
    message: dict[str, Any] = {
        "kind": "message",
        "role": "user",
        "messageId": uuid4().hex,
        "parts": [{"kind": "text", "text": said}],
    }
    if isinstance(arguments.get("data"), dict):
        message["parts"].append({"kind": "data", "data": arguments["data"]})
    message |= {name: arguments[name] for name in ("contextId", "taskId") if isinstance(arguments.get(name), str)}
    params = {"message": message, "configuration": {"blocking": True}}
    body = dumps({"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}).encode()
    sent = {"content-type": "application/json", "accept": "application/json", **headers}
    async with within(agent.timeout):
        response = await follow(http, "POST", Url.parse(agent.url), sent, body, timeout=agent.timeout)
        answer = await response.read(LONGEST_ANSWER, None)
    try:
        found = loads(answer)
    except ValueError as error:
        if response.status >= 400:
            raise Refused(f"the agent answered with status {response.status}", response.status) from error
        raise Garbage("the agent's answer is no JSON") from error
    return result_of(found)


def result_of(answer: object) -> dict[str, Any]:
    """An agent's answer (a message, or a task) as a `CallToolResult`. Raises `Garbage`."""
    if not isinstance(answer, dict):
        raise Garbage("the agent's answer is no JSON-RPC response")
    if isinstance(error := answer.get("error"), dict):
        return {"content": [{"type": "text", "text": str(error.get("message"))}], "isError": True}
    result = answer.get("result")
    if not isinstance(result, dict):
        raise Garbage("the agent's answer has no result")
    found = result.get("status")
    status: dict[str, Any] = found if isinstance(found, dict) else {}
    failed = status.get("state") in ("failed", "rejected", "canceled", "auth-required")
    content = [found for part in _parts(result, status) if (found := _content(part)) is not None]
    if not content:
        content = [{"type": "text", "text": str(status.get("state", ""))}]
    return {"content": content, "structuredContent": result, "isError": failed}


def _parts(result: Mapping[str, Any], status: Mapping[str, Any]) -> list[Any]:
    """The parts of what an agent has said: a message's own, or of a task those of its artifacts and its last word."""
    said = [result, *_list(result.get("artifacts")), status.get("message")]
    return [part for one in said if isinstance(one, Mapping) for part in _list(one.get("parts"))]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _content(part: object) -> dict[str, Any] | None:
    match part:
        case {"text": str() as text}:
            return {"type": "text", "text": text}
        case {"file": {"bytes": str() as data, **more}}:
            kind = str(more.get("mimeType", "application/octet-stream"))
            match kind.partition("/")[0]:
                case "image" | "audio" as medium:
                    return {"type": medium, "data": data, "mimeType": kind}
            uri = f"a2a://file/{more.get('name', 'unnamed')}"
            return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "blob": data}}
        case {"file": {"uri": str() as uri, **more}}:
            return {"type": "resource_link", "uri": uri, "name": str(more.get("name", uri))}
        case {"data": data}:
            return {"type": "text", "text": dumps(data)}
    return None
