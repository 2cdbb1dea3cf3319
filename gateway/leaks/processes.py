"""The processes of a scene: gateways on one Postgres, upstreams, and what is left of them when all is over."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.leaks.asking import Caller, ask
from pydantic import SecretStr

from letgo_gateway.preparing import prepare
from letgo_gateway.settings import Settings

ROOT = Path(__file__).parents[2]
KEY = "a key of databases that live as long as their scene"
PASSWORD = "a password that nobody needs to keep"
LISTENING = "0A"
"""Of `/proc/net/tcp` (https://docs.kernel.org/networking/proc_net_tcp.html)."""
START_SECONDS = 120.0
"""A busy machine imports slowly."""
SETTINGS = {
    "GATEWAY_SECRET_KEY": KEY,
    "GATEWAY_ALLOWED_UPSTREAMS": "127.0.0.1",
    "GATEWAY_ARGON2_MEMORY": "64",
    "GATEWAY_ACCESS_LOG": "no",
    "GATEWAY_LOG_LEVEL": "error",
    "GATEWAY_GUARD": "raise",
    "GATEWAY_POOL_SIZE": "10",
}


def administrator(database_url: str) -> str:
    """Prepare a database; the one-time password of its administrator."""
    settings = Settings(database_url=database_url, secret_key=SecretStr(KEY), argon2_memory=64)
    made = asyncio.run(prepare(settings))
    assert made is not None, "the database was prepared before"
    return made.password


async def log_in(caller: Caller, password: str) -> None:
    """As the administrator, for the first time."""
    one_time = {"email": "admin@example.com", "password": password}
    caller.token = (await ask(caller, "POST", "/auth/login", one_time))["access_token"]
    chosen = {"old": password, "new": PASSWORD}
    caller.token = (await ask(caller, "POST", "/auth/email/change-password", chosen))["access_token"]


def connections_of(pid: int) -> int:
    """A process's connections over TCP."""
    ours = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            ours.add(str(path.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[9] in ours and row[3] != LISTENING for row in rows)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One worker. `others` are the connections of its process that are none of its own."""

    port: int
    pid: int
    others: int = 0

    @property
    def connections(self) -> int:
        """Over TCP, with clients and upstreams; not those with Postgres, which has a socket of another kind."""
        return connections_of(self.pid) - self.others

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu(self) -> float:
        """Seconds so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def running(*command: str) -> int:
    """How many processes run this command."""
    found, wanted = 0, "\0".join((*command, ""))
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += path.read_text() == wanted
    return found


@contextmanager
def gateway(database_url: str, **settings: str) -> Iterator[Gateway]:
    """A gateway of one worker, once it answers; its log goes to our standard error."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    given = {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}
    environment = {**os.environ, **SETTINGS, "DATABASE_URL": database_url, **given}
    command = [sys.executable, "-m", "letgo_gateway", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            assert process.poll() is None and time.monotonic() < deadline, "the gateway does not start"
            time.sleep(0.05)
        yield Gateway(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def http_upstreams() -> Iterator[str]:
    """The address of the upstreams over HTTP."""
    command = [sys.executable, "-m", "gateway.leaks.http_upstreams"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: when (seconds since 1970), of which path, its status (0: none), and how long it took (seconds)."""

    at: float
    path: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Hiccup:
    """A core of this machine stood still: from when (seconds since 1970), and for how long (seconds)."""

    at: float
    seconds: float

    def disturbs(self, sample: Sample) -> bool:
        """Whether it fell into the sample, or so shortly before that what had piled up was not done yet."""
        return self.at < sample.at + sample.seconds and sample.at < self.at + 2 * self.seconds


@asynccontextmanager
async def probing(port: int, token: str) -> AsyncIterator[list[Sample]]:
    """Samples of `/health` and `GET /tools` meanwhile; they are there at the end."""
    samples: list[Sample] = []
    async with _noting("gateway.leaks.probing", str(port), token) as rows:
        yield samples
    samples += [Sample(*row) for row in rows]


@asynccontextmanager
async def hiccups() -> AsyncIterator[list[Hiccup]]:
    """When cores of this machine stood still meanwhile; they are there at the end."""
    found: list[Hiccup] = []
    async with AsyncExitStack() as stack:
        of_cores = [
            await stack.enter_async_context(_noting("gateway.leaks.hiccups", str(core)))
            for core in sorted(os.sched_getaffinity(0))
        ]
        yield found
    found += [Hiccup(*row) for rows in of_cores for row in rows]


@asynccontextmanager
async def _noting(module: str, *arguments: str) -> AsyncIterator[list[Any]]:
    """What the module, run until then as a process of its own, has noted; it is there at the end."""
    noted: list[Any] = []
    command = [sys.executable, "-m", module, *arguments]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, **pipes)
    try:
        yield noted
        output, _ = await process.communicate(b"")  # closes its input
        noted += json.loads(output)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
