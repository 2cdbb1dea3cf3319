"""How a response gets to the client: as one JSON object, or as a stream of events if something comes before it."""

import asyncio
from collections.abc import Callable, Iterable

from starlette.types import Receive, Send

from letgo_gateway.mcp.streams import Stream
from letgo_gateway.upstreams.events import COMMENT, event

QUIET_SECONDS = 15.0
"""How long a client hears nothing before it gets a sign of life."""
PRIME_SECONDS = 1.0
"""How long before it learns where its stream is, so that it can come back for the answer."""
WATCH_SECONDS = 0.05
"""How long a request must take before anybody watches whether its client is still there."""

JSON = (b"content-type", b"application/json")
STREAM = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
Header = tuple[bytes, bytes]


async def respond(send: Send, status: int, body: bytes, headers: Iterable[Header] = (JSON,)) -> None:
    """A whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


class Answer:
    """The response to one request. `say` what comes before it; `finish` it.

    A client that takes no events (`streams` False) gets the response alone. What is said in a stream is kept in what
    `opened` opens, if that is given; with `primed`, its client is told soon where that is.
    """

    def __init__(
        self, send: Send, streams: bool, opened: Callable[[], Stream] | None = None, *, primed: bool = False
    ) -> None:
        self._send, self.streams, self._opened, self._primed = send, streams, opened, primed
        self.kept: Stream | None = None
        self._sending = asyncio.Lock()
        self._started = False
        self._over = False
        self._timer: asyncio.TimerHandle | None = None
        self._sign: asyncio.Task[None] | None = None
        if streams:
            self._arm(PRIME_SECONDS if primed else QUIET_SECONDS)

    async def say(self, message: bytes) -> None:
        """Send a notification, or a request to the client, before the response."""
        if self.streams:
            await self.stream(self._event(message))

    def _event(self, message: bytes) -> bytes:
        if self._opened is None:
            return event(message)
        if self.kept is None:
            self.kept = self._opened()
        return self.kept.add(message)

    async def finish(self, body: bytes, status: int = 200, headers: Iterable[Header] = ()) -> None:
        """Send the response, and end."""
        self._over = True
        self.stop()
        if not self._started:
            await respond(self._send, status, body, (JSON, *headers))
            return
        last = self._event(body)
        async with self._sending:
            await self._send({"type": "http.response.body", "body": last})

    def stop(self) -> None:
        """Give no more signs of life."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sign is not None:
            self._sign.cancel()

    def _arm(self, seconds: float = QUIET_SECONDS) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._give_sign)

    def _give_sign(self) -> None:
        self._sign = asyncio.create_task(self.stream(COMMENT if self.kept or not self._primed else self._event(b"")))
        self._arm()

    async def stream(self, data: bytes) -> None:
        """Send a part of the stream as it is; with nothing in it, the stream begins."""
        async with self._sending:
            if self._over:
                return
            if not self._started:
                self._started = True
                await self._send({"type": "http.response.start", "status": 200, "headers": list(STREAM)})
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """End without a response: it was cancelled, or there is none."""
        self._over = True
        self.stop()
        if not self._started:
            await respond(self._send, 202, b"", ())
            return
        async with self._sending:
            await self._send({"type": "http.response.body", "body": b""})


class Presence:
    """Cancels the task that made it when the client of its request goes away."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task = asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._watch)
        self.gone = False

    def _watch(self) -> None:
        self._watching = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
