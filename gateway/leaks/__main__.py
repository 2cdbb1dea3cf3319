"""`python -m gateway.leaks`: what the gateway does while upstreams, Postgres and other workers have troubles.

Prints the figures beside what was promised, and ends with 1 if a promise was not kept. Needs a quiet machine: all of
it (gateway, upstreams, Postgres, who asks and who measures) shares its cores.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psycopg
from benchmarks.__main__ import machine
from gateway.leaks import coherence, restarting, troubles
from gateway.leaks.asking import Caller
from gateway.leaks.behaving import BEHAVIOURS, SLOW_SECONDS
from gateway.leaks.processes import Gateway, administrator, gateway, http_upstreams, log_in
from sqlalchemy import make_url

from letgo.prove.postgres import EmbeddedPostgres, embedded_postgres
from letgo_gateway.cli import allow_connections

SOON, YOUNG, BACK, COHERENT = 0.1, 1.0, 5.0, 1.0
"""What was promised, in seconds: of answers, of transactions, of a restart, and of other workers."""
NOWHERE = "postgresql://127.0.0.1:1/nowhere"
COUNTED = (50.0, 90.0, 99.0, 99.9, 100.0)


@dataclass
class Page:
    """Lines of Markdown, printed as they come, and the promises that were not kept."""

    lines: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        self.lines += lines
        print(*lines, sep="\n", flush=True)

    def promise(self, kept: bool, what: str) -> None:
        if not kept:
            self.broken.append(what)


@contextmanager
def database(server: EmbeddedPostgres, name: str) -> Iterator[tuple[str, str]]:
    """The URL of a new database that is prepared, and the one-time password of its administrator."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = make_url(server.dsn).set(database=name).render_as_string(hide_password=False)
    yield url, administrator(url)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m gateway.leaks", description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20, help="how long there are calls, in each scene")
    parser.add_argument("--repeats", type=int, default=5, help="how often everything is changed")
    parser.add_argument("--only", choices=("troubles", "restarts", "coherence"))
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    given = parser.parse_args()
    allow_connections()
    page = Page()
    page.say(*opening(given.calls, given.streams))
    load = troubles.Load(given.calls, given.streams, given.seconds)
    with embedded_postgres(restarting.SETTINGS) as server:
        if given.only in (None, "troubles"):
            of_troubles(page, server, load)
        if given.only in (None, "restarts"):
            of_restarts(page, server)
        if given.only in (None, "coherence"):
            of_coherence(page, server, given.repeats)
    if given.write:
        given.write.write_text("\n".join(page.lines) + "\n")
    for broken in page.broken:
        print(f"not kept: {broken}", file=sys.stderr)
    return 1 if page.broken else 0


def opening(calls: int, streams: int) -> Sequence[str]:
    return (
        "# When others have troubles",
        "",
        "What the gateway does while its upstreams are slow, hang, die or send nonsense, while Postgres is",
        "restarted, and while another worker changes everything. `make bench-gateway-leaks` measures this: one gateway",
        "process with a pool of 10 connections to a Postgres of its own and letgo's guard in mode `raise`; upstreams,",
        f"who asks and who measures in processes of their own, all on the same machine: {machine()}.",
    )


def of_troubles(page: Page, server: EmbeddedPostgres, load: troubles.Load) -> None:
    page.say(
        "",
        "## Upstreams",
        "",
        f"{load.streams} open streams, and {load.calls} callers, each of which calls a tool every",
        f"{troubles.PERIOD:g} s: over JSON, over a stream of events, over stdio, and a REST endpoint. A slow one",
        f"answers after {SLOW_SECONDS:g} s. `/health` (which queries) and `GET /tools` are asked all the while, from",
        "before the first stream opens until the last has closed, and all of it is in the table. A virtual machine",
        "stands still when its host gives its cores to others: what is promised is the worst of those answers during",
        "which no core did for 10 ms or more, and that these are most. The last row is no promise: everything comes",
        "and goes in one instant.",
        "",
        "| upstreams | calls: done, error | path | median | 90 % | 99 % | 99.9 % | worst "
        f"| stood still: longest, answers | worst of the others ({SOON * 1000:.0f} ms) | not 200 |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    )
    rows = []
    instant = troubles.Load(load.calls, load.streams, troubles.PERIOD, 0.0)
    scenes = [(behaviour, behaviour, load) for behaviour in BEHAVIOURS]
    with ExitStack() as stack:
        address = stack.enter_context(http_upstreams())
        for number, (name, behaviour, how) in enumerate([*scenes, ("slow, in one instant", "slow", instant)]):
            with database(server, f"troubles{number}") as (url, password), gateway(url) as one:
                seen = asyncio.run(scene(one, url, password, address, behaviour, how))
            page.say(*rows_of(name, seen))
            rows.append(f"| {name} | {after(seen)} |")
            if how.ramp:
                judge(page, name, seen)
    page.say(
        "",
        "Beside it, what Postgres and the system saw: the oldest transaction that was idle, and what is left when all",
        "is over. Nonsense from a REST endpoint is text, and no error, as long as it is HTTP.",
        "",
        f"| upstreams | oldest transaction ({YOUNG:g} s) | connections to Postgres, most | CPU of the gateway | "
        "left: connections | transactions | children of upstreams: before, after | memory: before, after |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *rows,
    )


async def scene(
    one: Gateway, url: str, password: str, address: str, behaviour: str, load: troubles.Load
) -> troubles.Seen:
    caller = Caller(one.port)
    await log_in(caller, password)
    tools = await troubles.register(caller, behaviour, address)
    return await troubles.trouble(one, caller, url, tools, load)


def rows_of(name: str, seen: troubles.Seen) -> Iterator[str]:
    ends = f"{seen.ended('done')}, {seen.ended('error')}"
    for path in ("/health", "/tools"):
        took, undisturbed = seen.took(path), seen.took_undisturbed(path)
        points = " | ".join(milliseconds(took[min(len(took) - 1, int(len(took) * at / 100))]) for at in COUNTED)
        longest = max((hiccup.seconds for hiccup in seen.hiccups), default=0.0)
        still = f"{milliseconds(longest)}, {len(took) - len(undisturbed)}"
        worst = milliseconds(undisturbed[-1]) if undisturbed else "none"
        failed = sum(sample.status != 200 for sample in seen.probes if sample.path == path)
        yield f"| {name} | {ends} | `{path}` ({len(took)}) | {points} | {still} | {worst} | {failed} |"


def after(seen: troubles.Seen) -> str:
    before, left = seen.before, seen.left
    assert before is not None and left is not None and seen.oldest is not None
    return (
        f"{seen.oldest:.3f} s | {seen.database_connections} | {seen.cpu:.1f} s | {left.connections} | "
        f"{left.transactions} | {before.processes}, {left.processes} | "
        f"{before.memory / 1e6:.0f} MB, {left.memory / 1e6:.0f} MB"
    )


def judge(page: Page, name: str, seen: troubles.Seen) -> None:
    assert seen.before is not None and seen.left is not None and seen.oldest is not None
    for path in ("/health", "/tools"):
        took, undisturbed = seen.took(path), seen.took_undisturbed(path)
        page.promise(2 * len(undisturbed) > len(took), f"{name}: the machine runs most of the time")
        page.promise(bool(undisturbed) and undisturbed[-1] < SOON, f"{name}: the worst answer of {path}")
    page.promise(seen.failed == 0, f"{name}: every answer is a 200")
    page.promise(seen.oldest < YOUNG, f"{name}: no transaction is older than {YOUNG:g} s")
    page.promise(seen.left.connections == 0 and seen.left.transactions == 0, f"{name}: nothing is left")
    page.promise(seen.left.processes <= 1, f"{name}: no process of an upstream is left")
    page.promise(not seen.unexpected, f"{name}: calls end as they should: {seen.unexpected}")


def of_restarts(page: Page, server: EmbeddedPostgres) -> None:
    page.say(
        "",
        "## Postgres goes away and comes back",
        "",
        "5 writers and 5 readers ask all the time. Postgres is stopped as its operator would stop it, and all of its",
        "processes are killed at once; it is away for a second longer than that takes. What is acknowledged must be",
        "there afterwards.",
        "",
        f"| | answers | 503, all with `Retry-After` | anything else | back after ({BACK:g} s) | written | lost |",
        "|---|--:|--:|--:|--:|--:|--:|",
    )
    ways: tuple[restarting.Way, ...] = ("restart", "crash")
    for way in ways:
        with database(server, way) as (url, password), gateway(url) as one:
            seen = asyncio.run(restart_scene(server, one, url, password, way))
        page.say(
            f"| {way} | {len(seen.answers)} | {len(seen.unavailable)} | {len(seen.wrong)} | "
            f"{seen.back_after:.2f} s | {len(seen.written)} | {len(seen.lost)} |"
        )
        page.promise(not seen.wrong, f"{way}: errors are 503s that say when to come again: {seen.wrong[:3]}")
        page.promise(seen.back_after < BACK, f"{way}: back within {BACK:g} s")
        page.promise(not seen.lost, f"{way}: nothing that was acknowledged is lost")
        page.promise(bool(seen.unavailable), f"{way}: somebody noticed")


async def restart_scene(
    server: EmbeddedPostgres, one: Gateway, url: str, password: str, way: restarting.Way
) -> restarting.Seen:
    caller = Caller(one.port)
    await log_in(caller, password)
    return await restarting.restarted(server, url, caller, way, writers=5, seconds=8)


def of_coherence(page: Page, server: EmbeddedPostgres, repeats: int) -> None:
    page.say(
        "",
        "## Two workers",
        "",
        "One of everything is changed at one worker, and the other is asked every 5 ms until it knows: from the answer",
        "to the change to the first answer that shows it. As it is; with the connections on which notifications are",
        "heard ended right before each change; and with no notifications at all, as behind PgBouncer or on SQLite.",
        "",
        f"| | changes | median | 90 % | worst ({COHERENT:g} s) | the worst is |",
        "|---|--:|--:|--:|--:|---|",
    )
    for number, (name, settings) in enumerate({"as it is": {}, "cut": {}, "asking": {"listen_url": NOWHERE}}.items()):
        with database(server, f"coherence{number}") as (url, password), ExitStack() as stack:
            ports = [stack.enter_context(gateway(url, **settings)).port for _ in range(2)]
            cut = coherence.cut_of(url) if name == "cut" else coherence.no_cut
            found = asyncio.run(coherence_scene(ports, password, cut, repeats))
        worst = max(found, key=lambda change: change.seconds)
        took = sorted(change.seconds for change in found)
        at = " | ".join(milliseconds(one) for one in (median(took), took[int(len(took) * 0.9)], took[-1]))
        page.say(f"| {name} | {len(found)} | {at} | {worst.what} |")
        page.promise(worst.seconds < COHERENT, f"{name}: the other worker knows {worst.what} within {COHERENT:g} s")


async def coherence_scene(
    ports: Sequence[int], password: str, cut: coherence.Cut, repeats: int
) -> list[coherence.Change]:
    one = Caller(ports[0])
    await log_in(one, password)
    workers = coherence.Workers(one, Caller(ports[1], one.token))
    try:
        return [change for _ in range(repeats) for change in await coherence.changes(workers, cut)]
    finally:
        workers.close()


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
