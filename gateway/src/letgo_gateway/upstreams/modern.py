"""Calls of an upstream of revision 2026-07-28 over streamable HTTP: each stands for itself, there are no sessions."""

import base64
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from letgo_gateway.upstreams.calls import MODERN, Call, modern_params
from letgo_gateway.upstreams.endpoints import Endpoint
from letgo_gateway.upstreams.exchanges import HttpExchange
from letgo_gateway.upstreams.http import Http, Url
from letgo_gateway.upstreams.messages import request

_plain = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?").fullmatch
_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_encoded = re.compile(r"=\?base64\?(.*)\?=").fullmatch

HeaderMap = Mapping[tuple[str, ...], tuple[str, str]]
"""Which argument goes into which `Mcp-Param-` header: path -> (name, type in JSON Schema)."""


class ModernUpstream:
    """Where modern calls are sent."""

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http, self._endpoint = http, endpoint
        self._url = Url.parse(endpoint.url)
        self._ids = itertools.count(1)

    async def exchange(self, call: Call, timeout: float | None = None) -> HttpExchange:
        """Raises `UpstreamError`. `timeout`: how long it may be silent, if not as long as the endpoint may."""
        id = next(self._ids)
        headers = {
            **self._endpoint.headers,
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": call.method,
            **call.headers,
        }
        if call.name is not None:
            headers["mcp-name"] = encoded(call.name)
        body = request(id, call.method, modern_params(call, id))
        response = await self._http.send(
            "POST", self._url, headers, body, timeout=self._endpoint.timeout, repeatable=call.method != "tools/call"
        )
        return HttpExchange(call, id, response, timeout or self._endpoint.timeout)


def encoded(value: str) -> str:
    """A value as a header can carry it."""
    if _plain(value) and not _encoded(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decoded(value: str) -> str | None:
    """What was `encoded`; None if it was not done rightly."""
    if (found := _encoded(value)) is None:
        return value
    try:
        raw = base64.b64decode(found[1], validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == found[1] else None
    except ValueError:
        return None


def header_map(schema: object) -> HeaderMap:
    """The arguments that a tool's schema mirrors into headers. Raises `ValueError` where it does so wrongly."""
    found: dict[tuple[str, ...], tuple[str, str]] = {}
    names: set[str] = set()
    for path, position in _positions(schema, ()):
        if "x-mcp-header" not in position:
            continue
        name, kind = position["x-mcp-header"], position.get("type")
        if not path or not isinstance(name, str) or not _token(name):
            raise ValueError("x-mcp-header is not a name of a header, or not on a property that can be reached")
        if kind not in ("string", "integer", "boolean"):
            raise ValueError(f"x-mcp-header {name} is on {'.'.join(path)}, which is no string, integer or boolean")
        if name.lower() in names:
            raise ValueError(f"x-mcp-header {name} comes twice")
        names.add(name.lower())
        found[path] = (name, kind)
    return found


def _positions(schema: object, path: tuple[str, ...] | None) -> Iterator[tuple[tuple[str, ...] | None, dict[str, Any]]]:
    """Each schema within a schema, with its path of properties, or None where something else lies between."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword, value in schema.items():
        if keyword == "properties" and isinstance(value, dict):
            for name, inner in value.items():
                yield from _positions(inner, None if path is None else (*path, name))
        elif keyword in _SCHEMA:
            yield from _positions(value, None)
        elif keyword in _SCHEMAS and isinstance(value, list):
            for inner in value:
                yield from _positions(inner, None)
        elif keyword in _NAMED_SCHEMAS and isinstance(value, dict):
            for inner in value.values():
                yield from _positions(inner, None)


# The keywords of JSON Schema 2020-12 whose values are schemas themselves.
_SCHEMA = frozenset(
    "items contains unevaluatedItems additionalProperties propertyNames unevaluatedProperties not if then else "
    "contentSchema".split()
)
_SCHEMAS = frozenset("allOf anyOf oneOf prefixItems".split())
_NAMED_SCHEMAS = frozenset("patternProperties dependentSchemas $defs definitions".split())


def param_headers(mirrored: HeaderMap, arguments: object) -> dict[str, str]:
    """The `Mcp-Param-` headers of a call."""
    found = {}
    for path, (name, _) in mirrored.items():
        value = at_path(arguments, path)
        if (said := spelt(value)) is not None:
            found[f"mcp-param-{name.lower()}"] = encoded(said)
    return found


def at_path(arguments: object, path: tuple[str, ...]) -> object:
    for step in path:
        if not isinstance(arguments, dict):
            return None
        arguments = arguments.get(step)
    return arguments


def spelt(value: object) -> str | None:
    """A scalar as a header says it; None for what a header does not carry."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return str(value)
    return None
