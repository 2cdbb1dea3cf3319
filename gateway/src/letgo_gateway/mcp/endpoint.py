"""From an HTTP request to a message, and to the era that understands it."""

from collections.abc import Iterable, Mapping

from starlette.types import Receive, Scope, Send

from letgo_gateway.identity.principal import Principal
from letgo_gateway.mcp import legacy, modern
from letgo_gateway.mcp.answers import Answer, respond
from letgo_gateway.mcp.inbound import Inbound
from letgo_gateway.mcp.lasting import Lasting, Who
from letgo_gateway.mcp.protocol import RUN
from letgo_gateway.mcp.service import Service
from letgo_gateway.upstreams.calls import MODERN, VERSION_KEY, Caller
from letgo_gateway.upstreams.messages import (
    METHOD_NOT_FOUND,
    Failure,
    Malformed,
    Message,
    error_response,
    parse,
    response,
)

NOTHING = Message()


class Hosts:
    """The names by which the gateway may be called, and whose pages may call it: a page elsewhere that has its own name
    point here (DNS rebinding) says its own name in `Host` and `Origin`.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(name.lower() for name in allowed)

    def refuses(self, headers: Mapping[str, str]) -> bool:
        if "*" in self._allowed:
            return False
        origin = headers.get("origin")
        if origin is not None and _name(origin.partition("://")[2]) not in self._allowed:
            return True
        return _name(headers.get("host", "")) not in self._allowed


def _name(authority: str) -> str:
    """The host of an authority, without its port."""
    authority = authority.lower()
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]


class Mcp:
    """`/mcp` and `/servers/{server_id}/mcp`."""

    def __init__(self, service: Service, hosts: Hosts, who: Who) -> None:
        self._service, self._hosts, self._who = service, hosts, who
        self.lasting = Lasting(who)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, doubled = _headers(scope)
        if self._hosts.refuses(headers):
            await respond(send, 403, error_response(None, {"code": -32600, "message": "Host or Origin is not allowed"}))
            return
        principal = await self._who(headers)
        server = scope.get("path_params", {}).get("server_id")
        accepted = _accepts(headers)
        if scope["method"] == "POST":
            if accepted is None:
                await respond(send, 406, b"", ())
                return
            body = await read(receive)
            try:
                message = parse(body)
            except Malformed as error:
                await _malformed(send, error)
                return
            request = Inbound(message, body, headers, doubled, principal, server, accepted, receive, send)
            if message.method == "subscriptions/listen":
                await self.lasting.serve(request, lambda one: modern.handle(self._service, one))
            else:
                await (modern if is_modern(message, headers) else legacy).handle(self._service, request)
        elif scope["method"] in ("GET", "DELETE") and headers.get("mcp-protocol-version") != MODERN:
            request = Inbound(NOTHING, b"", headers, doubled, principal, server, True, receive, send)
            await self._session(scope["method"], request)
        else:
            await respond(send, 405, b"", ((b"allow", b"POST"),))

    async def _session(self, method: str, request: Inbound) -> None:
        if method == "GET" and "text/event-stream" not in request.headers.get("accept", ""):
            await respond(request.send, 406, b"", ())
            return
        session = await legacy.session_of(self._service, request)
        if session is None:
            return
        if method == "GET":
            await self.lasting.serve(request, lambda one: legacy.stream(self._service, one, session))
        else:
            await legacy.end(self._service, request, session)


class Rpc:
    """`/rpc`: JSON-RPC without a session, for who wants one answer to one request."""

    def __init__(self, service: Service, hosts: Hosts, who: Who) -> None:
        self._service, self._hosts, self._who = service, hosts, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, _ = _headers(scope)
        if self._hosts.refuses(headers):
            await respond(send, 403, error_response(None, {"code": -32600, "message": "Host or Origin is not allowed"}))
            return
        principal = await self._who(headers)
        if scope["method"] != "POST":
            await respond(send, 405, b"", ((b"allow", b"POST"),))
            return
        try:
            message = parse(await read(receive))
        except Malformed as error:
            await _malformed(send, error)
            return
        if message.id is None or message.method is None:
            await respond(send, 202, b"", ())
            return
        try:
            result = await self._result(message, principal, send)
        except Failure as failure:
            await respond(send, 200, error_response(message.id, failure.body()))
            return
        await respond(send, 200, response(message.id, result))

    async def _result(self, message: Message, principal: Principal, send: Send) -> str:
        view = await self._service.view(None, principal)
        result = await legacy.plain(self._service, view, message)
        if result is not None:
            return result
        if message.method not in RUN:
            raise Failure(METHOD_NOT_FOUND, f"Method not found: {message.method}")
        client = legacy.LegacyClient(self._service, None, Answer(send, streams=False))
        return await self._service.run(view, message, Caller(principal.user or ""), None, client)


async def _malformed(send: Send, error: Malformed) -> None:
    await respond(send, 400, error_response(error.id, {"code": error.code, "message": str(error)}))


def _headers(scope: Scope) -> tuple[dict[str, str], frozenset[str]]:
    headers: dict[str, str] = {}
    doubled: set[str] = set()
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in headers:
            doubled.add(key)
        headers[key] = value.decode("latin-1")
    return headers, frozenset(doubled)


def _accepts(headers: Mapping[str, str]) -> bool | None:
    """Whether the client takes a stream of events; None if it takes no answer that there is. Silence is consent."""
    accept = headers.get("accept", "*/*")
    if "*/*" in accept or "text/event-stream" in accept:
        return True
    return False if "application/json" in accept or "application/*" in accept else None


def is_modern(message: Message, headers: Mapping[str, str]) -> bool:
    """Whether a message is of the era in which each says its version itself."""
    if headers.get("mcp-protocol-version") == MODERN or VERSION_KEY in message.meta:
        return True
    return message.method in ("server/discover", "subscriptions/listen")


async def read(receive: Receive) -> bytes:
    """The body of a request; `limits` bounds it."""
    message = await receive()
    parts = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return parts[0] if len(parts) == 1 else b"".join(parts)
