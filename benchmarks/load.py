"""What it costs to make load: `python -m benchmarks.load` drives one server with wrk, letgo, aiohttp and Locust.

The server answers every request with the same bytes, at once or after the milliseconds that the path names. Each
contender keeps the same number of connections busy for the same time; its CPU is what the operating system counts for
its processes. A contender that is not installed is left out and said to be.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from letgo.prove import histogram
from letgo.prove.maker import Job, allow_connections
from letgo.prove.makers import Ended, making
from letgo.prove.models import Schedule
from letgo.prove.recording import Recording
from letgo.prove.scenario import get
from letgo.prove.ticks import Tick

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"ok": true}\n'


class Result(NamedTuple):
    """Requests a second; seconds of latency; CPU seconds a request; None where a contender does not tell."""

    contender: str
    connections: int
    delay: int
    rps: float
    p50: float | None
    p99: float | None
    cpu: float


def serve(port: "multiprocessing.connection.Connection") -> None:
    import uvloop

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            delay = int(data[5 : data.index(b" ", 5)] or 0)
            if delay:
                asyncio.get_running_loop().call_later(delay / 1000, self.answer)
            else:
                self.answer()

        def answer(self) -> None:
            if not self.transport.is_closing():
                self.transport.write(ANSWER)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=8192)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    allow_connections(5000)
    uvloop.run(run())


def measured(
    contender: str, connections: int, delay: int, run: Callable[[], tuple[int, float, float | None, float | None]]
) -> Result:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    requests, seconds, p50, p99 = run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Result(contender, connections, delay, requests / seconds, p50, p99, cpu / max(1, requests))


def wrk(url: str, connections: int, seconds: int) -> tuple[int, float, float | None, float | None]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
    found = {name: float(value) * units[unit] for name, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
    told = re.search(r"(\d+) requests in ([\d.]+)s", out)
    assert told is not None, out
    return int(told[1]), float(told[2]), found["50"], found["99"]


def letgo(url: str, connections: int, seconds: int) -> tuple[int, float, float | None, float | None]:
    # All at once, the first requests would have to wait for their connections, which wrk does not count.
    schedule = Schedule(connections, 1, seconds - 1, 0)
    recording = Recording((1, seconds))
    with making(
        [Job(0, 1, time.perf_counter() + 0.5, url.rpartition("/")[0], schedule, 20, None, (get(urlsplit(url).path),))]
    ) as messages:
        while not isinstance(message := messages.get(), Ended):
            assert isinstance(message, Tick), message
            recording.take(message)
    latencies = recording.latencies()
    p50, p99 = (histogram.percentile(latencies, percent) for percent in (50, 99))
    return recording.requests, recording.until, p50, p99


AIOHTTP = """
import asyncio, json, sys, time
import aiohttp

async def user(session, end, times):
    while (start := time.perf_counter()) < end:
        async with session.get(sys.argv[1]) as answer:
            await answer.read()
        times.append(time.perf_counter() - start)

async def main():
    times, count, seconds = [], int(sys.argv[2]), float(sys.argv[3])
    start = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(user(session, start + seconds, times) for _ in range(count)))
    times.sort()
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))]
    print(json.dumps([len(times), time.perf_counter() - start, at(.5), at(.99)]))

import uvloop
uvloop.run(main())
"""


def aiohttp(url: str, connections: int, seconds: int) -> tuple[int, float, float | None, float | None]:
    command = [sys.executable, "-c", AIOHTTP, url, str(connections), str(seconds)]
    requests, took, p50, p99 = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return requests, took, p50, p99


LOCUSTFILE = """
from locust import FastHttpUser, task

class Visitor(FastHttpUser):
    @task
    def visit(self):
        self.client.get(self.host)
"""


def locust(url: str, connections: int, seconds: int) -> tuple[int, float, float | None, float | None]:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "locustfile.py"
        file.write_text(LOCUSTFILE)
        command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--host", url, "--json"]
        command += ["-u", str(connections), "-r", str(connections), "-t", f"{seconds}s", "--skip-log-setup"]
        out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    entry = json.loads(out[out.index("[") :])[0]
    times = {float(key): count for key, count in entry["response_times"].items()}
    p50, p99 = (
        histogram.percentile_of(sorted(times), [times[key] for key in sorted(times)], each) for each in (50, 99)
    )
    return entry["num_requests"], entry["last_request_timestamp"] - entry["start_time"], p50 / 1000, p99 / 1000


CONTENDERS = {"wrk": wrk, "letgo": letgo, "aiohttp": aiohttp, "locust": locust}


def is_here(contender: str) -> bool:
    return bool(shutil.which("wrk")) if contender == "wrk" else find_spec(contender) is not None


INTRODUCTION = """# What it costs to make load

`make bench-load` drives one small server with one process of each contender, {seconds} seconds each, on {cores} cores
that they share with the server and with whatever else runs there. Where the server answers at once, the cheaper
contender gets more answers, and latencies are those of a full queue. Where it waits before it answers, all contenders
should tell the same latency: the wait, and what their own work adds to it.

| connections | server answers after | made by | requests/s | P50 ms | P99 ms | CPU us a request |
|---:|---:|---|---:|---:|---:|---:|
"""


def page(results: list[Result], left_out: list[str], seconds: int) -> str:
    rows = [
        f"| {each.connections:,} | {each.delay} ms | {each.contender} | {each.rps:,.0f} "
        f"| {(each.p50 or 0) * 1000:,.1f} | {(each.p99 or 0) * 1000:,.1f} | {each.cpu * 1e6:.0f} |\n"
        for each in results
    ]
    missing = f"\nNot installed here, so not measured: {', '.join(left_out)}.\n" if left_out else ""
    return INTRODUCTION.format(seconds=seconds, cores=os.cpu_count()) + "".join(rows) + missing


LOADS = ((100, 0), (100, 50), (4000, 0), (4000, 1000))
"""Connections, and the milliseconds that the server waits."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here")
    options = parser.parse_args()
    allow_connections(5000)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/"
    results = []
    for connections, delay in LOADS:
        for name, run in CONTENDERS.items():
            if is_here(name):
                address = f"{url}{delay or ''}"
                results.append(measured(name, connections, delay, partial(run, address, connections, options.seconds)))
                print(*results[-1], flush=True)
    server.terminate()
    text = page(results, [name for name in CONTENDERS if not is_here(name)], options.seconds)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
