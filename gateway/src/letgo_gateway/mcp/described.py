"""The protocol's endpoints as `/openapi.json` shows them: their HTTP. What is in the messages, the protocol says."""

from typing import Any

from letgo_gateway.schemas import IN_ID

Json = dict[str, Any]

ID: Json = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
SCHEMAS: Json = {
    "RpcMessage": {
        "description": "A message of JSON-RPC: a request, a notification (no `id`), or a response.",
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "jsonrpc": {"const": "2.0"},
                    "id": ID,
                    "method": {"type": "string"},
                    "params": {"type": "object"},
                },
                "required": ["jsonrpc", "method"],
            },
            {
                "type": "object",
                "properties": {"jsonrpc": {"const": "2.0"}, "id": ID, "result": {"type": "object"}},
                "required": ["jsonrpc", "id", "result"],
            },
            {
                "type": "object",
                "properties": {"jsonrpc": {"const": "2.0"}, "error": {"type": "object"}},
                "required": ["jsonrpc", "error"],
            },
        ],
    },
    "RpcResponse": {
        "type": "object",
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"anyOf": [*ID["anyOf"], {"type": "null"}]},
            "result": {"type": "object"},
            "error": {
                "type": "object",
                "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
                "required": ["code", "message"],
            },
        },
        "required": ["jsonrpc", "id"],
        "oneOf": [{"required": ["result"]}, {"required": ["error"]}],
    },
}
PROBLEMS = (401, 408, 413, 503)
"""What is told as everywhere, and not in the words of JSON-RPC."""


def _ref(*names: str) -> Json:
    found = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return {"application/json": {"schema": found[0] if len(found) == 1 else {"anyOf": found}}}


def _operation(summary: str, streams: bool, body: bool) -> Json:
    stream = {"text/event-stream": {"schema": {"type": "string"}}}
    responses: Json = {
        "400": {"description": "It is no message, or none that can be taken here.", "content": _ref("RpcResponse")},
        "403": {
            "description": "Who asks may not, or from this page or under this name nobody may.",
            "content": _ref("RpcResponse", "Problem"),
        },
    }
    if body:
        responses["200"] = {
            "description": "The response; an error is one too.",
            "content": _ref("RpcResponse") | (stream if streams else {}),
        }
        responses["202"] = {"description": "It was taken, and there is nothing to say to it."}
    if streams:
        responses["404"] = {
            "description": "There is no such session or server.",
            "content": _ref("RpcResponse", "Problem"),
        }
        responses["406"] = {"description": "The client takes no answer that there is."}
    told: Json = {"tags": ["mcp"], "summary": summary, "responses": responses}
    return told | ({"requestBody": {"required": True, "content": _ref("RpcMessage")}} if body else {})


def _mcp(where: str) -> Json:
    get = _operation("Listen in a session", streams=True, body=False)
    delete = _operation("End a session", streams=True, body=False)
    get["responses"]["200"] = {"description": "What comes unasked.", "content": {"text/event-stream": {}}}
    delete["responses"]["204"] = {"description": "It has ended."}
    return {"post": _operation(f"Speak to {where}", streams=True, body=True), "get": get, "delete": delete}


SERVER_ID: Json = {"name": "server_id", "in": "path", "required": True, "schema": {"type": "string", "pattern": IN_ID}}
PATHS: Json = {
    "/rpc": {"post": _operation("Ask for one answer, without a session", streams=False, body=True)},
    "/mcp": _mcp("all that one may call"),
    "/servers/{server_id}/mcp": _mcp("one virtual server"),
}
for _operations in PATHS["/servers/{server_id}/mcp"].values():
    _operations["parameters"] = [SERVER_ID]
