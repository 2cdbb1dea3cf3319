"""`python -m gateway.leaks.http_upstreams`: upstreams over HTTP of every behaviour, in one process.

`/{behaviour}/json/mcp` answers with JSON and `/{behaviour}/sse/mcp` with a stream of events; `/{behaviour}/rest` is an
endpoint. Prints its port.
"""

import asyncio
import itertools
import json

import uvloop
from gateway.leaks.behaving import SLOW_SECONDS, Json, done, garbage, response, usual

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n"
NO_ANSWERS = (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"x" * 400_000, b"x: y\r\n" * 100_000)
"""After the beginning of a head: what is no header, and headers without an end."""

_turns = itertools.count()


class Answer:
    """How one way of answering looks on the wire."""

    def __init__(self, transport: str) -> None:
        self.stream = transport == "sse"
        self.head = HEAD % (b"text/event-stream" if self.stream else b"application/json")

    def whole(self, body: bytes) -> bytes:
        if self.stream:
            data = b"data: " + body + b"\n\n"
            return self.head + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
        return self.head + b"content-length: %d\r\n\r\n%s" % (len(body), body)

    def half(self) -> bytes:
        """The beginning of an answer that has more to come."""
        if self.stream:
            return self.head + b"transfer-encoding: chunked\r\n\r\n2\r\n: \r\n"
        return self.head + b"content-length: 500\r\n\r\n{"


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            path, asked = await read_request(reader)
            if not await answer(path, asked, reader, writer):
                break
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def read_request(reader: asyncio.StreamReader) -> tuple[list[str], Json]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return lines[0].split(" ")[1].strip("/").split("/"), json.loads(body or b"{}")


async def answer(path: list[str], asked: Json, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Returns whether the connection goes on."""
    behaviour, transport = path[:2]
    as_is = Answer(transport)
    if transport == "rest":
        asked = {"id": 0, "method": "tools/call"}
    if asked.get("method") != "tools/call":
        result = usual(asked, f"{behaviour}_{transport}")
        writer.write(
            as_is.whole(response(asked, result)) if result else b"HTTP/1.1 202 OK\r\ncontent-length: 0\r\n\r\n"
        )
        return True
    turn = next(_turns)
    match behaviour:
        case "slow":
            await asyncio.sleep(SLOW_SECONDS)
            writer.write(as_is.whole(response(asked, done())))
            return True
        case "hang":
            writer.write(as_is.half() if turn % 2 else b"")
            await reader.read()
        case "die":
            writer.write((as_is.half(), as_is.head, b"")[turn % 3])
            await writer.drain()
            if turn % 2:
                writer.transport.abort()
        case "garbage":
            messages = garbage(asked)
            turn %= len(messages) + len(NO_ANSWERS)
            whole = turn < len(messages)
            writer.write(as_is.whole(messages[turn]) if whole else as_is.head + NO_ANSWERS[turn - len(messages)])
            await writer.drain()
            return whole  # as HTTP it is fine: if it were not kept open, a good call could be sent on it and be lost
    return False


async def main() -> None:
    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=2000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
