"""`python -m benchmarks.guard_cost`: what the guard costs a small real app, side by side with the app alone.

One server runs plain, one with the guard in mode `observe`; they are loaded in turns, so that whatever else slows the
machine slows both. Processor time a request is the steadier figure on a machine that is shared.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from letgo.prove.postgres import embedded_postgres

CLIENTS = 8
PATHS = ("/sync", "/async")
TICKS = os.sysconf("SC_CLK_TCK")


class Round(NamedTuple):
    """Requests a second, and microseconds of the server's processor time for one."""

    rps: float
    cpu: float


class Server(NamedTuple):
    name: str
    port: int
    pid: int


@contextmanager
def serving(name: str, dsn: str, mode: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.guarded_app:app", "--port", str(port), "--no-access-log"]
    process = subprocess.Popen(
        [*command, "--log-level", "error"], env=os.environ | {"LETGO_BENCH_DSN": dsn, "LETGO_GUARD": mode}
    )
    try:
        wait_for(port)
        yield Server(name, port, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


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
    with (
        embedded_postgres() as postgres,
        serving("alone", postgres.dsn, "") as plain,
        serving("guarded", postgres.dsn, "observe") as guarded,
    ):
        for path in PATHS:
            for server in (plain, guarded):
                load(server, path, 1)
            for number in range(rounds):
                for server in (plain, guarded) if number % 2 else (guarded, plain):
                    measured.setdefault((path, server.name), []).append(load(server, path, seconds))
    return measured


def table(measured: dict[tuple[str, str], list[Round]]) -> list[str]:
    rows = [
        "| endpoint | | requests a second | processor time a request |",
        "|---|---|--:|--:|",
    ]
    for path in PATHS:
        alone, guarded = measured[path, "alone"], measured[path, "guarded"]
        for name, rounds in (("alone", alone), ("guarded", guarded)):
            rps, cpu = median(one.rps for one in rounds), median(one.cpu for one in rounds)
            rows.append(f"| `{path[1:]} def` | {name} | {rps:,.0f} | {cpu:,.0f} us |")
        throughput = median(one.rps / other.rps for one, other in zip(guarded, alone, strict=True)) - 1
        processor = median(one.cpu / other.cpu for one, other in zip(guarded, alone, strict=True)) - 1
        rows.append(f"| | difference, median of {len(alone)} pairs | {throughput:+.1%} | {processor:+.1%} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    print("\n".join(table(measure(given.rounds, given.seconds))))


if __name__ == "__main__":
    main()
