"""`make conformance`: the official suite against the gateway, on both databases, in both eras and crosswise.

The suite is asked for all that a revision scores of servers: of a fixture server by itself, and of a public virtual
server of the gateway whose upstream is that fixture. Ends with 0 if all passes but what can't be bridged, with 1 if
not, and with 2 if something is missing here.
"""

import argparse
import asyncio
import json
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.installing import HOME, Node, NotInstalled, node
from conformance.whole import FIXTURE, served
from letgo.prove.postgres import PostgresUnavailable, embedded_postgres

REVISIONS = ("2025-11-25", "2026-07-28")
DATABASES = ("sqlite", "postgres")
RUN_SECONDS = 300
SCENARIO = re.compile(r"^([✓✗]) ([\w-]+): \d+ passed, \d+ failed", re.MULTILINE)
UNBRIDGED = frozenset({"input-required-result-basic-elicitation", "input-required-result-multiple-input-requests"})


@dataclass(frozen=True, slots=True)
class Upstream:
    """One way from the gateway to the fixture: at a path of its address, or as a program that is started."""

    name: str
    path: str | None
    cannot: frozenset[str] = frozenset()
    """The scenarios that can't be bridged, and must not pass by accident either: docs/gateway-mcp.md says why."""

    def entry(self, port: int) -> dict[str, Any]:
        """As it is registered."""
        if self.path is None:
            return {"transport": "stdio", "command": [sys.executable, str(FIXTURE), "--stdio"]}
        return {"url": f"http://127.0.0.1:{port}{self.path}"}


UPSTREAMS = {
    "both": Upstream("speaks both", "/mcp"),
    "2025-11-25": Upstream("2025-11-25 alone", "/legacy/mcp", UNBRIDGED),
    "2026-07-28": Upstream("2026-07-28 alone", "/modern/mcp"),
    "stdio": Upstream("speaks both, on stdio", None),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one way: by revision, which of the scenarios that it scores have passed."""

    database: str
    upstream: str
    cannot: frozenset[str]
    passed: dict[str, dict[str, bool]]

    def failed(self, revision: str) -> list[str]:
        return [name for name, passed in self.passed[revision].items() if not passed]

    @property
    def as_promised(self) -> bool:
        return all(set(self.failed(of)) == self.cannot & self.passed[of].keys() for of in self.passed)


def required(suite: Path, revision: str) -> list[str]:
    """The scenarios of servers that a revision scores."""
    text = (suite / "requirements" / f"{revision}.yaml").read_text()
    server = text.split("\nserver:\n")[1].split("\n\n")[0]
    return re.findall(r"- ([\w-]+)", server)


@asynccontextmanager
async def fixture() -> AsyncIterator[int]:
    """The fixture server in a process of its own; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    quiet = asyncio.subprocess.DEVNULL
    command = (sys.executable, str(FIXTURE), "--port", str(port))
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    break
        yield port
    finally:
        process.terminate()
        await process.wait()


async def score(installed: Node, url: str, revision: str, verbose: bool) -> dict[str, bool]:
    """Which of the scenarios that a revision scores have passed."""
    program = str(installed.suite / "dist" / "index.js")
    options = ("--url", url, "--requirements", revision, "--output-dir", str(HOME / "results"))
    process = await asyncio.create_subprocess_exec(
        *(str(installed.program), program, "server", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            output = (await process.communicate())[0].decode()
    except TimeoutError:
        process.kill()
        raise
    if verbose:
        sys.stdout.write(output)
    found = {name: mark == "✓" for mark, name in SCENARIO.findall(output.partition("=== SUMMARY ===")[2])}
    return {name: found.get(name, False) for name in required(installed.suite, revision)}


async def scored(installed: Node, database: str, name: str, cannot: frozenset[str], url: str, verbose: bool) -> Row:
    row = Row(database, name, cannot, {})
    for revision in REVISIONS:
        row.passed[revision] = await score(installed, url, revision, verbose)
        told = f"{database}, {name}: {revision}: {count(row, revision)}"
        print(told, *(f"  not: {one}" for one in row.failed(revision)), sep="\n", file=sys.stderr, flush=True)
    return row


async def run(installed: Node, database: str, upstreams: list[str], verbose: bool) -> list[Row]:
    """The rows of one database, or (`direct`) that of the fixture by itself."""
    async with fixture() as port:
        if database == "direct":
            at = f"http://127.0.0.1:{port}/mcp"
            return [await scored(installed, "–", "directly", frozenset(), at, verbose)]
        rows = []
        with database_of(database) as dsn:
            for upstream in (UPSTREAMS[name] for name in upstreams):
                async with served(dsn, **upstream.entry(port)) as at:
                    rows.append(await scored(installed, database, upstream.name, upstream.cannot, at, verbose))
        return rows


@contextmanager
def database_of(kind: str) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "postgres":
        with embedded_postgres() as server:
            yield server.dsn
    else:
        with TemporaryDirectory() as directory:
            yield f"sqlite:///{Path(directory) / 'gateway.db'}"


def count(row: Row, revision: str) -> str:
    scenarios = row.passed[revision]
    return f"{len(scenarios) - len(row.failed(revision))} of {len(scenarios)}"


def table(rows: list[Row]) -> str:
    lines = [("database", "fixture", *REVISIONS), ("---",) * (2 + len(REVISIONS))]
    lines += [(row.database, row.upstream, *(count(row, revision) for revision in REVISIONS)) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--database", choices=["direct", *DATABASES], action="append", help="these alone")
    parser.add_argument("--upstream", choices=UPSTREAMS, action="append", help="these alone")
    parser.add_argument("--verbose", action="store_true", help="all that the suite says")
    parser.add_argument("--json", type=Path, help="write all results here")
    options = parser.parse_args()
    rows: list[Row] = []
    try:
        installed = node()
        for database in options.database or ["direct", *DATABASES]:
            rows += asyncio.run(run(installed, database, options.upstream or list(UPSTREAMS), options.verbose))
    except (NotInstalled, PostgresUnavailable) as error:
        print(error, file=sys.stderr)
        return 2
    print(table(rows))
    for row in rows:
        for revision in REVISIONS:
            for name in row.failed(revision):
                what = "can't be bridged" if name in row.cannot else "failed"
                print(f"{row.database}, {row.upstream}, {revision}: {what}: {name}")
    if options.json is not None:
        options.json.write_text(json.dumps([[row.database, row.upstream, row.passed] for row in rows], indent=1))
    return 0 if all(row.as_promised for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
