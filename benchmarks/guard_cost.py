"""`python -m benchmarks.guard_cost`: what letgo costs a small real app, side by side with the app alone.

One server runs without letgo, a second one too, one with `install(app)`, one with the guard as it comes, one with a
guard that watches every request. They are forked from one process that has imported everything else, so that they lie
alike in memory, and are loaded in turns, forth and back, so that whatever else slows the machine slows them all. How
far the app is from itself tells which differences mean something. Processor time a request is the steadier figure on a
machine that is shared; how many functions a request calls is the same on each.
"""

import argparse
import asyncio
import gc
import multiprocessing
import os
import random
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median, quantiles
from typing import NamedTuple, cast

import uvicorn
import uvloop

from benchmarks.__main__ import machine
from benchmarks.guard_calls import calls
from benchmarks.serving import Server
from letgo.prove.postgres import embedded_postgres

WAYS = {
    "the app alone": "",
    "the app beside itself": "",
    "`install(app)`": "install",
    "the guard": "guard a fifth",
    "the guard, every request watched": "guard all",
}
ALONE = next(iter(WAYS))
CLIENTS = 8
"""Fewer than connections in the pool: nobody makes new ones meanwhile."""
PATHS = ("/sync", "/async")
TURN = 0.18
"""Seconds: five turns and what is between them fill one."""
IMPORTED = ("fastapi", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql.psycopg", "uvicorn.main", "psycopg")
RESAMPLED = 2_000
WARM = 300
"""Answers before anything is measured."""
START_SECONDS = 60.0

INTRODUCTION = """# What letgo costs at run time

`make bench-guard` measures a small FastAPI app (one query a request, uvicorn, Postgres) without letgo, with
[`install(app)`](runtime.md) and with [the guard](guard.md), side by side.
These figures: {machine}; {of_what}; server, Postgres and clients on the same cores.

## Functions called

How many functions in Python one request calls, from the app's first to its last. It is the same on every machine.
"""
TURNS = """
## Processor time and throughput

{clients} clients ask again as soon as they are answered, so that the server is never idle. Processor time is that of
all the server's threads, the system's on its behalf with it, for one answer. All servers take turns within a second,
and the other way round in the next: that is a round. There are {rounds} rounds, and the servers are started {restarts}
times. *The guard* watches 4 requests a second instead of 20, as it is asked for a fifth of each second.

What a round is to that of the app alone: the median of all, and in brackets the 95 % interval of that median, from
drawing the starts anew with all their rounds. *The app beside itself* is a second server with the same app. A
difference can be told from none only if its interval leaves out 0, and if it is larger than what the app differs from
itself.
"""


class Round(NamedTuple):
    """Requests a second, and microseconds of the server's processor time for one."""

    rps: float
    cpu: float


class Client(asyncio.Protocol):
    """Asks the same again as soon as it is answered."""

    def __init__(self, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode()
        self._received = b""
        self.answers = 0
        self.wrong = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.wrong = head
        self.answers += 1
        self._received = b""
        self._transport.write(self._request)


def warm(server: Server, path: str) -> None:
    """Until it has started, and has done everything often enough to do it as it always will."""
    until, answers = time.monotonic() + START_SECONDS, 0
    while answers < WARM:
        answers += uvloop.run(_answers(server.port, path, 0.25))
        if time.monotonic() > until:
            raise SystemExit(f"the server has given {answers} answers in {START_SECONDS:.0f} s")


def turns(servers: Mapping[str, Server], order: Sequence[str], path: str) -> dict[str, Round]:
    """One turn of each, within one second of the clock, by which the guard counts how many requests it watches."""
    while True:
        time.sleep(-time.monotonic() % 1)
        found = {way: made for way in order if (made := turn(servers[way], path)) is not None}
        if len(found) == len(order):
            return found


def turn(server: Server, path: str) -> Round | None:
    """None if nothing was answered: a machine that stands still for a moment measures nobody."""
    before, began = processor_time(server.pid), time.perf_counter()
    done = uvloop.run(_answers(server.port, path, TURN))
    taken, used = time.perf_counter() - began, processor_time(server.pid) - before
    return Round(done / taken, used / done * 1e6) if done else None


async def _answers(port: int, path: str, seconds: float) -> int:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Client(path), "127.0.0.1", port) for _ in range(CLIENTS)]
    await asyncio.sleep(seconds)
    for transport, client in made:
        transport.abort()
        if client.wrong:
            raise SystemExit(f"the app answered {client.wrong[:60]!r}")
    return sum(client.answers for _, client in made)


def processor_time(pid: int) -> float:
    """Seconds that all threads of a process have used, with those of the system on its behalf.

    The number of the clock of another process is made as the C library does it: clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2)


@contextmanager
def forked(environment: Mapping[str, str]) -> Iterator[Server]:
    """A server of the app, with what is imported here already. Clients can connect at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(listening, environment))
        process.start()
        try:
            yield Server(listening.getsockname()[1], cast(int, process.pid))
        finally:
            process.kill()  # it has nothing to lose
            process.join()


def _serve(listening: socket.socket, environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    app = import_module("benchmarks.guarded_app").app
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="critical")).run([listening])


def measure(restarts: int, rounds: int) -> Iterator[tuple[str, str, int, Round]]:
    """Path, way, the number of the start, and the figures of each round."""
    for module in IMPORTED:
        import_module(module)
    with embedded_postgres() as postgres:
        gc.collect()
        gc.freeze()
        for start in range(restarts):
            with ExitStack() as stack:
                servers = {
                    way: stack.enter_context(forked({"LETGO_BENCH_DSN": postgres.dsn, "LETGO": WAYS[way]}))
                    for way in random.sample(list(WAYS), len(WAYS))
                }
                for path in PATHS:
                    for server in servers.values():
                        warm(server, path)
                    for _ in range(rounds):
                        order = random.sample(list(servers), len(servers))
                        forth, back = (turns(servers, one, path) for one in (order, order[::-1]))
                        for way in WAYS:
                            yield path, way, start, Round(*map(mean, zip(forth[way], back[way], strict=True)))


Measured = dict[tuple[str, str], list[list[Round]]]
"""By path and way: the rounds of each start."""


def table(measured: Measured) -> list[str]:
    rows = [
        "| endpoint | | processor time a request | to the app alone | requests a second | to the app alone |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for path in PATHS:
        alone = measured[path, ALONE]
        for way in WAYS:
            starts = measured[path, way]
            cpu, rps = (median(one[column] for start in starts for one in start) for column in (1, 0))
            dearer, slower = ("" if way == ALONE else compared(starts, alone, column) for column in (1, 0))
            rows.append(f"| `{path[1:]} def` | {way} | {cpu:,.0f} us | {dearer} | {rps:,.0f} | {slower} |")
    return rows


def compared(starts: Sequence[Sequence[Round]], alone: Sequence[Sequence[Round]], column: int) -> str:
    """The median of what the rounds are to those of the app alone, with its 95 % interval."""
    ratios = [
        [one[column] / other[column] - 1 for one, other in zip(rounds, others, strict=True)]
        for rounds, others in zip(starts, alone, strict=True)
    ]
    drawn = [
        median(ratio for start in random.choices(ratios, k=len(ratios)) for ratio in start) for _ in range(RESAMPLED)
    ]
    between = quantiles(drawn, n=40)
    return f"{median(ratio for start in ratios for ratio in start):+.1%} ({between[0]:+.1%} to {between[-1]:+.1%})"


def table_of_calls() -> list[str]:
    rows = ["| endpoint | | functions called | to the app alone |", "|---|---|--:|--:|"]
    with embedded_postgres() as postgres:
        for path in PATHS:
            alone = calls("", path, postgres.dsn)
            rows.append(f"| `{path[1:]} def` | the app alone | {alone:,.0f} | |")
            for way, letgo in (
                ("`install(app)`", "install"),
                ("the guard, request not watched", "guard none"),
                ("the guard, request watched", "guard all"),
            ):
                called = calls(letgo, path, postgres.dsn)
                rows.append(f"| `{path[1:]} def` | {way} | {called:,.0f} | {called / alone - 1:+.1%} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard_cost", description=__doc__)
    parser.add_argument("--restarts", type=int, default=8, help="how often the servers are started, at least 2")
    parser.add_argument("--rounds", type=int, default=12, help="of each start and endpoint, of 2 seconds each")
    parser.add_argument("--calls", action="store_true", help="count the functions that are called, and no more")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    given = parser.parse_args()
    called = table_of_calls()
    print("\n".join(called), flush=True)
    if given.calls:
        return
    measured: Measured = {}
    for path, way, start, figures in measure(given.restarts, given.rounds):
        starts = measured.setdefault((path, way), [[] for _ in range(given.restarts)])
        starts[start].append(figures)
    taken = table(measured)
    print("\n".join(["", *taken]))
    if given.write:
        given.write.write_text(page(called, taken, given.restarts, given.restarts * given.rounds))


def page(called: Sequence[str], taken: Sequence[str], restarts: int, rounds: int) -> str:
    of_what = ", ".join(f"{name} {version(name)}" for name in ("fastapi", "sqlalchemy", "uvicorn", "psycopg"))
    return "\n".join([INTRODUCTION.format(machine=machine(), of_what=of_what), *called,
                      TURNS.format(clients=CLIENTS, rounds=rounds, restarts=restarts), *taken, ""])  # fmt: skip


if __name__ == "__main__":
    main()
