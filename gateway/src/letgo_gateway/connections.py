"""The connections of clients: closed when a client takes too long to say what it wants, or to take what it has asked
for. What a request says after its head is bounded by `limits`.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOOK_SECONDS = 5.0
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class Connection(HttpToolsProtocol):
    """uvicorn's, which has no patience to lose: it lets a client keep a connection with half a head, or with an answer
    that it does not read, for as long as it likes (https://www.uvicorn.org/settings/#timeouts).

    - `head_seconds`: from the connection, or the end of the answer before, to the end of a request's head.
    - `head_size`: bytes of a head.
    - `unread_seconds`: how long an answer may find no room in the client's buffers.
    """

    head_seconds = 15.0
    head_size = 64 * 1024
    unread_seconds = 60.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._awaited_since: float | None = None
        self._head = 0
        self._unread_since: float | None = None
        self._looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._awaited_since = self.loop.time()
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._awaited_since is not None:
            self._head += len(data)
            if self._head > self.head_size and not self.transport.is_closing():
                self.transport.write(TOO_LARGE)
                self.transport.close()

    def on_headers_complete(self) -> None:
        self._awaited_since, self._head = None, 0
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # else another request came meanwhile, and is answered now
            self._awaited_since = self.loop.time()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = None

    def _look_again(self) -> None:
        # One timer for a connection, and not two for each of its requests.
        shortest = min(LOOK_SECONDS, self.head_seconds, self.unread_seconds)
        self._looking = self.loop.call_later(shortest, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        late = self._awaited_since is not None and now - self._awaited_since > self.head_seconds
        if late or (self._unread_since is not None and now - self._unread_since > self.unread_seconds):
            self.transport.abort()
        else:
            self._look_again()
