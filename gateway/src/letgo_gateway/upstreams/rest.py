"""REST endpoints, called as tools.

`{name}` in the template of the URL is an argument, written so that it stays within its place. What is left of the
arguments goes into the query (GET, HEAD, DELETE) or into a JSON body.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from letgo_gateway.upstreams.arguments import check
from letgo_gateway.upstreams.errors import Garbage
from letgo_gateway.upstreams.http import Http, Response, Url, follow, within
from letgo_gateway.upstreams.messages import INVALID_PARAMS, Failure, dumps, loads

LONGEST_BODY = 8 * 1024 * 1024
IN_QUERY = frozenset({"GET", "HEAD", "DELETE"})

_placeholder = re.compile(r"\{(\w+)\}")


class Endpoint(Protocol):
    """Where a tool is; `url` is a template, `timeout` in seconds."""

    @property
    def url(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def timeout(self) -> float: ...


async def call_endpoint(
    http: Http, endpoint: Endpoint, headers: Mapping[str, str], schema: object, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """A `CallToolResult`. Raises `Failure` for arguments the schema does not allow, and `UpstreamError`."""
    check(schema, arguments)
    method = endpoint.method.upper()
    url, rest = fill(endpoint.url, arguments)
    body, sent = b"", {"accept": "application/json, text/*;q=0.5, */*;q=0.1", **headers}
    if method in IN_QUERY:
        url += ("&" if "?" in url else "?") + urlencode(_pairs(rest), quote_via=quote) if rest else ""
    else:
        body = dumps(rest).encode()
        sent = {"content-type": "application/json", **sent}
    async with within(endpoint.timeout):
        return await result_of(await follow(http, method, Url.parse(url), sent, body, timeout=endpoint.timeout))


def fill(template: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The URL with arguments in their places, and the arguments that have none. Raises `Failure` if one is missing."""
    rest = dict(arguments)

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name not in arguments:
            raise Failure(INVALID_PARAMS, f"missing argument: {name}")
        rest.pop(name, None)
        value = _plain(arguments[name])
        if value in (".", ".."):
            raise Failure(INVALID_PARAMS, f"{name} can't be {value!r}: it would lead to another path")
        return quote(value, safe="")

    return _placeholder.sub(put, template), rest


def _pairs(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in arguments.items():
        values = value if isinstance(value, list) else [value]
        found += [(name, _plain(one)) for one in values if one is not None]
    return found


def _plain(value: object) -> str:
    return value if isinstance(value, str) else dumps(value)


async def result_of(response: Response) -> dict[str, Any]:
    """An HTTP response as a `CallToolResult`: its text, and the object in it if it is JSON. Bounds no time."""
    body = await response.read(LONGEST_BODY, None)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Garbage(f"the endpoint answered with {response.content_type or 'bytes'}, which is no text") from error
    if response.status >= 400:
        said = f"the endpoint answered with status {response.status}" + (f": {text}" if text else "")
        return {"content": [{"type": "text", "text": said}], "isError": True}
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": False}
    if response.content_type.endswith("json"):
        try:
            value = loads(text)
        except ValueError:
            return result
        if isinstance(value, dict):
            result["structuredContent"] = value
    return result
