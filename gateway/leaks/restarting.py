"""Postgres goes away and comes back under load: who is told what, how soon all is well, and is anything lost?"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import psycopg
from gateway.leaks.asking import PATIENCE, Caller, Response

from letgo.prove.postgres import EmbeddedPostgres

Way = Literal["restart", "crash"]
SETTINGS = {"synchronous_commit": "on"}
"""Of the Postgres: what it has acknowledged is in its log, which outlives its processes."""
AWAY_SECONDS = 1.0
PAUSE = 0.02
READ = ("/health", "/tools", "/teams", "/tags", "/auth/email/me")
WRITE = "write"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: what it was for, when it began and ended (of the loop's clock), its status (0: no answer)."""

    what: str
    began: float
    ended: float
    status: int
    retry_after: str | None


@dataclass(slots=True)
class Seen:
    """`stopped`, `started`: when Postgres went and was back. `written`: ids that were acknowledged; `kept`: those
    that are still there.
    """

    answers: list[Answer] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    stopped: float = 0.0
    started: float = 0.0

    @property
    def unavailable(self) -> list[Answer]:
        return [one for one in self.answers if one.status == 503]

    @property
    def wrong(self) -> list[Answer]:
        """What is neither a success nor a 503 that says when to come again."""
        return [
            one
            for one in self.answers
            if not (200 <= one.status < 300 or (one.status == 503 and one.retry_after is not None))
        ]

    @property
    def lost(self) -> set[str]:
        return self.written - self.kept

    @property
    def back_after(self) -> float:
        """Seconds from when Postgres was back to the end of the last request that was refused."""
        return max([0.0, *(one.ended - self.started for one in self.unavailable)])


async def restarted(server: EmbeddedPostgres, dsn: str, caller: Caller, way: Way, writers: int, seconds: float) -> Seen:
    """Write and read all the time, while Postgres is restarted, or its processes are killed all at once.

    At least `seconds` before it goes and after it is back, and until each who asks has had an answer.
    """
    seen, over = Seen(), asyncio.Event()
    loop = asyncio.get_running_loop()
    users = [asyncio.create_task(_write(caller, number, seen, over)) for number in range(writers)]
    for path in READ:
        users.append(asyncio.create_task(_read(caller, path, seen, over)))
    await _served(seen, 0.0, seconds)
    seen.stopped = loop.time()
    await asyncio.to_thread(_stop, server, way)
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(server.start)
    seen.started = loop.time()
    await _served(seen, seen.started, seconds)
    over.set()
    await asyncio.gather(*users)
    with psycopg.connect(dsn) as connection:
        seen.kept = {row[0] for row in connection.execute("select id from resource")}
    return seen


async def _served(seen: Seen, since: float, seconds: float) -> None:
    await asyncio.sleep(seconds)
    async with asyncio.timeout(PATIENCE):
        while {*READ, WRITE} - {one.what for one in seen.answers if one.began > since and one.status in (200, 201)}:
            await asyncio.sleep(PAUSE)


def _stop(server: EmbeddedPostgres, way: Way) -> None:
    if way == "crash":
        # An immediate shutdown: no process ends in order, and the next start recovers from the log
        # (https://www.postgresql.org/docs/current/server-shutdown.html).
        first = int((server.home / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(first, signal.SIGQUIT)
        deadline = time.monotonic() + 60
        while (server.home / "data" / "postmaster.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    server.stop()


async def _write(caller: Caller, number: int, seen: Seen, over: asyncio.Event) -> None:
    own, count = Caller(caller.port, caller.token), 0
    while not over.is_set():
        count += 1
        body = {"name": f"w{number}-{count}", "uri": f"leak://{number}/{count}", "text": "kept"}
        answer = await _ask(WRITE, partial(own.send, "POST", "/resources", body), seen)
        if answer is not None and answer.status == 201:
            seen.written.add(answer.json()["id"])
        await asyncio.sleep(PAUSE)
    own.close()


async def _read(caller: Caller, path: str, seen: Seen, over: asyncio.Event) -> None:
    own = Caller(caller.port, caller.token)
    while not over.is_set():
        await _ask(path, partial(own.send, "GET", path), seen)
        await asyncio.sleep(PAUSE)
    own.close()


async def _ask(what: str, send: Callable[[], Awaitable[Response]], seen: Seen) -> Response | None:
    loop = asyncio.get_running_loop()
    began, answer = loop.time(), None
    with suppress(OSError, EOFError):
        answer = await send()
    status, retry = (0, None) if answer is None else (answer.status, answer.headers.get("retry-after"))
    seen.answers.append(Answer(what, began, loop.time(), status, retry))
    return answer
