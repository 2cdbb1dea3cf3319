"""Streams that last end when the credentials they were opened with are good no more: revoked, expired, switched off."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from starlette.types import Message

from letgo_gateway.database.work import DatabaseBusy
from letgo_gateway.errors import Refused
from letgo_gateway.identity.principal import Principal
from letgo_gateway.mcp.inbound import Inbound

LOOK_SECONDS = 5.0
"""How often it is looked for credentials that have expired; those that were revoked are told of."""

Who = Callable[[Mapping[str, str]], Awaitable[Principal]]
"""Who a request is from, by its headers. Raises `Unauthenticated`, `Forbidden` and `DatabaseBusy`."""

log = logging.getLogger(__name__)


class Lasting:
    """The streams of this worker's clients, and the headers that they were asked for with."""

    def __init__(self, who: Who) -> None:
        self._who = who
        self._open: dict[asyncio.Event, Mapping[str, str]] = {}
        self._changed = asyncio.Event()

    def identity_changed(self) -> None:
        self._changed.set()

    async def serve(self, request: Inbound, answer: Callable[[Inbound], Awaitable[None]]) -> None:
        """Have `answer` believe that its client has gone away once the credentials are refused, and end the stream."""
        refused, begun, ended = asyncio.Event(), False, False

        async def receive_while_good() -> Message:
            coming, over = asyncio.ensure_future(request.receive()), asyncio.create_task(refused.wait())
            try:
                await asyncio.wait((coming, over), return_when=asyncio.FIRST_COMPLETED)
                return coming.result() if coming.done() else {"type": "http.disconnect"}
            finally:
                coming.cancel()
                over.cancel()

        async def send_and_note(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await request.send(message)

        self._open[refused] = request.headers
        try:
            await answer(replace(request, receive=receive_while_good, send=send_and_note))
        finally:
            del self._open[refused]
        if refused.is_set() and begun and not ended:
            await request.send({"type": "http.response.body", "body": b""})

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            await asyncio.gather(*(self._look(refused, headers) for refused, headers in list(self._open.items())))

    async def _look(self, refused: asyncio.Event, headers: Mapping[str, str]) -> None:
        try:
            await self._who(headers)
        except Refused:
            refused.set()
        except DatabaseBusy:
            pass  # the next look will tell
        except Exception:
            log.exception("whether a stream may go on is not known")
