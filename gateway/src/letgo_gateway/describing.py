"""What the gateway says of itself at `/openapi.json`: every answer that an operation can give, errors too."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from letgo_gateway.mcp import described as protocol

Json = dict[str, Any]

WITHOUT_CREDENTIALS = frozenset({"/auth/login", "/auth/email/register", "/health", "/ready", "/version"})
HASHING = frozenset({"/auth/login", "/auth/email/change-password", "/auth/email/register"})
"""Paths where a password is hashed or checked."""
PROBLEMS: Mapping[int, str] = {
    400: "The body is no JSON.",
    401: "No credentials, or none that are good.",
    403: "Who asks may not do this.",
    404: "It is not there, or not for who asks.",
    408: "The body did not come in time.",
    409: "It does not fit what is there.",
    413: "The body is too large.",
    422: "What was asked for is wrong.",
    429: "Too many at once, or too many wrong passwords.",
    503: "The database can't be asked now.",
}
CHANGING = frozenset({"post", "put", "patch", "delete"})
HEADERS: Mapping[int, Json] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "required": True}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "required": True}},
}
SCHEMAS: Json = {
    "Problem": {
        "type": "object",
        "description": "What is wrong, for people.",
        "properties": {"detail": {"type": "string"}},
        "required": ["detail"],
    },
    "Wrong": {
        "type": "object",
        "description": "What is wrong, and where if it is a part of what was sent.",
        "properties": {
            "detail": {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/WrongPart"}}]
            }
        },
        "required": ["detail"],
    },
    "WrongPart": {
        "type": "object",
        "properties": {
            "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
            "msg": {"type": "string"},
            "type": {"type": "string"},
        },
        "required": ["loc", "msg", "type"],
    },
}
BEARER = "Bearer"


def describe(app: FastAPI) -> None:
    """Have `app` tell, beside what FastAPI finds in its routes, what they refuse and what they ask credentials for."""
    found = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = completed(found())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI says to extend it


def completed(told: Json) -> Json:
    """The description with all problems of each operation."""
    components = told["components"]
    for automatic in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(automatic, None)
    components["schemas"] |= SCHEMAS | protocol.SCHEMAS
    components["securitySchemes"] = {BEARER: {"type": "http", "scheme": "bearer"}}
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            if path not in WITHOUT_CREDENTIALS:
                operation["security"] = [{BEARER: []}]
            operation["responses"] |= {str(status): _problem(status) for status in _problems(path, method, operation)}
    for path, operations in protocol.PATHS.items():
        told["paths"][path] = deepcopy(operations)
        for operation in told["paths"][path].values():
            operation["security"] = [{BEARER: []}]
            operation["responses"] |= {str(status): _problem(status) for status in protocol.PROBLEMS}
    return told


def _problems(path: str, method: str, operation: Json) -> list[int]:
    found = {503}
    if path not in WITHOUT_CREDENTIALS or path == "/auth/login":
        found |= {401}
    if path not in WITHOUT_CREDENTIALS or path == "/auth/email/register":
        found |= {403}
    if operation.get("parameters"):
        found |= {422}
    if "{" in path or (method in CHANGING and path not in HASHING):
        found |= {404}
    if method in CHANGING and path != "/auth/login":
        found |= {409}
    if "requestBody" in operation:
        found |= {400, 408, 413, 422}
    if path in HASHING or path.startswith("/auth/email/users"):
        found |= {429}
    return sorted(found)


def _problem(status: int) -> Json:
    schema = {"$ref": f"#/components/schemas/{'Wrong' if status == 422 else 'Problem'}"}
    told: Json = {"description": PROBLEMS[status], "content": {"application/json": {"schema": schema}}}
    return told | ({"headers": HEADERS[status]} if status in HEADERS else {})
