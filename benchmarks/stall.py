"""`python -m benchmarks.stall`: examples/stall with more and more users, as it is and with `install(app)`.

Prints the table and, with `--write`, puts it into a file. Each row is a run of its own: a uvicorn server, users that
ask again as soon as they have an answer, and a look into `pg_stat_activity` every 20 ms. Who still waits for an answer
some seconds after the end counts as an error.
"""

import argparse
import asyncio
import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks.__main__ import machine
from letgo.prove.postgres import embedded_postgres

EXAMPLE = Path(__file__).parents[1] / "examples" / "stall"
APPS = {"as it is": "app:app", "install(app)": "letting_go:app"}
PATHS = {"the endpoint queries": "/items/1", "its dependencies query too": "/users/me/items/1"}
PATIENCE = 5.0
SAMPLE = """
    select count(*) filter (where state like 'idle in transaction%'),
           coalesce(extract(epoch from max(clock_timestamp() - xact_start)), 0)
    from pg_stat_activity where application_name = 'stall'
"""


class Sample(NamedTuple):
    idle: int
    oldest: float  # seconds since the oldest transaction began


@dataclass(frozen=True)
class Run:
    users: int
    app: str
    seconds: float
    answers: list[float]  # seconds each took
    errors: int
    samples: list[Sample]

    @property
    def rate(self) -> float:
        return len(self.answers) / self.seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stall", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[40, 50, 100, 200])
    parser.add_argument("--seconds", type=float, default=8, help="how long new requests are made in each run")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    given = parser.parse_args()

    text = []
    with embedded_postgres() as server:
        for title, path in PATHS.items():
            runs = []
            for users in given.users:
                for app in APPS:
                    runs.append(measured(server.dsn, app, path, users, given.seconds))
                    print(row(runs[-1]), file=sys.stderr, flush=True)
            text += [f"## When {title}", "", *table(runs), ""]
    print("\n".join(text))
    if given.write:
        given.write.write_text(page(text))


def measured(dsn: str, app: str, path: str, users: int, seconds: float) -> Run:
    with served(dsn, APPS[app]) as port:
        return asyncio.run(load(dsn, port, app, path, users, seconds))


@contextmanager
def served(dsn: str, app: str) -> Iterator[int]:
    url = dsn.replace("postgresql:", "postgresql+psycopg:", 1)
    environment = {**os.environ, "DATABASE_URL": url}
    subprocess.run([sys.executable, "-c", "import app; app.fill()"], cwd=EXAMPLE, env=environment, check=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "critical"]
    server = subprocess.Popen(command, cwd=EXAMPLE, env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ready")
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.wait()


async def load(dsn: str, port: int, app: str, path: str, users: int, seconds: float) -> Run:
    run = Run(users, app, 0, [], 0, [])
    began = time.monotonic()
    sampling = asyncio.create_task(sample(dsn, run.samples))
    asking = [asyncio.create_task(user(port, path, began + seconds, run.answers)) for _ in range(users)]
    done, waiting = await asyncio.wait(asking, timeout=seconds + PATIENCE)
    took = time.monotonic() - began
    for task in (*waiting, sampling):
        task.cancel()
    await asyncio.gather(*waiting, sampling, return_exceptions=True)
    return Run(users, app, took, run.answers, len(waiting) + sum(task.result() for task in done), run.samples)


async def user(port: int, path: str, until: float, answers: list[float]) -> int:
    """Ask until then, one request after the other; the number of those that failed."""
    request = f"GET {path} HTTP/1.1\r\nHost: stall\r\n\r\n".encode()
    errors = 0
    writer = None
    while (began := time.monotonic()) < until:
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            if not head.startswith(b"HTTP/1.1 200"):
                raise OSError("not served")
            answers.append(time.monotonic() - began)
        except (OSError, EOFError):
            errors += 1
            if writer is not None:
                writer.close()
                writer = None
    if writer is not None:
        writer.close()
    return errors


async def sample(dsn: str, samples: list[Sample]) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while True:
            row = await (await connection.execute(SAMPLE)).fetchone()
            if row is not None:
                samples.append(Sample(int(row[0]), float(row[1])))
            await asyncio.sleep(0.02)


def table(runs: Sequence[Run]) -> list[str]:
    head = "| users | | requests a second | P99 | errors | idle in transaction, on average | oldest transaction |"
    return [head, "|--:|---|--:|--:|--:|--:|--:|", *map(row, runs)]


def row(run: Run) -> str:
    slowest = sorted(run.answers)[int(len(run.answers) * 0.99)] if run.answers else float("nan")
    idle = sum(sample.idle for sample in run.samples) / max(1, len(run.samples))
    oldest = max((sample.oldest for sample in run.samples), default=0.0)
    return (
        f"| {run.users} | {run.app} | {run.rate:.0f} | {time_of(slowest)} | {run.errors} "
        f"| {idle:.1f} | {time_of(oldest)} |"
    )


def time_of(seconds: float) -> str:
    if math.isnan(seconds):
        return "–"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def page(text: Sequence[str]) -> str:
    return "\n".join(
        [
            "# The stall",
            "",
            "[examples/stall](../examples/stall/README.md) is the tutorials' own code: a pool of 10 connections, `def`",
            "endpoints in Starlette's 40 threads, nothing slow. Without letgo it stands still as soon as more users",
            "than threads ask at once; with `install(app)` and not a line changed it does not. `make bench-stall`",
            "measures this. An error is a 500, or no answer within 5 seconds after the run.",
            f"These figures: {machine()}, server, Postgres and users on the same cores.",
            "",
            *text,
        ]
    )


if __name__ == "__main__":
    main()
