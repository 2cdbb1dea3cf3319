"""`python -m benchmarks.guard_cost`: what letgo costs a small real app, side by side with the app alone.

One server runs without letgo, one with `install(app)`, one with the guard as it comes, one with a guard that watches
every request. They are loaded in turns, so that whatever else slows the machine slows them all. Processor time a
request is the steadier figure on a machine that is shared.
"""

import argparse
import asyncio
import os
import random
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.serving import Server, serving
from letgo.prove.postgres import embedded_postgres

WAYS = {
    "the app alone": "",
    "`install(app)`": "install",
    "the guard": "guard",
    "the guard, every request watched": "guard all",
}
ALONE = next(iter(WAYS))
CLIENTS = 8
PATHS = ("/sync", "/async")
TICKS = os.sysconf("SC_CLK_TCK")


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
    """Seconds that a process has used, with those of the system on its behalf."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(rounds: int, seconds: float) -> dict[tuple[str, str], list[Round]]:
    measured: dict[tuple[str, str], list[Round]] = {}
    with embedded_postgres() as postgres, ExitStack() as stack:
        servers = {}
        for way, letgo in WAYS.items():
            environment = {"LETGO_BENCH_DSN": postgres.dsn, "LETGO": letgo}
            servers[way] = stack.enter_context(serving("benchmarks.guarded_app:app", environment))
        for path in PATHS:
            for server in servers.values():
                load(server, path, 1)
            for _ in range(rounds):
                for way in random.sample(list(servers), len(servers)):
                    measured.setdefault((path, way), []).append(load(servers[way], path, seconds))
    return measured


def table(measured: dict[tuple[str, str], list[Round]]) -> list[str]:
    rows = [
        "| endpoint | | requests a second | to the app alone | processor time a request | to the app alone |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for path in PATHS:
        alone = measured[path, ALONE]
        for name in WAYS:
            rounds = measured[path, name]
            rps, cpu = median(one.rps for one in rounds), median(one.cpu for one in rounds)
            pairs = list(zip(rounds, alone, strict=True))
            slower = median(one.rps / other.rps for one, other in pairs) - 1
            dearer = median(one.cpu / other.cpu for one, other in pairs) - 1
            rows.append(f"| `{path[1:]} def` | {name} | {rps:,.0f} | {slower:+.1%} | {cpu:,.0f} us | {dearer:+.1%} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    print("\n".join(table(measure(given.rounds, given.seconds))))


if __name__ == "__main__":
    main()
