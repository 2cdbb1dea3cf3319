"""Clients that take their time hold a connection of their own, for a while, and nothing of the gateway's."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from gateway.tests.mcp.serving import in_loop, serve
from gateway.tests.mcp.test_joined import admin
from gateway.tests.serving import quick

from letgo_gateway.app import create_app
from letgo_gateway.connections import Connection
from letgo_gateway.database.work import Database

BODIES = ("/auth/login", "/auth/email/register", "/tools", "/import", "/rpc", "/mcp", f"/servers/{'0' * 32}/mcp")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Impatient(Connection):
    head_seconds = 2.0


class Ignored(Connection):
    """Those whose answer finds no room; `left` are those that were left alone with it."""

    unread_seconds = 1.0
    unread: ClassVar[set[Connection]] = set()
    left: ClassVar[set[Connection]] = set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.left.update(self.unread & {self})


@asynccontextmanager
async def gateway_for(
    database_url: str, http: type[Connection] = Connection, **settings: Any
) -> AsyncIterator[tuple[str, Database]]:
    """Its address, and its database with one connection."""
    app: Any = create_app(quick(database_url, anonymous=True, pool_size=1, **settings))
    inner = app
    while not isinstance(inner, FastAPI):
        inner = inner._app
    async with serve(app, lifespan=True, http=http) as url:
        yield url, inner.state.rooms.database


async def connect(url: str, said: bytes, buffer: int | None = None) -> Streams:
    parts = urlsplit(url)
    made = socket.socket()
    if buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, (parts.hostname, parts.port))
    reader, writer = await asyncio.open_connection(sock=made, limit=buffer or 2**16)
    writer.write(said)
    await writer.drain()
    return reader, writer


async def closing(stack: AsyncExitStack, streams: Streams) -> asyncio.StreamReader:
    stack.callback(streams[1].close)
    return streams[0]


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the gateway closes the connection."""
    found = b""
    try:
        while part := await reader.read(2**16):
            found += part
    except ConnectionError:
        pass
    return found


async def healthy(url: str, database: Database) -> None:
    """The one connection to the database is free, again and again."""
    async with httpx.AsyncClient(timeout=60) as http:
        for _ in range(5):
            assert (await http.get(url + "/health")).status_code == 200
    while database.checked_out:
        await asyncio.sleep(0.01)


@in_loop
async def test_who_does_not_say_what_they_want_is_not_waited_for(prepared: Any, database_url: str) -> None:
    async with gateway_for(database_url, Impatient) as (url, database), AsyncExitStack() as stack:
        silent = [await closing(stack, await connect(url, said)) for said in (b"", b"GET /health HTTP/1.1\r\nx: ") * 5]
        await healthy(url, database)
        assert [await ended(reader) for reader in silent] == [b""] * 10


@in_loop
async def test_a_connection_is_not_kept_open_by_drops(prepared: Any, database_url: str) -> None:
    async with gateway_for(database_url, Impatient) as (url, _):
        reader, writer = await connect(url, b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = asyncio.create_task(ended(reader))
        while not answer.done():
            if not writer.is_closing():
                writer.write(b"\r\n")
            await asyncio.sleep(0.05)
        assert (await answer).startswith(b"HTTP/1.1 200")
        writer.close()


@in_loop
async def test_a_head_without_end_is_refused(prepared: Any, database_url: str) -> None:
    async with gateway_for(database_url) as (url, _):
        reader, writer = await connect(url, b"GET /health HTTP/1.1\r\nx: ")
        answer = asyncio.create_task(ended(reader))
        try:
            while not answer.done():
                writer.write(b"y" * 2**14)
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        assert (await answer)[:12] in (b"HTTP/1.1 431", b"")  # what is still sent may cost the client the answer
        writer.close()


@in_loop
async def test_slow_bodies_hold_no_connection_to_the_database_and_have_an_end(prepared: Any, database_url: str) -> None:
    async with gateway_for(database_url, body_seconds=2.0) as (url, database), AsyncExitStack() as stack:
        readers = {}
        for path in BODIES * 3:
            head = (
                f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 99\r\n"
            )
            readers[path] = await closing(stack, await connect(url, head.encode() + b'\r\n{"email": '))
        await healthy(url, database)
        for path, reader in readers.items():
            answer = await ended(reader)  # which the gateway ends
            assert answer.startswith(b"HTTP/1.1 408") and b"did not come within 2 s" in answer, (path, answer)


@in_loop
async def test_who_does_not_read_an_answer_holds_no_connection_to_the_database_and_is_left(
    prepared: Any, database_url: str
) -> None:
    async with gateway_for(database_url) as (url, _), admin(url, prepared) as ask:
        for name in ("one", "two", "three"):
            message = {"role": "user", "content": {"type": "text", "text": "x" * 3_900_000}}
            await ask("POST", "/prompts", {"name": name, "messages": [message], "visibility": "public"})
        whole = len((await ask.http.get("/prompts")).content)
    Ignored.unread.clear()
    Ignored.left.clear()
    async with gateway_for(database_url, Ignored) as (url, database), AsyncExitStack() as stack:
        asked = b"GET /prompts HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        readers = [await closing(stack, await connect(url, asked, buffer=4096)) for _ in range(5)]
        await healthy(url, database)
        while len(Ignored.left) < len(readers):
            await asyncio.sleep(0.05)
        left = [len(await ended(reader)) for reader in readers]
        assert all(size < whole for size in left), (left, whole)


@pytest.mark.parametrize("path", BODIES)
@in_loop
async def test_a_body_that_is_said_to_be_too_large_is_not_read(path: str, on_sqlite: Any) -> None:
    with on_sqlite.copy() as database_url:
        async with gateway_for(database_url, body_size=1000) as (url, _):
            for length in (b"content-length: 1001\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n3e9\r\n" + b" " * 1001):
                head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n".encode()
                reader, writer = await connect(url, head + length)
                assert (await ended(reader)).startswith(b"HTTP/1.1 413")
                writer.close()
