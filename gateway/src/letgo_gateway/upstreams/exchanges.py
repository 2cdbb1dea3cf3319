"""Requests under way over streamable HTTP: the answer is one JSON object, or a stream of events that ends with it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from letgo_gateway.upstreams.calls import Call, with_token
from letgo_gateway.upstreams.errors import Garbage, Refused, TooSlow, Unreachable, UpstreamError
from letgo_gateway.upstreams.events import EventReader
from letgo_gateway.upstreams.http import Response
from letgo_gateway.upstreams.messages import Malformed, Message, parse

LONGEST_ANSWER = 16 * 1024 * 1024
MOST_RESUMED = 20

Resume = Callable[[str], Awaitable[Response]]
Reply = Callable[[bytes], Awaitable[None]]


class HttpExchange:
    """A request sent by POST. `resume` asks for the rest of a broken stream after an event, where that is possible."""

    def __init__(
        self,
        call: Call,
        id: int,
        response: Response,
        timeout: float,
        *,
        reply: Reply | None = None,
        cancelled: Callable[[], None] | None = None,
        resume: Resume | None = None,
    ) -> None:
        self._call, self._id, self._response, self._timeout = call, id, response, timeout
        self._reply, self._cancelled, self._resume = reply, cancelled, resume
        self._messages: deque[Message] = deque()
        self._reader: EventReader | None = None
        self._told: asyncio.Event | None = asyncio.Event() if call.caller.capabilities and reply else None
        self._last_event: str | None = None
        self._retry = 1.0
        self._resumed = 0
        self.over = False

    async def next(self) -> Message:
        try:
            async with asyncio.timeout(self._timeout):
                while not self._messages:
                    await self._receive()
        except TimeoutError:
            self.cancel()
            raise TooSlow(f"the upstream was silent for {self._timeout:g} s") from None
        except UpstreamError:
            self._end()
            raise
        message = self._messages.popleft()
        if message.is_response:
            self._end()
        elif message.method == "notifications/progress" and message.param("progressToken") == self._id:
            return with_token(message, self._call) if self._call.wants_progress else message
        return message

    async def reply(self, message: bytes) -> None:
        if self._reply is not None:
            await self._reply(message)

    def tell(self, message: Message) -> None:
        """Hand over what the upstream said elsewhere, and meant for this request as far as one can know."""
        self._messages.append(message)
        if self._told is not None:
            self._told.set()

    def cancel(self) -> None:
        if not self.over:
            self._end()
            if self._cancelled is not None:
                self._cancelled()

    def _end(self) -> None:
        self.over = True
        self._response.close()

    async def _receive(self) -> None:
        if self._reader is None and self._response.content_type == "text/event-stream" and self._response.status == 200:
            self._reader = EventReader()
        if self._reader is None:
            self._messages.append(await self._whole())
            return
        try:
            chunk = await self._chunk()
        except Unreachable:
            chunk = b""
        if chunk is None:
            return
        if not chunk:
            await self._reopen()
            return
        try:
            for event in self._reader.feed(chunk):
                self._last_event = event.id or self._last_event
                self._retry = event.retry / 1000 if event.retry is not None else self._retry
                if event.name == "message" and event.data:
                    self._take(parse(event.data))
        except ValueError as error:
            raise Garbage(f"the upstream sent an event that is no message: {error}") from error

    async def _chunk(self) -> bytes | None:
        """The next piece of the stream, empty at its end; None if something was told meanwhile."""
        if self._told is None:
            return await self._response.chunk()
        self._told.clear()
        chunk, told = asyncio.ensure_future(self._response.chunk()), asyncio.ensure_future(self._told.wait())
        try:
            await asyncio.wait((chunk, told), return_when=asyncio.FIRST_COMPLETED)
            return chunk.result() if chunk.done() else None
        finally:
            chunk.cancel()
            told.cancel()

    def _take(self, message: Message) -> None:
        if message.is_response and message.id != self._id and message.id is not None:
            raise Garbage("the upstream answered another request")
        self._messages.append(message)

    async def _reopen(self) -> None:
        if self._resume is None or self._last_event is None or self._resumed >= MOST_RESUMED:
            raise Unreachable("the upstream closed its stream before it had answered")
        self._resumed += 1
        await asyncio.sleep(self._retry)
        self._response = await self._resume(self._last_event)
        self._reader = EventReader()
        if self._response.status != 200 or self._response.content_type != "text/event-stream":
            raise Unreachable("the upstream closed its stream before it had answered, and can't resume it")

    async def _whole(self) -> Message:
        response = self._response
        body = await response.read(LONGEST_ANSWER, None)  # `next` bounds the time
        try:
            message = parse(body)
        except Malformed as error:
            raise _no_message(response) from error
        if response.status in (401, 403) or response.status >= 500:
            raise Refused(f"the upstream answered with status {response.status}", response.status)
        if not message.is_response or (message.id != self._id and message.error is None):
            raise Garbage("the upstream answered another request")
        return message


def _no_message(response: Response) -> UpstreamError:
    if response.status >= 300:
        return Refused(f"the upstream answered with status {response.status}", response.status)
    return Garbage(f"the upstream answered with {response.content_type or 'something'} that is no message")
