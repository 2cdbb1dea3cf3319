"""A session with an upstream of a revision up to 2025-11-25, over streamable HTTP."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from letgo_gateway.upstreams.calls import LEGACY, Call, Caller, Exchange, given, legacy_params
from letgo_gateway.upstreams.endpoints import Endpoint
from letgo_gateway.upstreams.errors import Garbage, Refused, SessionLost, TooSlow, UpstreamError
from letgo_gateway.upstreams.events import EventReader
from letgo_gateway.upstreams.exchanges import HttpExchange
from letgo_gateway.upstreams.http import Http, Response, Url
from letgo_gateway.upstreams.messages import (
    METHOD_NOT_FOUND,
    Message,
    error_response,
    notification,
    parse,
    request,
    response,
    written,
)

log = logging.getLogger(__name__)

CLIENT = {"name": "letgo-gateway", "version": "0.1.0"}
BACKGROUND_TIMEOUT = 10.0
LONGEST_REFUSAL = 64 * 1024
FIRST_RETRY, LONGEST_RETRY = 0.5, 30.0

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

OnMessage = Callable[[Message], None]


class LegacySession:
    """What `initialize` began. Requests run side by side; each has a stream of its own."""

    def __init__(self, http: Http, endpoint: Endpoint, caller: Caller, on_message: OnMessage) -> None:
        self._http, self._endpoint, self._caller, self._on_message = http, endpoint, caller, on_message
        self._url = Url.parse(endpoint.url)
        self._ids = itertools.count(1)
        self._headers: dict[str, str] = dict(endpoint.headers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Task[None] | None = None
        self._asking: list[HttpExchange] = []
        self._level: str | None = None
        self._closed = False
        self.about: Mapping[str, Any] = {}
        """What the upstream said of itself: `protocolVersion`, `capabilities`, `serverInfo`, `instructions`."""
        self.gone = asyncio.Event()
        """Set when the upstream does not know this session any more."""
        self.active = 0
        """Calls under way, as who makes them counts."""
        self.used = asyncio.get_running_loop().time()

    @property
    def stateful(self) -> bool:
        """Whether the upstream keeps anything for this session."""
        return "mcp-session-id" in self._headers

    async def initialize(self) -> None:
        """Raises `UpstreamError`, and `Refused` when the upstream wants none of it."""
        info = dict(self._caller.info) or CLIENT
        params = given(protocolVersion=LEGACY[0], capabilities=dict(self._caller.capabilities), clientInfo=info)
        id = next(self._ids)
        answer = await self._post(request(id, "initialize", written(params)), repeatable=True)
        about = await result_of(HttpExchange(Call("initialize"), id, answer, self._endpoint.timeout, reply=self.tell))
        if about.get("protocolVersion") not in LEGACY:
            raise Garbage(f"the upstream answered initialize with version {about.get('protocolVersion')!r}")
        self.about = about
        self._headers["mcp-protocol-version"] = about["protocolVersion"]
        if session := answer.headers.get("mcp-session-id"):
            self._headers["mcp-session-id"] = session
        await self.tell(notification("notifications/initialized", None))

    async def exchange(self, call: Call) -> HttpExchange:
        self.used = asyncio.get_running_loop().time()
        if call.log_level is not None and "logging" in self.about.get("capabilities", {}):
            await self._let_log(call.log_level)
        id = next(self._ids)
        try:
            body = request(id, call.method, legacy_params(call, id))
            answer = await self._post(body, repeatable=call.method != "tools/call")
        except (asyncio.CancelledError, TooSlow):
            self._cancel(id)
            raise
        if self.stateful and answer.status in (400, 404) and await self._is_lost(answer):
            answer.close()
            self.gone.set()
            raise SessionLost("the upstream does not know the session any more")
        exchange = HttpExchange(
            call,
            id,
            answer,
            self._endpoint.timeout,
            reply=self.tell,
            cancelled=lambda: self._cancel(id),
            resume=self._resume,
        )
        if call.caller.capabilities:
            self._asking = [one for one in self._asking if not one.over]
            self._asking.append(exchange)
        return exchange

    async def _is_lost(self, answer: Response) -> bool:
        """Whether the status speaks of the session, and not of what was asked."""
        if answer.status == 404:
            return True
        return b"session" in (await answer.peek(LONGEST_REFUSAL, self._endpoint.timeout)).lower()

    async def ask(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a request of the gateway's own. Raises `UpstreamError`."""
        return await result_of(await self.exchange(Call(method, given(**params), self._caller)))

    async def _let_log(self, level: str) -> None:
        """Let the upstream log from `level` on. Callers of a session share its level: it only ever gets lower."""
        if self._level is not None and rank(self._level) <= rank(level):
            return
        self._level = level
        await self.ask("logging/setLevel", level=level)

    async def tell(self, message: bytes) -> None:
        answer = await self._post(message)
        await answer.read(LONGEST_REFUSAL, self._endpoint.timeout)
        if answer.status == 404 and self.stateful:
            self.gone.set()
            raise SessionLost("the upstream does not know the session")
        if answer.status >= 400:
            raise Refused(f"the upstream answered a notification with status {answer.status}", answer.status)

    def _cancel(self, id: int) -> None:
        params = written(given(requestId=id, reason="the client does not wait any more"))
        self._in_background(self.tell(notification("notifications/cancelled", params)))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        if self._closed:
            work.close()
            return

        async def run() -> None:
            with contextlib.suppress(UpstreamError, TimeoutError):
                async with asyncio.timeout(BACKGROUND_TIMEOUT):
                    await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, body: bytes, *, repeatable: bool = False) -> Response:
        headers = self._headers | {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        return await self._http.send(
            "POST", self._url, headers, body, timeout=self._endpoint.timeout, repeatable=repeatable
        )

    async def _resume(self, last_event: str) -> Response:
        headers = self._headers | {"accept": "text/event-stream", "last-event-id": last_event}
        return await self._http.send("GET", self._url, headers, timeout=self._endpoint.timeout, repeatable=True)

    def listen(self) -> None:
        """Open the stream of what the upstream says unasked, and keep it open. An upstream need not have one."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        delay = FIRST_RETRY
        while not self.gone.is_set():
            with contextlib.suppress(UpstreamError, ValueError):
                answer = await self._http.send(
                    "GET",
                    self._url,
                    self._headers | {"accept": "text/event-stream"},
                    timeout=self._endpoint.timeout,
                    repeatable=True,
                )
                try:
                    if answer.status == 404 and self.stateful:
                        self.gone.set()
                        return
                    if answer.status != 200 or answer.content_type != "text/event-stream":
                        return
                    delay = FIRST_RETRY
                    await self._read(answer)
                finally:
                    answer.close()
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RETRY)

    async def _read(self, answer: Response) -> None:
        reader = EventReader()
        while chunk := await answer.chunk():
            for event in reader.feed(chunk):
                if event.name == "message" and event.data:
                    self._hear(parse(event.data))

    def _hear(self, message: Message) -> None:
        if message.is_request and message.method == "ping":
            assert message.id is not None
            self._in_background(self.tell(response(message.id, "{}")))
            return
        asking = next((one for one in reversed(self._asking) if not one.over), None)
        if (message.is_request or message.method == "notifications/message") and asking is not None:
            asking.tell(message)
        elif message.is_request:
            assert message.id is not None
            refused = {"code": METHOD_NOT_FOUND, "message": "there is nobody to ask"}
            self._in_background(self.tell(error_response(message.id, refused)))
        else:
            self._on_message(message)

    async def close(self) -> None:
        """End the session, on the upstream too if it lets us."""
        self._closed = True
        if self._listening is not None:
            self._listening.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self.stateful and not self.gone.is_set():
            with contextlib.suppress(UpstreamError, TimeoutError):
                async with asyncio.timeout(BACKGROUND_TIMEOUT):
                    answer = await self._http.send("DELETE", self._url, self._headers, timeout=BACKGROUND_TIMEOUT)
                    answer.close()


async def result_of(exchange: Exchange) -> dict[str, Any]:
    """The result of a request of the gateway's own, in which there is nobody to ask. Raises `UpstreamError`."""
    try:
        while not (message := await exchange.next()).is_response:
            if message.id is not None:
                await exchange.reply(error_response(message.id, {"code": METHOD_NOT_FOUND, "message": "nobody to ask"}))
    finally:
        exchange.cancel()
    if message.result is None:
        raise Refused(f"the upstream said no: {(message.error or {}).get('message')}", 400)
    result: dict[str, Any] = message.result.value
    return result


def rank(level: str) -> int:
    """How severe a level of RFC 5424 is; an unknown one is most severe, so that it is not lost."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
