"""`python -m benchmarks.guard_cost`: what letgo costs a small real app, side by side with the app alone.

One server runs without letgo, a second one too, one with `install(app)`, one with the guard as it comes, one with a
guard that watches every request. They are loaded in turns, so that whatever else slows the machine slows them all, and
started anew several times, as one process is never quite as fast as the next. How far the app is from itself tells
which differences mean something. Processor time a request is the steadier figure on a machine that is shared; how many
functions a request calls is the same on each.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from benchmarks.__main__ import machine
from benchmarks.guard_calls import calls
from benchmarks.serving import Server, serving
from letgo.prove.postgres import embedded_postgres

WAYS = {
    "the app alone": "",
    "the app beside itself": "",
    "`install(app)`": "install",
    "the guard": "guard",
    "the guard, every request watched": "guard all",
}
ALONE = next(iter(WAYS))
CLIENTS = 8
PATHS = ("/sync", "/async")


INTRODUCTION = """# What letgo costs at run time

`make bench-guard` measures a small FastAPI app (one query a request, uvicorn, Postgres) without letgo, with
[`install(app)`](runtime.md) and with [the guard](guard.md), side by side.
These figures: {machine}; {of_what}; server, Postgres and clients on the same cores.

## Functions called

How many functions in Python one request calls, from the app's first to its last. It is the same on every machine.
"""
TURNS = """
## Throughput and processor time

{clients} clients ask again as soon as they are answered. Medians of {rounds} rounds, in which the servers take turns in
random order; they are started {restarts} times. What a turn is to that of the app alone in the same round: the median,
and in brackets the middle half of all rounds. *The app beside itself* is a second server with the same app: differences
as small as its own can't be told from none.
"""


class Round(NamedTuple):
    """Requests a second, and microseconds of the server's processor time for one."""

    rps: float
    cpu: float


def load(server: Server, path: str, seconds: float) -> Round:
    before, began = processor_time(server.pid), time.perf_counter()
    done = asyncio.run(_clients(server.port, path, seconds))
    taken = time.perf_counter() - began
    return Round(done / taken, (processor_time(server.pid) - before) / done * 1e6)


async def _clients(port: int, path: str, seconds: float) -> int:
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_client(port, path, until) for _ in range(CLIENTS))))


async def _client(port: int, path: str, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode()
    done = 0
    while time.monotonic() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the app answered {head[:30]!r}")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        done += 1
    writer.close()
    return done


def processor_time(pid: int) -> float:
    """Seconds that all threads of a process have used, with those of the system on its behalf.

    The number of the clock of another process is made as the C library does it: clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2)


def measure(restarts: int, rounds: int, seconds: float) -> Iterator[tuple[str, str, Round]]:
    """Path, way and figures of each turn."""
    with embedded_postgres() as postgres:
        for _ in range(restarts):
            with ExitStack() as stack:
                servers = {}
                for way in random.sample(list(WAYS), len(WAYS)):
                    environment = {"LETGO_BENCH_DSN": postgres.dsn, "LETGO": WAYS[way]}
                    servers[way] = stack.enter_context(serving("benchmarks.guarded_app:app", environment))
                for path in PATHS:
                    for server in servers.values():
                        load(server, path, 1)
                    for _ in range(rounds):
                        for way in random.sample(list(servers), len(servers)):
                            yield path, way, load(servers[way], path, seconds)


def table(measured: dict[tuple[str, str], list[Round]]) -> list[str]:
    """Medians; what a turn is to that of the app alone in the same round, with the middle half of all rounds."""
    rows = [
        "| endpoint | | requests a second | to the app alone | processor time a request | to the app alone |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for path in PATHS:
        alone = measured[path, ALONE]
        for way in WAYS:
            rounds = measured[path, way]
            rps, cpu = median(one.rps for one in rounds), median(one.cpu for one in rounds)
            pairs = list(zip(rounds, alone, strict=True))
            slower = spread([one.rps / other.rps - 1 for one, other in pairs]) if way != ALONE else ""
            dearer = spread([one.cpu / other.cpu - 1 for one, other in pairs]) if way != ALONE else ""
            rows.append(f"| `{path[1:]} def` | {way} | {rps:,.0f} | {slower} | {cpu:,.0f} us | {dearer} |")
    return rows


def spread(ratios: Sequence[float]) -> str:
    low, _, high = quantiles(ratios, n=4)
    return f"{median(ratios):+.1%} ({low:+.1%} to {high:+.1%})"


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
    parser.add_argument("--restarts", type=int, default=5, help="how often the servers are started")
    parser.add_argument("--rounds", type=int, default=5, help="of each start and endpoint")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each turn lasts")
    parser.add_argument("--calls", action="store_true", help="count the functions that are called, and no more")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    given = parser.parse_args()
    called = table_of_calls()
    print("\n".join(called), flush=True)
    if given.calls:
        return
    measured: dict[tuple[str, str], list[Round]] = {}
    for path, way, figures in measure(given.restarts, given.rounds, given.seconds):
        measured.setdefault((path, way), []).append(figures)
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
