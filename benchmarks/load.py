"""What it costs to make load: `python -m benchmarks.load` drives one server with wrk, letgo, aiohttp and Locust.

The server answers every request with the same bytes: at once, after the milliseconds that the path names, or, after a
`~`, after as many on the average, exponentially distributed. Each contender keeps the same number of connections busy
for the same time; its CPU is what the operating system counts for its processes. They take turns, several rounds of
them, so that what else the machine does meets all alike; the page has the medians. A contender that is not installed is
left out and said to be.
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
from collections.abc import Sequence
from importlib.util import find_spec
from math import inf
from pathlib import Path
from random import expovariate
from statistics import median
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


class Told(NamedTuple):
    """What a contender says of itself; latencies in seconds."""

    requests: int
    rps: float
    p50: float
    p99: float


class Result(NamedTuple):
    """A turn of a contender, or the medians of several; `cpu` is CPU seconds a request."""

    contender: str
    connections: int
    delay: str
    rps: float
    p50: float
    p99: float
    cpu: float


def serve(port: "multiprocessing.connection.Connection") -> None:
    import uvloop

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            delay = data[5 : data.index(b" ", 5)]
            if delay == b"0":
                self.answer()
                return
            milliseconds = expovariate(1 / int(delay[1:])) if delay[:1] == b"~" else int(delay)
            asyncio.get_running_loop().call_later(milliseconds / 1000, self.answer)

        def answer(self) -> None:
            if not self.transport.is_closing():
                self.transport.write(ANSWER)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=8192)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    allow_connections(5000)
    uvloop.run(run())


def measured(contender: str, url: str, connections: int, delay: str, seconds: int) -> Result:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = CONTENDERS[contender](f"{url}/{delay}", connections, seconds)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Result(contender, connections, delay, told.rps, told.p50, told.p99, cpu / max(1, told.requests))


def wrk(url: str, connections: int, seconds: int) -> Told:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
    found = {name: float(value) * units[unit] for name, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
    told = re.search(r"(\d+) requests in ([\d.]+)s", out)
    assert told is not None, out
    return Told(int(told[1]), int(told[1]) / float(told[2]), found["50"], found["99"])


def letgo(url: str, connections: int, seconds: int) -> Told:
    schedule = Schedule(connections, 0, seconds, 0)  # all at once, as wrk does it
    recording = Recording((0, seconds))
    start = time.perf_counter() + 0.5
    job = Job(0, 1, start, url.rpartition("/")[0], schedule, 20, None, (get(urlsplit(url).path),))
    with making([job]) as messages:
        while not isinstance(message := messages.get(), Ended):
            assert isinstance(message, Tick), message
            recording.take(message)
    latencies = recording.latencies()
    p50, p99 = (histogram.percentile(latencies, percent) for percent in (50, 99))
    return Told(recording.requests, recording.good_in_hold / recording.seconds_in_hold(), p50, p99)


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


def aiohttp(url: str, connections: int, seconds: int) -> Told:
    command = [sys.executable, "-c", AIOHTTP, url, str(connections), str(seconds)]
    requests, took, p50, p99 = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Told(requests, requests / took, p50, p99)


LOCUSTFILE = """
from locust import FastHttpUser, task

class Visitor(FastHttpUser):
    @task
    def visit(self):
        self.client.get(self.host)
"""


def locust(url: str, connections: int, seconds: int) -> Told:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "locustfile.py"
        file.write_text(LOCUSTFILE)
        command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--host", url, "--json"]
        command += ["-u", str(connections), "-r", str(connections), "-t", f"{seconds}s", "--skip-log-setup"]
        out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    entries = json.loads(out[out.index("[") :])
    if not entries:  # not one answer in all that time
        return Told(0, 0.0, inf, inf)
    entry = entries[0]
    times = {float(key): count for key, count in entry["response_times"].items()}
    p50, p99 = (
        histogram.percentile_of(sorted(times), [times[key] for key in sorted(times)], each) for each in (50, 99)
    )
    took = entry["last_request_timestamp"] - entry["start_time"]
    return Told(entry["num_requests"], entry["num_requests"] / took, p50 / 1000, p99 / 1000)


CONTENDERS = {"wrk": wrk, "letgo": letgo, "aiohttp": aiohttp, "locust": locust}


def is_here(contender: str) -> bool:
    return bool(shutil.which("wrk")) if contender == "wrk" else find_spec(contender) is not None


INTRODUCTION = """# What it costs to make load

`make bench-load` drives one small server with one process of each contender, {seconds} s at a time and {rounds} times
in turn, on {cores} cores that they share with the server and with whatever else runs there. The figures are medians.
Where the server answers at once, the cheaper contender gets more answers, and latencies are those of a full queue.
Where it waits before it answers, all contenders should tell the same latency: the wait, and what their own work adds to
it. CPU is that of the whole process, with its start and its connecting.

| connections | server answers after | made by | requests/s | P50 ms | P99 ms | CPU us a request |
|---:|---:|---|---:|---:|---:|---:|
"""

AGREEMENT = """
Where the server waits, letgo's latencies to those that wrk tells of the same load, each round by itself:

| connections | server answers after | P50 | P99 |
|---:|---:|---:|---:|
"""

TRUTH = """
Of the wait of 50 ms on the average the truth is known, for it is exponentially distributed: P50 is 34.7 ms and P99
230.3 ms. There wrk's P50 is too high. It takes each latency of more than twice the usual for a stall in which requests
were left out, and adds those (`stats_correct` of its 4.1); here none were.
"""

DELAYS = {"0": "0 ms", "50": "50 ms", "~50": "50 ms on the average", "1000": "1000 ms"}
LOADS = ((100, "0"), (100, "50"), (100, "~50"), (4000, "0"), (4000, "1000"))
"""Connections, and the path that says how long the server waits."""


def page(results: Sequence[Result], seconds: int, rounds: int) -> str:
    rows = []
    for connections, delay in LOADS:
        for contender in CONTENDERS:
            turns = turns_of(results, contender, connections, delay)
            if turns:
                rps, p50, p99, cpu = (median(column) for column in list(zip(*turns, strict=True))[3:])
                rows.append(
                    f"| {connections:,} | {DELAYS[delay]} | {contender} | {rps:,.0f} "
                    f"| {p50 * 1000:,.1f} | {p99 * 1000:,.1f} | {cpu * 1e6:.0f} |\n"
                )
    left_out = [name for name in CONTENDERS if not is_here(name)]
    missing = f"\nNot installed here, so not measured: {', '.join(left_out)}.\n" if left_out else ""
    head = INTRODUCTION.format(seconds=seconds, cores=os.cpu_count(), rounds=rounds)
    return head + "".join(rows) + missing + agreement(results)


def agreement(results: Sequence[Result]) -> str:
    """How letgo's latencies differ from wrk's, for each load that leaves the server time."""
    rows = []
    for connections, delay in LOADS:
        pairs = list(
            zip(*(turns_of(results, contender, connections, delay) for contender in ("letgo", "wrk")), strict=True)
        )
        if delay in ("50", "1000") and pairs:
            differences = [
                ", ".join(f"{(getattr(ours, name) / getattr(theirs, name) - 1) * 100:+.0f} %" for ours, theirs in pairs)
                for name in ("p50", "p99")
            ]
            rows.append(f"| {connections:,} | {DELAYS[delay]} | {' | '.join(differences)} |\n")
    return AGREEMENT + "".join(rows) + TRUTH if rows else ""


def turns_of(results: Sequence[Result], contender: str, connections: int, delay: str) -> list[Result]:
    return [each for each in results if each[:3] == (contender, connections, delay)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS), help="just these contenders")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here")
    options = parser.parse_args()
    allow_connections(5000)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    results = []
    for connections, delay in LOADS:
        for _ in range(options.rounds):
            for contender in filter(is_here, options.only):
                results.append(measured(contender, url, connections, delay, options.seconds))
                print(*results[-1], flush=True)
    server.terminate()
    text = page(results, options.seconds, options.rounds)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
