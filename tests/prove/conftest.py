"""A server without an app, so that what is measured is the load; and makers of load without a whole run."""

import asyncio
import io
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import pytest
import uvloop

from letgo.prove.maker import Job, run
from letgo.prove.models import Schedule
from letgo.prove.recording import Recording
from letgo.prove.scenario import Request, get
from letgo.prove.ticks import Bug, Tick

APPS = Path(__file__).parent / "apps"

TIMED = pytest.mark.flaky(reruns=3)
"""For tests that measure time: a shared machine may stand still for seconds, but not each time."""


class Server:
    """Answers every request on `port` with `answer`; `stall` makes it stand still. Counts connections and requests."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        self.connections = self.most_connections = self.accepted = self.requests = 0
        self.port = 0
        self.transports: set[asyncio.Transport] = set()
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self.thread.start()
        assert started.wait(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stall(self, seconds: float, after: float) -> None:
        self.loop.call_soon_threadsafe(self.loop.call_later, after, time.sleep, seconds)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._end)
        self.thread.join(5)

    def _end(self) -> None:
        for transport in self.transports:
            transport.abort()
        self.loop.call_later(0.05, self.loop.stop)

    def _serve(self, started: threading.Event) -> None:
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: Served(self), "127.0.0.1", 0, backlog=4096)
        )
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        server.close()
        self.loop.run_until_complete(server.wait_closed())
        self.loop.close()


class Served(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.server.transports.add(transport)
        self.server.accepted += 1
        self.server.connections += 1
        self.server.most_connections = max(self.server.most_connections, self.server.connections)

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections -= 1
        self.server.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"\r\n\r\n")):
            self.server.requests += 1
            self.transport.write(self.server.answer)
        if b"onnection: close" in self.server.answer:
            self.transport.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


Load = Callable[..., tuple[Recording, list[str]]]


@pytest.fixture
def load(server: Server, tmp_path: Path) -> Load:
    """Makes load in this process; gives what was recorded, and the messages of bugs."""

    def make(
        schedule: Schedule,
        *requests: Request,
        scenario: str = "",
        timeout: float = 10.0,
        url: str = "",
        new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
    ) -> tuple[Recording, list[str]]:
        file = None
        if scenario:
            file = tmp_path / "scenario.py"
            file.write_text("from letgo.prove import User, Visit, get, post\n" + scenario)
        out = io.BytesIO()
        job = Job(0, 1, perf_counter() + 0.05, url or server.url, schedule, timeout, file, requests or (get("/"),))
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(run(job, out))
        recording = Recording((schedule.ramp_up, schedule.ramp_up + schedule.hold))
        bugs = []
        out.seek(0)
        while out.tell() < len(out.getbuffer()):
            match pickle.load(out):
                case Tick() as tick:
                    recording.take(tick)
                case Bug(message):
                    bugs.append(message)
        return recording, bugs

    return make
