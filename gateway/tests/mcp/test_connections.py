"""Connections to upstreams: kept and used again, as a call may cost no more than a call."""

import asyncio
from contextlib import suppress

import pytest

from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.http import Http, Url

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.mark.parametrize(("answer", "connections"), [(PLAIN, 1), (CHUNKED, 1), (CLOSING, 3)])
def test_a_connection_is_used_again_unless_the_upstream_closes_it(answer: bytes, connections: int) -> None:
    assert asyncio.run(connections_of_three_calls(answer)) == connections


async def connections_of_three_calls(answer: bytes) -> int:
    made: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        made.append(task)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        http = Http(Reach(("127.0.0.1",)))
        try:
            for _ in range(3):
                response = await http.send("GET", Url.parse(f"http://127.0.0.1:{port}/"), {}, timeout=60)
                assert await response.read(100, timeout=60) == b"ok"
        finally:
            http.close()
        await asyncio.gather(*made)
        return len(made)
