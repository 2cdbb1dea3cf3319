"""Clients of revisions 2025-06-18 and 2025-11-25: `initialize`, a session, and questions to the client in streams."""

import asyncio
import itertools
import logging
import time
from contextlib import suppress

from letgo_gateway.mcp.answers import JSON, Answer, respond
from letgo_gateway.mcp.inbound import Inbound
from letgo_gateway.mcp.protocol import LISTS, RUN, SERVED_LEGACY, SERVER_INFO
from letgo_gateway.mcp.routing import OnUpstream, place
from letgo_gateway.mcp.service import Service, shared
from letgo_gateway.mcp.sessions import ClientSession
from letgo_gateway.mcp.streams import NotKept, Position, Stream, position_of
from letgo_gateway.mcp.view import View
from letgo_gateway.upstreams.calls import Caller, Era
from letgo_gateway.upstreams.errors import UpstreamError
from letgo_gateway.upstreams.legacy import LEVELS
from letgo_gateway.upstreams.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Failure,
    Message,
    dumps,
    error_response,
    notification,
    response,
    written,
)
from letgo_gateway.upstreams.messages import (
    request as request_text,
)

ASK_SECONDS = 300.0
"""How long a client may take to answer a question."""
MOST_SUBSCRIPTIONS = 100
PRIMED_SINCE = "2025-11-25"
"""The revision since which an event may be empty: its id tells where the stream is."""

log = logging.getLogger(__name__)
_questions = itertools.count(1)


async def handle(service: Service, request: Inbound) -> None:
    """Answer a message of a legacy client."""
    message = request.message
    if message.method == "initialize" and message.id is not None:
        await _initialize(service, request)
        return
    session = await session_of(service, request)
    if session is None:
        return
    if message.is_response:
        await service.sessions.answer(session, message, request.text.decode())
        await respond(request.send, 202, b"", ())
    elif message.id is None:
        match message.method:
            case "notifications/cancelled":
                await service.sessions.cancel(session, message.param("requestId"))
            case "notifications/roots/list_changed":
                await service.unasked.tell(session.key, message)
        await respond(request.send, 202, b"", ())
    else:
        await _answer(service, request, session)


async def session_of(service: Service, request: Inbound) -> ClientSession | None:
    """The session a request belongs to; None if it has been refused for want of one."""
    id = request.message.id
    version = request.headers.get("mcp-protocol-version")
    if version is not None and version not in SERVED_LEGACY:
        refusal = Failure(
            INVALID_REQUEST, f"Unsupported protocol version: {version}; served: {', '.join(SERVED_LEGACY)}"
        )
        await respond(request.send, 400, error_response(id, refusal.body()))
        return None
    text = request.headers.get("mcp-session-id")
    if text is None:
        refusal = Failure(INVALID_REQUEST, "Missing session: initialize first, then send Mcp-Session-Id")
        await respond(request.send, 400, error_response(id, refusal.body()))
        return None
    session = service.sessions.find(text, request.subject, request.server)
    if session is None:
        await respond(request.send, 404, error_response(id, Failure(INVALID_REQUEST, "Session not found").body()))
    return session


async def _initialize(service: Service, request: Inbound) -> None:
    message = request.message
    assert message.id is not None
    try:
        view = await service.view(request.server, request.principal)
        asked, capabilities = message.param("protocolVersion"), message.param("capabilities")
        info = message.param("clientInfo") or {}
        if not isinstance(asked, str) or not isinstance(capabilities, dict) or not isinstance(info, dict):
            raise Failure(INVALID_PARAMS, "initialize needs protocolVersion, capabilities and clientInfo")
        version = asked if asked in SERVED_LEGACY else SERVED_LEGACY[0]
        try:
            session = service.sessions.begin(request.subject, request.server, version, capabilities, info)
        except ValueError as error:
            raise Failure(INVALID_PARAMS, str(error)) from error
    except Failure as failure:
        await respond(request.send, 200, error_response(message.id, failure.body()))
        return
    result = {"protocolVersion": version, "capabilities": view.capabilities, "serverInfo": SERVER_INFO}
    if view.instructions:
        result["instructions"] = view.instructions
    headers = (JSON, (b"mcp-session-id", session.text.encode()))
    await respond(request.send, 200, response(message.id, dumps(result)), headers)


async def _answer(service: Service, request: Inbound, session: ClientSession) -> None:
    """Answer a request in a session."""
    message = request.message
    assert message.id is not None
    try:
        view = await service.view(request.server, request.principal)
        if message.method in RUN:
            await _run(service, view, request, session)
            return
        result = await plain(service, view, message)
        if result is None:
            result = await _in_session(service, view, message, session)
    except Failure as failure:
        await respond(request.send, 200, error_response(message.id, failure.body()))
        return
    await respond(request.send, 200, response(message.id, result))


async def plain(service: Service, view: View, message: Message) -> str | None:
    """The result of a request that needs no session; None if it is none of these."""
    if message.method in LISTS:
        return view.page(message.method or "", "legacy", message.param("cursor"))
    return "{}" if message.method == "ping" else None


async def _in_session(service: Service, view: View, message: Message, session: ClientSession) -> str:
    match message.method:
        case "logging/setLevel":
            level = message.param("level")
            if level not in LEVELS:
                raise Failure(INVALID_PARAMS, f"level must be one of {', '.join(LEVELS)}")
            await service.sessions.set_level(session, level)
        case "resources/subscribe":
            await _subscribe(service, view, message, session)
        case "resources/unsubscribe":
            await service.sessions.unsubscribe(session, str(message.param("uri")))
        case _:
            raise Failure(METHOD_NOT_FOUND, f"Method not found: {message.method}")
    return "{}"


def caller_of(session: ClientSession) -> Caller:
    return Caller(session.subject, session.key, shared(session.capabilities), session.info)


async def _subscribe(service: Service, view: View, message: Message, session: ClientSession) -> None:
    """Subscribe to a resource at its upstream, for as long as the session wants it. Raises `Failure`."""
    where, uri = place(view, message, "legacy"), message.param("uri")
    here = service.sessions.here(session)
    if not isinstance(where, OnUpstream) or uri in here.subscriptions:
        return  # the gateway's own resources change with the registry alone
    if len(here.subscriptions) >= MOST_SUBSCRIPTIONS:
        raise Failure(INVALID_PARAMS, f"{MOST_SUBSCRIPTIONS} subscriptions are as many as a session may have")
    upstream = service.fleet.of(where.upstream)
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def updated(told: Message) -> None:
        service.sessions.post(session.key, notification("notifications/resources/updated", written(told.params or {})))

    async def subscribe() -> None:
        try:
            async with upstream.subscribed(caller_of(session), (uri,), updated, "legacy"):
                ready.set_result(None)
                await asyncio.sleep(session.expires - time.time())
        except UpstreamError as error:
            if not ready.done():
                ready.set_exception(error)

    here.subscriptions[uri] = task = asyncio.create_task(subscribe())
    try:
        await ready
    except UpstreamError as error:
        here.subscriptions.pop(uri, None)
        raise Failure(INTERNAL_ERROR, f"upstream {upstream.endpoint.name}: {error}") from error
    except asyncio.CancelledError:
        task.cancel()
        raise


class LegacyClient:
    """The client of one request, which can be asked in the stream of the response."""

    era: Era = "legacy"

    def __init__(self, service: Service, session: ClientSession | None, answer: Answer) -> None:
        self._service, self._session, self._answer = service, session, answer

    async def notify(self, message: Message) -> None:
        assert message.method is not None
        await self._answer.say(notification(message.method, written(message.params or {})))

    async def ask(self, method: str, params: str | None) -> Message:
        """Raises `Failure` if the client can't be asked, or does not answer in time."""
        if self._session is None or not self._answer.streams:
            raise Failure(METHOD_NOT_FOUND, f"the client can't be asked {method}: it does not take a stream")
        here, id = self._service.sessions.here(self._session), f"{self._service.waiting.worker}-{next(_questions)}"
        answered: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        here.questions[id] = answered
        try:
            await self._answer.say(request_text(id, method, params))
            async with asyncio.timeout(ASK_SECONDS):
                return await answered
        except TimeoutError:
            raise Failure(INTERNAL_ERROR, f"the client did not answer {method} within {ASK_SECONDS:g} s") from None
        finally:
            here.questions.pop(id, None)


async def _run(service: Service, view: View, request: Inbound, session: ClientSession) -> None:
    """Run a request on its upstream. It goes on when the client goes away: to end it, it must be cancelled."""
    message = request.message
    task = asyncio.current_task()
    assert message.id is not None and task is not None
    here = service.sessions.here(session)
    here.running[message.id] = task
    answer = Answer(
        request.send,
        request.streams,
        lambda: service.streams.open(session.key, answers=True),
        primed=session.version == PRIMED_SINCE,
    )
    client = LegacyClient(service, session, answer)
    try:
        result = await service.run(view, message, caller_of(session), service.sessions.level(session.key), client)
    except Failure as failure:
        await answer.finish(error_response(message.id, failure.body()))
    except asyncio.CancelledError:
        if message.id in here.running:
            raise  # not the client's doing
        task.uncancel()
        await answer.end()
    else:
        await answer.finish(response(message.id, result))
    finally:
        answer.stop()
        if answer.kept is not None:
            answer.kept.end()
            service.streams.leave(answer.kept)
        here.running.pop(message.id, None)
        service.sessions.tidy(session)


async def stream(service: Service, request: Inbound, session: ClientSession) -> None:
    """What a client hears unasked, or the rest of a stream that it has lost, until that is over or it goes away."""
    answer, last = Answer(request.send, True), position_of(request.headers.get("last-event-id", ""))
    if last is not None and last.answers:
        following = asyncio.create_task(service.streams.follow(last, session.key, answer.stream))
    else:
        following = asyncio.create_task(_hear(service, session, last, answer))
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((following, gone), return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()
            await answer.end()
    except NotKept:
        refusal = Failure(INVALID_REQUEST, "what came after this event is not kept any more")
        await respond(request.send, 400, error_response(None, refusal.body()))
    finally:
        gone.cancel()
        following.cancel()
        answer.stop()


async def _hear(service: Service, session: ClientSession, last: Position | None, answer: Answer) -> None:
    """Say what comes unasked. A newer stream takes the place of an older one, and goes on where that was `last`."""
    heard, after = service.sessions.here(session).unasked, last.number if last else 0
    await answer.stream(b"")
    if heard is None or last is None or not heard.has(last):
        heard, after = _unasked(service, session), 0
        if last is not None:
            with suppress(NotKept):
                await service.streams.follow(last, session.key, answer.stream)
    try:
        await heard.follow(after, answer.stream)
    finally:
        service.streams.leave(heard)


def _unasked(service: Service, session: ClientSession) -> Stream:
    """A new stream for what comes unasked, in the place of the one before."""
    here = service.sessions.here(session)

    def changed(kind: str) -> None:
        opened.add(notification(f"notifications/{kind}/list_changed", None))

    def ended() -> None:
        service.listeners.remove(changed)
        if here.unasked is opened:
            here.unasked = None
        service.sessions.tidy(session)

    before, opened = here.unasked, service.streams.open(session.key, answers=False, ended=ended)
    here.unasked = opened
    if before is not None:
        before.end()
    service.listeners.add(changed)
    return opened


async def _gone(request: Inbound) -> None:
    with suppress(OSError):
        while (await request.receive())["type"] != "http.disconnect":
            pass


async def end(service: Service, request: Inbound, session: ClientSession) -> None:
    await service.sessions.end(session)
    await respond(request.send, 204, b"", ())
