"""An HTTP/1.1 client for upstreams: kept connections, streamed bodies, and no address that `Reach` does not allow.

It is hand-written for what a call may cost: a request over a kept connection is one write, one parser run, and one
wake-up. It follows no redirects (`follow` in this module does, judging each), knows no proxies and asks for no
compression.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urljoin, urlsplit

import httptools

from letgo_gateway.database.work import nothing_open
from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.errors import Forbidden, Garbage, TooSlow, Unreachable, UpstreamError

Headers = Mapping[str, str]
Origin = tuple[str, str, int]

MOST_BUFFERED = 256 * 1024
LONGEST_HEAD = 256 * 1024
"""Bytes of a status and headers, with all 100 Continue before it. (Body that comes in the same piece counts too.)"""
MOST_HEADERS = 1000
"""Of a status, with those of all 100 Continue before it. 256 KiB can hold so many that reading them takes a tenth of a
second, in which nobody is answered."""
KEPT_SECONDS = 4.0
"""How long an idle connection is used again; servers commonly close theirs after five seconds."""
KEPT_CONNECTIONS = 64
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of an address that a request is made of."""

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, url: str) -> "Url":
        """Raises `Forbidden` for what is no http(s) address."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise Forbidden(f"not an address: {error}") from error
        if parts.scheme not in ("http", "https") or not host:
            raise Forbidden("an address begins with http:// or https://, and names a host")
        if parts.username is not None:
            raise Forbidden("an address with credentials is not called; put them into a header")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]") if parts.query else ""
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path + query)

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def origin(self) -> Origin:
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


class _Connection(asyncio.Protocol):
    """One connection, and the response that comes over it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.lost: Exception | None = None
        self.closed = False
        self.idle_since = 0.0
        self._woken = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.started = False
        self.complete = False
        self._kept_alive = False
        self._buffered: list[bytes] = []
        self._size = 0
        self._head = 0
        self._fields = 0
        self._woken.clear()

    def send(self, head: bytes, body: bytes) -> None:
        self._begin()
        assert self.transport is not None
        self.transport.write(head + body)

    async def chunk(self) -> bytes:
        """What has come of the body since it was last asked for; empty at its end."""
        while not self._buffered:
            self._check()
            if self.complete:
                return b""
            self._woken.clear()
            await self._woken.wait()
        found = b"".join(self._buffered) if len(self._buffered) > 1 else self._buffered[0]
        self._buffered, self._size = [], 0
        if self.transport is not None and not self.closed:
            self.transport.resume_reading()
        return found

    async def peek(self, most: int) -> bytes:
        while not self.complete and self._size < most:
            self._check()
            self._woken.clear()
            await self._woken.wait()
        return b"".join(self._buffered)[:most]

    async def start(self) -> None:
        """Wait for the status and the headers."""
        while not self.started:
            self._check()
            if self.closed:
                raise Unreachable("the connection was closed before an answer")
            self._woken.clear()
            await self._woken.wait()

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.abort()

    @property
    def reusable(self) -> bool:
        return self.complete and not self.closed and self.lost is None and self._kept_alive

    def _check(self) -> None:
        if self.lost is not None and not self.complete:
            raise self.lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # those of uvloop are not derived from it

    def data_received(self, data: bytes) -> None:
        if not self.started:
            self._head += len(data)
            if self._head > LONGEST_HEAD:
                self._fail(Garbage(f"the headers of the answer are longer than {LONGEST_HEAD} bytes"))
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(Garbage("the answer switches to another protocol"))
        except httptools.HttpParserError as error:
            told = error.__context__
            self._fail(told if isinstance(told, Garbage) else Garbage("the answer is not HTTP"))
        if self._size > MOST_BUFFERED and self.transport is not None:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self.complete:
            # A body without a length ends with its connection.
            open_ended = (
                self.started and "content-length" not in self.headers and "transfer-encoding" not in self.headers
            )
            if open_ended and exc is None:
                self.complete = True
            elif self.lost is None:
                self.lost = Unreachable("the connection broke before the answer had ended")
        self._woken.set()

    def _fail(self, error: UpstreamError) -> None:
        self.lost = error
        self.close()
        self._woken.set()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > MOST_HEADERS:
            raise Garbage(f"the answer has more than {MOST_HEADERS} headers")
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self.started = True
            self._woken.set()

    def on_body(self, body: bytes) -> None:
        self._buffered.append(body)
        self._size += len(body)
        self._woken.set()

    def on_message_complete(self) -> None:
        if self.status < 200:  # 100 Continue and its like come before the answer
            self.headers = {}
            return
        # The parser knows it here alone, and has forgotten it when it returns.
        self._kept_alive = self._parser.should_keep_alive()
        self.complete = True
        self._woken.set()


class Response:
    """A response whose body may still be on its way. `close` it, or read it to its end."""

    def __init__(self, pool: "Http", origin: Origin, connection: _Connection) -> None:
        self._pool, self._origin, self._connection = pool, origin, connection
        self._done = False
        self.status = connection.status
        self.headers: Headers = connection.headers

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def chunk(self) -> bytes:
        """The next piece of the body, empty at its end. Raises `Unreachable` if the connection breaks."""
        found = b"" if self._done else await self._connection.chunk()
        if not found:
            self.close()
        return found

    async def read(self, most: int, timeout: float | None) -> bytes:
        """The whole body. Raises `Garbage` if it is longer than `most` bytes, `TooSlow`, `Unreachable`.

        `timeout` None: who reads bounds the time.
        """
        parts: list[bytes] = []
        size = 0
        try:
            async with within(timeout):
                while part := await self.chunk():
                    parts.append(part)
                    size += len(part)
                    if size > most:
                        raise Garbage(f"the answer is longer than {most} bytes")
        except BaseException:
            self.close()
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def peek(self, most: int, timeout: float) -> bytes:
        """The beginning of the body, which is still there to be read. Raises `TooSlow`, `Unreachable`."""
        try:
            async with within(timeout):
                return await self._connection.peek(most)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection back if it can be used again, else close it."""
        if not self._done:
            self._done = True
            self._pool._give_back(self._origin, self._connection)


@dataclass(slots=True)
class Http:
    """A pool of connections to upstreams. One for each worker."""

    reach: Reach = field(default_factory=Reach)
    connect_timeout: float = 10.0
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    _idle: dict[Origin, list[_Connection]] = field(default_factory=dict)
    _sweeping: asyncio.TimerHandle | None = None
    _closed: bool = False

    async def send(
        self, method: str, url: Url, headers: Headers, body: bytes = b"", *, timeout: float, repeatable: bool = False
    ) -> Response:
        """Send a request and wait for the headers of its response, `timeout` seconds at most.

        `repeatable`: whether it may be sent again over a fresh connection when a kept one turns out to be closed.
        Raises `UpstreamError`.
        """
        nothing_open(f"{method} {url.scheme}://{url.authority}")
        head = _head(method, url, headers, body)
        async with within(timeout):
            connection, kept = await self._connection(url)
            try:
                return await self._exchange(connection, url, head, body)
            except Unreachable:
                if not (kept and repeatable and not connection.started):
                    raise
            return await self._exchange(await self._connect(url), url, head, body)

    async def _exchange(self, connection: _Connection, url: Url, head: bytes, body: bytes) -> Response:
        connection.send(head, body)
        try:
            await connection.start()
        except BaseException:
            connection.close()
            raise
        return Response(self, url.origin, connection)

    async def _connection(self, url: Url) -> tuple[_Connection, bool]:
        now = asyncio.get_running_loop().time()
        idle = self._idle.get(url.origin, [])
        while idle:
            connection = idle.pop()
            if not connection.closed and now - connection.idle_since < KEPT_SECONDS:
                return connection, True
            connection.close()
        return await self._connect(url), False

    async def _connect(self, url: Url) -> _Connection:
        loop = asyncio.get_running_loop()
        problem: Exception | None = None
        try:
            async with asyncio.timeout(self.connect_timeout):
                for family, address in await self.reach.resolve(url.host, url.port):
                    tls: dict[str, Any] = (
                        {"ssl": self.tls, "server_hostname": url.host} if url.scheme == "https" else {}
                    )
                    try:
                        _, made = await loop.create_connection(_Connection, address, url.port, family=family, **tls)
                        return made
                    except OSError as error:
                        problem = error
        except TimeoutError:
            raise Unreachable(f"no connection to {url.authority} within {self.connect_timeout:g} s") from None
        raise Unreachable(f"no connection to {url.authority}: {problem}")

    def _give_back(self, origin: Origin, connection: _Connection) -> None:
        if self._closed or not connection.reusable:
            connection.close()
            return
        idle = self._idle.setdefault(origin, [])
        if len(idle) >= KEPT_CONNECTIONS:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        idle.append(connection)
        if self._sweeping is None:
            self._sweeping = loop.call_later(KEPT_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long, and come again while anything is."""
        loop = asyncio.get_running_loop()
        self._sweeping = None
        for origin, idle in list(self._idle.items()):
            fresh = [one for one in idle if not one.closed and loop.time() - one.idle_since < KEPT_SECONDS]
            for connection in idle:
                if connection not in fresh:
                    connection.close()
            if fresh:
                self._idle[origin] = fresh
            else:
                del self._idle[origin]
        if self._idle:
            self._sweeping = loop.call_later(KEPT_SECONDS, self._sweep)

    def close(self) -> None:
        """Close what is idle now, and what will be."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """Raises `TooSlow` if it takes longer; None: as long as it takes."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TooSlow(f"no answer within {seconds:g} s") from None


async def follow(http: Http, method: str, url: Url, headers: Headers, body: bytes = b"", *, timeout: float) -> Response:
    """Like `Http.send`, and follow redirects: each is judged like a first address, and credentials stay at home."""
    for _ in range(MOST_REDIRECTS):
        response = await http.send(method, url, headers, body, timeout=timeout)
        location = response.headers.get("location")
        if response.status not in REDIRECTS or location is None:
            return response
        response.close()
        target = Url.parse(urljoin(str(url), location))
        if target.scheme != "https" and url.scheme == "https":
            raise Forbidden("a redirect leads from https to http")
        if target.origin != url.origin:
            headers = {name: value for name, value in headers.items() if name.lower() in HARMLESS}
        if response.status == 303 or (response.status in (301, 302) and method == "POST"):
            method, body = "GET", b""
        url = target
    raise Garbage(f"more than {MOST_REDIRECTS} redirects")


HARMLESS = frozenset({"accept", "content-type", "user-agent"})
"""The headers that another origin may see."""


def _head(method: str, url: Url, headers: Headers, body: bytes) -> bytes:
    lines = [f"{method} {url.target} HTTP/1.1", f"host: {url.authority}", *_fields(headers.items())]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {len(body)}")
    try:
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError as error:
        raise Forbidden("a header has characters that HTTP can't carry") from error


def _fields(headers: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, value in headers:
        if not name or any(character in name for character in "\r\n\0: ") or any(c in value for c in "\r\n\0"):
            raise Forbidden(f"the header {name!r} has characters that HTTP can't carry")
        yield f"{name}: {value}"
