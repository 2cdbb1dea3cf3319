"""`python -m benchmarks.streams`: 500 slow streams on a pool of 10 connections, and how soon `/health` answers.

Each stream queries before it starts. While all are open, `/health`, which queries too, is asked again and again: by
an app as it is, with `install(app)`, and with the guard in mode `release`.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.__main__ import machine
from benchmarks.serving import serving
from letgo.prove.postgres import embedded_postgres

WAYS = {"as it is": "", "install(app)": "install", 'Guard, mode="release"': "guard"}
PATIENCE = 120.0
"""Seconds within which all streams have begun or failed."""
IDLE = """
    select count(*) from pg_stat_activity
    where application_name = 'streams' and state like 'idle in transaction%'
"""


@dataclass(frozen=True)
class Run:
    way: str
    streams: int  # that are open at once
    errors: int
    health: list[float]  # seconds each answer took; infinite for an error
    idle: int  # transactions that are idle while all is open
    taken: int  # connections that are out of the pool meanwhile


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--asked", type=int, default=200, help="how often the app is asked for its health")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    given = parser.parse_args()
    text = ["| | streams open | errors | `/health`: median | P99 | worst | idle in transaction |", "|---|" + "--:|" * 6]
    print("\n".join(text), file=sys.stderr, flush=True)
    with embedded_postgres() as server:
        for way in WAYS:
            text.append(row(measured(server.dsn, way, given.streams, given.asked)))
            print(text[-1], file=sys.stderr, flush=True)
    print("\n".join(text))
    if given.write:
        given.write.write_text(page(text))


def measured(dsn: str, way: str, streams: int, asked: int, pool_timeout: float = 1) -> Run:
    environment = {"LETGO_BENCH_DSN": dsn, "LETGO_LETS_GO": WAYS[way], "POOL_TIMEOUT": str(pool_timeout)}
    with serving("benchmarks.streaming_app:app", environment) as server:
        return asyncio.run(_run(dsn, server.port, way, streams, asked))


async def _run(dsn: str, port: int, way: str, streams: int, asked: int) -> Run:
    await _ask(port, "/connections")
    tasks = [asyncio.create_task(_open(port)) for _ in range(streams)]
    await asyncio.wait(tasks, timeout=PATIENCE)
    writers = [writer for task in tasks if task.done() and (writer := task.result()) is not None]
    health = []
    for _ in range(asked if writers else 0):
        began = time.perf_counter()
        answered = await _ask(port, "/health")
        health.append(time.perf_counter() - began if answered is not None else float("inf"))
        if answered is None:
            break  # each further one would wait for the pool as long
    with psycopg.connect(dsn) as connection:
        idle = connection.execute(IDLE).fetchone()
    taken = await _ask(port, "/connections")
    for task in tasks:
        task.cancel()
    for writer in writers:
        writer.close()
    assert idle is not None and taken is not None
    return Run(way, len(writers), streams - len(writers), health, int(idle[0]), int(taken))


async def _open(port: int) -> asyncio.StreamWriter | None:
    """A stream that has sent its first line; None if it is an error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: shop\r\n\r\n")
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200"):
            await reader.readuntil(b"\n")
            return writer
    except (OSError, EOFError):
        pass
    writer.close()
    return None


async def _ask(port: int, path: str) -> bytes | None:
    """The body of an answer; None if it is an error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if head.startswith(b"HTTP/1.1 200") else None


def row(run: Run) -> str:
    ordered = sorted(run.health) or [float("inf")]
    median, slow, worst = (_time(ordered[min(len(ordered) - 1, int(len(ordered) * at))]) for at in (0.5, 0.99, 1))
    return f"| {run.way} | {run.streams} | {run.errors} | {median} | {slow} | {worst} | {run.idle} |"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < float("inf") else "no answer"


def page(text: Sequence[str]) -> str:
    return "\n".join(
        [
            "# Slow streams",
            "",
            "500 clients read streams that last as long as they want, from an app with a pool of 10 connections.",
            "Each stream has queried before it starts, with the session of an ordinary `get_db`. As FastAPI has it",
            "since 0.118, that keeps its connection until the stream ends: the eleventh client waits for the pool, and",
            "so does `/health`. Once the app lets go, all streams are open at once, no connection is held, and",
            "`/health`, which queries, is answered. `make bench-streams` measures this.",
            f"These figures: {machine()}; server, Postgres and clients on the same cores.",
            "",
            *text,
            "",
        ]
    )


if __name__ == "__main__":
    main()
