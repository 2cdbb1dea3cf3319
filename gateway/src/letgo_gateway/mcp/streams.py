"""What legacy clients are told in streams, kept for a while: one that has lost its connection can ask for the rest.

(https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#resumability-and-redelivery)

The id of an event says which worker keeps its stream, so that the rest is found whichever worker is asked for it.
"""

import asyncio
import itertools
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from letgo_gateway.mcp.relay import Relay
from letgo_gateway.upstreams.events import event

KEPT_SECONDS = 60.0
"""How long a stream is kept that is over, or that nobody reads."""
MOST_STREAMS = 1000
MOST_BYTES = 64 * 1024 * 1024
"""Of all streams of a worker; the oldest are forgotten for new ones."""
MOST_BYTES_OF_ONE = 256 * 1024
"""Its last event is kept, whatever its size."""
ELSEWHERE_SECONDS = 10.0
"""How long another worker may take to say whether it has what is asked for."""

Say = Callable[[bytes], Awaitable[None]]


class Position(NamedTuple):
    """An event: in which stream it was said, and as which of its events."""

    worker: str
    stream: str
    number: int

    @property
    def answers(self) -> bool:
        """Whether it was said in the answer to a request, and not in the stream of what comes unasked."""
        return self.stream.startswith("a")


def position_of(id: str) -> Position | None:
    """The event with this id; None for an id that is none of ours."""
    worker, _, rest = id.partition(":")
    stream, _, number = rest.partition(":")
    if not (worker and stream and number.isascii() and number.isdigit() and len(number) < 10):
        return None
    return Position(worker, stream, int(number))


class NotKept(Exception):
    """What was asked for is not kept any more, or never was this client's."""


class Stream:
    """What is said in one stream. `ended` is called once, when nothing more will be."""

    def __init__(self, worker: str, name: str, session: str, ended: Callable[[], None] | None) -> None:
        self.name, self.session = name, session
        self._worker, self._ended = worker, ended
        self._events: list[bytes] = []
        self._forgotten = 0
        self._more = asyncio.Event()
        self.bytes = 0
        self.over = False
        self.reader: object = None

    @property
    def answers(self) -> bool:
        return Position(self._worker, self.name, 0).answers

    def has(self, position: Position) -> bool:
        return (self._worker, self.name) == (position.worker, position.stream)

    def add(self, message: bytes) -> bytes:
        """Keep a message; returns the event that says it. An empty one only tells the client where it is."""
        said = event(message, f"{self._worker}:{self.name}:{self._forgotten + len(self._events) + 1}")
        self._events.append(said)
        self.bytes += len(said)
        while self.bytes > MOST_BYTES_OF_ONE and len(self._events) > 1:
            self._forget(1)
        self._more.set()
        return said

    def _forget(self, number: int) -> None:
        """Forget its first events."""
        self.bytes -= sum(map(len, self._events[:number]))
        self._forgotten += len(self._events[:number])
        del self._events[:number]

    def end(self) -> None:
        if not self.over:
            self.over = True
            self._more.set()
            if self._ended is not None:
                self._ended()

    async def follow(self, after: int, say: Say) -> None:
        """Say what came after an event and what comes, until it is over or somebody else follows it."""
        self.reader = me = object()
        self._more.set()
        try:
            while self.reader is me:
                self._more.clear()
                after = max(after, self._forgotten)
                news = self._events[after - self._forgotten :]
                for said in news:
                    await say(said)
                    after += 1
                if not news and self.over:
                    return
                if not news:
                    await self._more.wait()
        finally:
            if self.reader is me:
                self.reader = None


class Streams:
    """The streams that this worker keeps, and the way to those of others."""

    def __init__(self, worker: str, relay: Relay) -> None:
        self._worker, self._relay = worker, relay
        self._names = itertools.count(1)
        self._kept: OrderedDict[str, Stream] = OrderedDict()
        self._asked: dict[str, asyncio.Queue[str | None]] = {}
        self._following: dict[str, asyncio.Task[None]] = {}
        relay.on("rest wanted", self._wanted)
        relay.on("rest not wanted", self._not_wanted)
        relay.on("rest", self._told)

    def open(self, session: str, *, answers: bool, ended: Callable[[], None] | None = None) -> Stream:
        """A new stream, which must be left when nobody reads it. Where there is no room for more, the oldest ends."""
        while self._kept and (
            len(self._kept) >= MOST_STREAMS or sum(one.bytes for one in self._kept.values()) > MOST_BYTES
        ):
            self._kept.popitem(last=False)[1].end()
        name = f"{'a' if answers else 'u'}{next(self._names)}"
        stream = self._kept[name] = Stream(self._worker, name, session, ended)
        return stream

    def leave(self, stream: Stream) -> None:
        """Keep a stream for a while, in case somebody comes back to it."""
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._give_up, stream)

    def _give_up(self, stream: Stream) -> None:
        if stream.reader is None and (stream.over or not stream.answers):
            self._kept.pop(stream.name, None)
            stream.end()

    async def follow(self, position: Position, session: str, say: Say) -> None:
        """Say what came after an event, until its stream is over. Raises `NotKept` before anything is said."""
        if position.worker != self._worker:
            await self._follow_elsewhere(position, session, say)
            return
        stream = self._kept.get(position.stream)
        if stream is None or stream.session != session:
            raise NotKept
        await say(b"")
        try:
            await stream.follow(position.number, say)
        finally:
            self.leave(stream)

    async def _follow_elsewhere(self, position: Position, session: str, say: Say) -> None:
        reference = secrets.token_urlsafe(9)
        queue = self._asked[reference] = asyncio.Queue()
        wanted = {"to": position.worker, "stream": position.stream, "number": position.number, "session": session}
        try:
            await self._relay.tell("rest wanted", reference=reference, **wanted)
            try:
                async with asyncio.timeout(ELSEWHERE_SECONDS):
                    said = await queue.get()
            except TimeoutError:
                said = None
            if said is None:
                raise NotKept
            while said is not None:
                await say(said.encode())
                said = await queue.get()
        finally:
            del self._asked[reference]
            await self._relay.tell("rest not wanted", reference=reference)

    def _told(self, told: dict[str, Any]) -> None:
        if (queue := self._asked.get(told["reference"])) is not None:
            queue.put_nowait(told["said"])

    def _wanted(self, told: dict[str, Any]) -> None:
        if told["to"] == self._worker:
            reference = told["reference"]
            task = self._following[reference] = asyncio.create_task(self._follow_for(told))
            task.add_done_callback(lambda _: self._following.pop(reference, None))

    async def _follow_for(self, told: dict[str, Any]) -> None:
        """Follow a stream for a client of another worker. That of what comes unasked ends here, and goes on there."""

        async def say(said: bytes) -> None:
            await self._relay.tell("rest", reference=told["reference"], said=said.decode())

        position = Position(self._worker, told["stream"], told["number"])
        stream = self._kept.get(position.stream)
        if stream is not None and stream.session == told["session"] and not position.answers:
            stream.end()
        with suppress(NotKept):
            await self.follow(position, told["session"], say)
        await self._relay.tell("rest", reference=told["reference"], said=None)

    def _not_wanted(self, told: dict[str, Any]) -> None:
        if (task := self._following.get(told["reference"])) is not None:
            task.cancel()

    def close(self) -> None:
        for task in self._following.values():
            task.cancel()
