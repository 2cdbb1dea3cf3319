"""Clients of revision 2026-07-28: each request says all about itself, and stands for itself."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from letgo_gateway.mcp.answers import Answer, Presence, respond
from letgo_gateway.mcp.inbound import Inbound
from letgo_gateway.mcp.protocol import (
    HEADER_MISMATCH,
    HTTP_STATUS,
    LISTS,
    RUN,
    SERVED,
    SERVER_INFO,
    UNSUPPORTED_VERSION,
)
from letgo_gateway.mcp.routing import OnUpstream, place
from letgo_gateway.mcp.service import Service, shared
from letgo_gateway.mcp.view import TTL_MS, View
from letgo_gateway.upstreams.calls import (
    CAPABILITIES_KEY,
    CLIENT_KEY,
    LOG_LEVEL_KEY,
    MODERN,
    NAMED,
    SERVER_KEY,
    SUBSCRIPTION_KEY,
    VERSION_KEY,
    Caller,
    Era,
    given,
)
from letgo_gateway.upstreams.errors import UpstreamError
from letgo_gateway.upstreams.legacy import LEVELS
from letgo_gateway.upstreams.messages import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Failure,
    Message,
    dumps,
    error_response,
    notification,
    response,
    written,
)
from letgo_gateway.upstreams.modern import at_path, decoded, spelt

METHODS = LISTS | RUN | {"server/discover", "subscriptions/listen"}
ROUTING_HEADERS = frozenset({"mcp-protocol-version", "mcp-method", "mcp-name"})
LIST_FILTERS = {f"{kind}ListChanged": kind for kind in ("tools", "prompts", "resources")}


async def handle(service: Service, request: Inbound) -> None:
    """Answer a message of a modern client."""
    message = request.message
    if message.id is None or message.method is None:
        # There is nothing a client could tell or answer: what it sends by mistake is taken and dropped.
        await respond(request.send, 202 if message.method else 400, b"", ())
        return
    try:
        check(request)
        view = await service.view(request.server, request.principal)
        if message.method == "subscriptions/listen":
            await _listen(service, view, request)
            return
        check_mirrored(request, view)
        if message.method in LISTS:
            result = view.page(message.method, "modern", message.param("cursor"))
        elif message.method == "server/discover":
            result = _discovered(view, request.principal.user is None)
        else:
            await _run(service, view, request)
            return
    except Failure as failure:
        await respond(request.send, HTTP_STATUS.get(failure.code, 200), error_response(message.id, failure.body()))
        return
    await respond(request.send, 200, response(message.id, result))


def check(request: Inbound) -> None:
    """Raises `Failure` if the request does not say what it must, or its headers say something else."""
    message, headers = request.message, request.headers
    meta = message.meta
    if missing := [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]:
        raise Failure(INVALID_PARAMS, f"params._meta lacks {', '.join(missing)}")
    if doubled := request.doubled & ROUTING_HEADERS:
        raise Failure(HEADER_MISMATCH, f"more than one header {min(doubled)}")
    version = meta[VERSION_KEY]
    if headers.get("mcp-protocol-version") != version:
        raise Failure(HEADER_MISMATCH, "the header MCP-Protocol-Version differs from the version in params._meta")
    if headers.get("mcp-method") != message.method:
        raise Failure(HEADER_MISMATCH, "the header Mcp-Method differs from the method")
    named = message.param(NAMED.get(message.method or "", ""))
    if named is not None and decoded(headers.get("mcp-name", "")) != named:
        raise Failure(HEADER_MISMATCH, f"the header Mcp-Name differs from {NAMED[message.method or '']}")
    if version != MODERN:
        raise Failure(
            UNSUPPORTED_VERSION, "Unsupported protocol version", {"supported": list(SERVED), "requested": version}
        )
    if message.method not in METHODS:
        raise Failure(METHOD_NOT_FOUND, f"Method not found: {message.method}")
    if not isinstance(meta[CAPABILITIES_KEY], dict) or not isinstance(meta.get(CLIENT_KEY, {}), dict):
        raise Failure(INVALID_PARAMS, f"{CAPABILITIES_KEY} and {CLIENT_KEY} must be objects")
    if meta.get(LOG_LEVEL_KEY, "info") not in LEVELS:
        raise Failure(INVALID_PARAMS, f"{LOG_LEVEL_KEY} must be one of {', '.join(LEVELS)}")


def check_mirrored(request: Inbound, view: View) -> None:
    """Raises `Failure` if an `Mcp-Param-` header differs from the argument that it mirrors."""
    message = request.message
    if message.method != "tools/call" or (found := view.tools.get(str(message.param("name")))) is None:
        return
    arguments = message.param("arguments")
    for path, (name, kind) in found[0].mirrored.items():
        header, value = f"mcp-param-{name.lower()}", at_path(arguments, path)
        said, expected = request.headers.get(header), spelt(value)
        if said is None and expected is None:
            continue
        if header in request.doubled or said is None or expected is None:
            raise Failure(HEADER_MISMATCH, f"the header {header} and the argument {'.'.join(path)} don't come together")
        read = decoded(said)
        if read is None or not (read == expected or (kind == "integer" and _same_number(read, value))):
            raise Failure(HEADER_MISMATCH, f"the header {header} differs from the argument {'.'.join(path)}")


def _same_number(said: str, value: object) -> bool:
    whole, _, fraction = said.partition(".")
    try:
        return not fraction.strip("0") and not isinstance(value, bool) and int(whole) == value
    except ValueError:
        return False


def _discovered(view: View, public: bool) -> str:
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": list(SERVED),
        "capabilities": view.capabilities,
        "ttlMs": TTL_MS,
        "cacheScope": "public" if public else "private",
        "_meta": {SERVER_KEY: SERVER_INFO},
    }
    if view.instructions:
        result["instructions"] = view.instructions
    return dumps(result)


def caller_of(request: Inbound) -> Caller:
    meta = request.message.meta
    return Caller(request.subject, "", shared(meta[CAPABILITIES_KEY]), meta.get(CLIENT_KEY, {}))


class ModernClient:
    """The client of one request."""

    era: Era = "modern"

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def notify(self, message: Message) -> None:
        assert message.method is not None
        await self._answer.say(notification(message.method, written(message.params or {})))

    async def ask(self, method: str, params: str | None) -> Message:
        raise Failure(METHOD_NOT_FOUND, f"a client of {MODERN} is not asked {method} like this")


async def _run(service: Service, view: View, request: Inbound) -> None:
    """Run a request on its upstream. That the client closes its stream ends the request there too."""
    message = request.message
    assert message.id is not None
    answer, presence = Answer(request.send, request.streams), Presence(request.receive)
    client, level = ModernClient(answer), message.meta.get(LOG_LEVEL_KEY)
    try:
        result = await service.run(view, message, caller_of(request), level, client)
    except Failure as failure:
        await answer.finish(error_response(message.id, failure.body()), HTTP_STATUS.get(failure.code, 200))
    except asyncio.CancelledError:
        if not presence.gone:
            raise
    else:
        await answer.finish(response(message.id, result))
    finally:
        presence.stop()
        answer.stop()


async def _listen(service: Service, view: View, request: Inbound) -> None:
    """Tell a client of the changes it wants to hear of, until it goes away."""
    message = request.message
    assert message.id is not None
    if not request.streams:
        await respond(request.send, 406, b"", ())
        return
    wanted = message.param("notifications")
    if not isinstance(wanted, dict):
        raise Failure(INVALID_PARAMS, "notifications must be an object")
    answer, presence = Answer(request.send, True), Presence(request.receive)
    tag = {SUBSCRIPTION_KEY: message.id}
    queue: asyncio.Queue[bytes] = asyncio.Queue(1000)

    def tell(method: str, params: Mapping[str, Any]) -> None:
        if not queue.full():
            queue.put_nowait(notification(method, dumps({**params, "_meta": {**params.get("_meta", {}), **tag}})))

    kinds = {kind for field, kind in LIST_FILTERS.items() if wanted.get(field) is True}

    def changed(kind: str) -> None:
        if kind in kinds:
            tell(f"notifications/{kind}/list_changed", {})

    def updated(told: Message) -> None:
        tell("notifications/resources/updated", {name: member.value for name, member in (told.params or {}).items()})

    service.listeners.add(changed)
    try:
        async with AsyncExitStack() as stack:
            uris = await _subscribe(service, view, request, wanted.get("resourceSubscriptions"), updated, stack)
            honoured: dict[str, object] = {field: True for field, kind in LIST_FILTERS.items() if kind in kinds}
            honoured |= {"resourceSubscriptions": uris} if uris else {}
            acknowledged = dumps({"notifications": honoured, "_meta": tag})
            await answer.say(notification("notifications/subscriptions/acknowledged", acknowledged))
            while True:
                await answer.say(await queue.get())
    except asyncio.CancelledError:
        if not presence.gone:
            raise
    finally:
        service.listeners.remove(changed)
        presence.stop()
        answer.stop()


async def _subscribe(
    service: Service, view: View, request: Inbound, uris: object, updated: Any, stack: AsyncExitStack
) -> list[str]:
    """Subscribe to resources at their upstreams, and return those for which it worked."""
    done: list[str] = []
    for uri in uris if isinstance(uris, list) else ():
        asked = Message("subscribe", "resources/subscribe", given(uri=uri))
        try:
            where = place(view, asked, "modern")
            if isinstance(where, OnUpstream):
                upstream = service.fleet.of(where.upstream)
                await stack.enter_async_context(upstream.subscribed(caller_of(request), (uri,), updated, "modern"))
                done.append(uri)
        except (Failure, UpstreamError):
            continue  # it is left out of what is acknowledged
    return done
