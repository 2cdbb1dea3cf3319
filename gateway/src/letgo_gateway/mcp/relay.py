"""How the workers of a gateway hand messages to each other.

Requests of one client may reach any worker, and some belong together: the answer to a question, a cancellation, the
input that a waiting call needs. Who gets one that is not its own tells the others, and whose it is takes it.
"""

import asyncio
import json
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.engine import URL

from letgo_gateway.database.listening import LOST, keep_listening
from letgo_gateway.database.work import nothing_open

CHANNEL = "letgo_gateway_relay"
LONGEST_PART = 7000
"""Bytes of one notification of Postgres, which may have 8000 (https://www.postgresql.org/docs/current/sql-notify.html)."""
MOST_UNFINISHED = 1000
RETRY_SECONDS = 0.5

Handler = Callable[[dict[str, Any]], object]

log = logging.getLogger(__name__)


class Relay:
    """What one worker alone needs: there are no others to be told."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def on(self, kind: str, handler: Handler) -> None:
        """Have `handler` called with what other workers tell of this kind."""
        self._handlers[kind] = handler

    async def tell(self, kind: str, **values: object) -> None:
        """Tell the other workers. It may be lost when one of them is busy or starting."""

    def hear(self, kind: str, values: dict[str, Any]) -> None:
        if (handler := self._handlers.get(kind)) is not None:
            try:
                handler(values)
            except Exception:
                log.exception("what another worker told (%s) could not be taken", kind)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hear the others meanwhile."""
        yield


class PostgresRelay(Relay):
    """Tells by notifications of Postgres, over a connection of its own. Long messages go in parts."""

    def __init__(self, direct: URL) -> None:
        super().__init__()
        self._direct = direct
        self._worker = secrets.token_urlsafe(6)
        self._connection: asyncpg.Connection | None = None
        self._sending = asyncio.Lock()
        self._count = 0
        self._unfinished: OrderedDict[tuple[str, int], list[str]] = OrderedDict()

    async def tell(self, kind: str, **values: object) -> None:
        nothing_open("telling other workers")
        text = json.dumps([kind, values])
        parts = [text[at : at + LONGEST_PART] for at in range(0, len(text), LONGEST_PART)]
        self._count += 1
        heads = [json.dumps([self._worker, self._count, len(parts) - number]) for number in range(1, len(parts) + 1)]
        async with self._sending:
            if self._connection is None:
                log.warning("the other workers are not told (%s): there is no connection to Postgres", kind)
                return
            try:
                for head, part in zip(heads, parts, strict=True):
                    await self._connection.execute("select pg_notify($1, $2)", CHANNEL, f"{head} {part}", timeout=5)
            except LOST as error:
                log.warning("the other workers are not told (%s): %s", kind, error)

    def _told(self, payload: str) -> None:
        head, _, part = payload.partition("] ")
        worker, number, left = json.loads(head + "]")
        if worker == self._worker:
            return
        parts = self._unfinished.setdefault((worker, number), [])
        parts.append(part)
        if left == 0:
            del self._unfinished[worker, number]
            kind, values = json.loads("".join(parts))
            self.hear(kind, values)
        elif len(self._unfinished) > MOST_UNFINISHED:
            self._unfinished.popitem(last=False)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        listening = keep_listening(self._direct, CHANNEL, self._told, RETRY_SECONDS, self._connected)
        task = asyncio.create_task(listening)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _connected(self, connection: asyncpg.Connection | None) -> None:
        self._connection = connection
        self._unfinished.clear()
