"""`python -m load.cpu`: what a request costs the gateway, each endpoint by itself.

One worker of `letgo-gateway serve` as it comes, on a Postgres and in front of the upstreams of the load, is asked by 32
clients that never wait. What counts is the processor time of the worker (user and system) divided by its answers: that
of the clients, of Postgres and of the upstreams is theirs.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, cast

import uvloop

from letgo.prove.postgres import embedded_postgres
from load import world

HERE = Path(__file__).parent
PORT = world.PORT + 1
CLIENTS = 32
FEWEST = 300
"""Answers that are enough: the clock of the operating system has steps of 10 ms."""
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 120.0
MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
SAID = {"text": "What is said to a tool, and what it says back."}
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


class Endpoint(NamedTuple):
    """What is asked. `target`: what it may cost, in ms. `theirs`: what it costs ContextForge, at two of its commits."""

    name: str
    request: bytes
    target: float | None = None
    theirs: tuple[float, float] | None = None


def request(method: str, path: str, body: Any = None, **headers: str) -> bytes:
    sent = b"" if body is None else json.dumps(body).encode()
    fields = {
        "Host": f"127.0.0.1:{PORT}",
        "Authorization": f"Bearer {world.token(0)}",
        "Content-Type": "application/json",
        "Content-Length": str(len(sent)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + sent


def rpc(method: str, **params: Any) -> bytes:
    return request("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def modern(method: str, **params: Any) -> bytes:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    named = {"Mcp_Name": params["name"]} if "name" in params else {}
    path = f"/servers/{world.server_id(0)}/mcp"
    return request("POST", path, body, Mcp_Protocol_Version=MODERN, Mcp_Method=method, **named)


ENDPOINTS = (
    Endpoint("GET /health, with a query", request("GET", "/health"), 0.5, (5.2, 8.0)),
    Endpoint("GET /tools, 50 rows", request("GET", "/tools?limit=50"), 0.5, (22.6, 35.5)),
    Endpoint("GET /servers", request("GET", "/servers"), 0.5, (31.0, 55.1)),
    Endpoint("POST /rpc tools/list, 100 tools", rpc("tools/list"), 0.5, (36.1, 73.7)),
    Endpoint(
        "POST /rpc tools/call, REST echo", rpc("tools/call", name=world.rest_tool(0), arguments=SAID), 1.5, (12.2, 83.8)
    ),
    Endpoint("POST /rpc tools/call, MCP upstream", rpc("tools/call", name=world.mcp_tool(0), arguments=SAID), 1.5),
    Endpoint(
        f"POST /servers/{{id}}/mcp tools/call, {MODERN}",
        modern("tools/call", name=world.mcp_tool(0), arguments=SAID),
        1.5,
    ),
    Endpoint(f"POST /servers/{{id}}/mcp tools/list, {MODERN}", modern("tools/list"), 0.5),
    Endpoint("POST /rpc resources/read", rpc("resources/read", uri=world.resource_uri(0))),
    Endpoint("POST /rpc prompts/get", rpc("prompts/get", name=world.prompt(0), arguments={"subject": "tea"})),
    Endpoint("GET /tools/{id}", request("GET", f"/tools/{world.tool_id(0)}")),
    Endpoint("GET /auth/email/me", request("GET", "/auth/email/me")),
    Endpoint("GET /tags", request("GET", "/tags")),
)


class Client(asyncio.Protocol):
    """Asks the same again as soon as it is answered."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.answers = 0
        self.wrong: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length or 0):
            return
        if not head.startswith(b"HTTP/1.1 200") or b'"error":' in body[:100]:
            self.wrong = self._received
        self.answers += 1
        self._received = b""
        self.transport.write(self._request)


async def ask(port: int, request: bytes, seconds: float) -> int:
    """The number of answers in so many seconds, or until there are enough. Ends the program if one is wrong."""
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Client(request), "127.0.0.1", port) for _ in range(CLIENTS)]
    until = loop.time() + seconds
    while loop.time() < until or (loop.time() < until + START_SECONDS and sum(one.answers for _, one in made) < FEWEST):
        await asyncio.sleep(0.05)
    for transport, _ in made:
        transport.abort()
    if wrong := next((client.wrong for _, client in made if client.wrong is not None), None):
        raise SystemExit(f"not an answer: {wrong[:500]!r}")
    return sum(client.answers for _, client in made)


class Measured(NamedTuple):
    """`cpu` is milliseconds of the gateway for a request."""

    rps: float
    cpu: float


def measure(endpoint: Endpoint, pid: int, seconds: float) -> Measured:
    began, before = time.perf_counter(), processor_time(pid)
    answers = uvloop.run(ask(PORT, endpoint.request, seconds))
    taken, used = time.perf_counter() - began, processor_time(pid) - before
    return Measured(answers / taken, used / answers * 1e3)


def processor_time(pid: int) -> float:
    """Seconds that a process has used, with those of the system on its behalf."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def running(environment: Mapping[str, str], output: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, cwd=HERE.parent, stdout=written, stderr=written
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def gateway() -> Iterator[int]:
    """The process of a gateway that serves at `PORT`, with all that it needs."""
    with ExitStack() as stack:
        postgres = stack.enter_context(embedded_postgres())
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        environment = {**kept, **world.SETTINGS, "DATABASE_URL": postgres.dsn}
        subprocess.run([sys.executable, "-m", "load.seed"], env=environment, cwd=HERE.parent, check=True)
        stack.enter_context(running(environment, logs / "upstream", "load.upstream"))
        serving = ("letgo_gateway", "serve", "--port", str(PORT))
        process = stack.enter_context(running(environment, logs / "gateway", *serving))
        try:
            uvloop.run(until_it_serves(process))
        except TimeoutError:
            raise SystemExit(f"the gateway does not serve:\n{(logs / 'gateway').read_text()[-2000:]}") from None
        yield process.pid


async def until_it_serves(process: "subprocess.Popen[bytes]") -> None:
    """Raises `TimeoutError`."""
    async with asyncio.timeout(START_SECONDS):
        while process.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", PORT)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
    raise TimeoutError


def table(measured: Mapping[Endpoint, Sequence[Measured]]) -> list[str]:
    lines = [
        "| endpoint | CPU ms a request | target | ContextForge, audited | times less | its newest | times less |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for endpoint, rounds in measured.items():
        cpu = median(one.cpu for one in rounds)
        target = "" if endpoint.target is None else f"{endpoint.target:.1f}"
        theirs = " | ".join(f"{one:.1f} | {one / cpu:.0f}" for one in endpoint.theirs) if endpoint.theirs else " | | | "
        lines.append(f"| {endpoint.name} | {cpu:.2f} | {target} | {theirs} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m load.cpu", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", default="", help="endpoints whose name has this in it")
    parser.add_argument("--write", type=Path, help="a page whose table is to be this one")
    given = parser.parse_args()
    chosen = [endpoint for endpoint in ENDPOINTS if given.only in endpoint.name]
    measured: dict[Endpoint, list[Measured]] = {endpoint: [] for endpoint in chosen}
    with gateway() as pid:
        for endpoint in chosen:
            measure(endpoint, pid, 1)
        for _ in range(given.rounds):
            for endpoint in chosen:
                measured[endpoint].append(measure(endpoint, pid, given.seconds))
                print(f"{endpoint.name}: {measured[endpoint][-1]}", file=sys.stderr, flush=True)
    lines = table(measured)
    print("\n".join(lines))
    if given.write is not None:
        before, _, rest = given.write.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        given.write.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")


if __name__ == "__main__":
    main()
