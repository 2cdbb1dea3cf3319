"""One kept-alive HTTP/1.1 connection, as an asyncio protocol: no task, no stream and no future for a request."""

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from letgo.prove.scenario import Request


class Target(NamedTuple):
    """Where an app answers. `prefix` is the path of its URL, without a slash at the end."""

    host: str
    port: int
    authority: str
    prefix: str
    tls: ssl.SSLContext | None


def target_of(url: str) -> Target:
    """The parts of `http://host:port/prefix`. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address of an app")
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    return Target(parts.hostname, parts.port or (443 if tls else 80), parts.netloc, parts.path.rstrip("/"), tls)


def written(request: Request, target: Target) -> bytes:
    """The bytes of a request."""
    lines = [f"{request.method} {target.prefix}{request.path} HTTP/1.1\r\nHost: {target.authority}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in request.headers]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}\r\n")
    return "".join([*lines, "\r\n"]).encode("latin-1", "replace") + request.body


class Connection(asyncio.Protocol):
    """Calls `answered(status, headers, body)` for each response, and `broken(cause)` if it ends without one."""

    __slots__ = ("answered", "body", "broken", "complete", "headers", "keep_alive", "parser", "status", "transport")

    def __init__(self, answered: Callable[[int, dict[str, str], bytes], None], broken: Callable[[str], None]) -> None:
        self.answered = answered
        self.broken = broken
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.status = 0  # of the response that is coming in; 0 before its headers are complete
        self.complete = self.keep_alive = False

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def abort(self) -> None:
        """End without another word to anybody."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None

    # --- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.abort()
            self.broken(f"not an HTTP response: {error}")
            return
        if self.complete:
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is None:
            return
        self.transport = None
        if (
            self.status
            and not error
            and "content-length" not in self.headers
            and "transfer-encoding" not in self.headers
        ):
            self._finish()  # this end is how such a body says that it is over
        else:
            self.broken(f"connection closed: {error.__class__.__name__}" if error else "connection closed by the app")

    def _finish(self) -> None:
        status, headers, body = self.status, self.headers, b"".join(self.body)
        if not self.keep_alive:
            self.abort()
        self.status, self.headers, self.body = 0, {}, []
        self.complete = False
        self.answered(status, headers, body)

    # --- what the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def on_message_complete(self) -> None:
        self.complete = True
        self.keep_alive = self.parser.should_keep_alive()  # the parser knows it in this very callback only
