"""Many calls of upstreams that are slow or have troubles, and many open streams: what does it do to all else?"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.leaks.asking import PATIENCE, Caller, ask, call_tool, stream, tools_of
from gateway.leaks.processes import Gateway, Hiccup, Sample, hiccups, probing, running

from letgo.prove.sampler import Sampler

STDIO = Path(__file__).with_name("stdio_upstream.py")
TRANSPORTS = ("json", "sse", "stdio", "rest")
PERIOD = 4.0
"""Seconds from a call to the next of the same caller, or as long as the call takes."""
TIMEOUT = 2.0
"""After which an upstream with troubles is given up; a slow one has time."""
QUIET_SECONDS = 90.0
OPENED_TOGETHER = 20
SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Load:
    """How much of it. `ramp`: the seconds over which all of it comes and goes; 0: in one instant."""

    calls: int = 500
    streams: int = 500
    seconds: float = 20.0
    ramp: float = PERIOD


@dataclass(frozen=True, slots=True)
class Left:
    """What is there when all is over and a while has gone by."""

    connections: int
    transactions: int
    processes: int
    memory: int


@dataclass(slots=True)
class Seen:
    """What a scene was like.

    `ends` counts how calls of each tool ended: "done", "error" (as the protocol says it), "no answer" or a status;
    `errors` are what was said.
    `oldest`: seconds that a transaction had been open which was idle, None where there is no Postgres to see it.
    """

    probes: list[Sample] = field(default_factory=list)
    hiccups: list[Hiccup] = field(default_factory=list)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    errors: dict[str, set[str]] = field(default_factory=dict)
    streams: int = 0
    oldest: float | None = None
    database_connections: int = 0
    cpu: float = 0.0
    before: Left | None = None
    left: Left | None = None

    def took(self, path: str) -> list[float]:
        """Seconds that each answer took, in order of length."""
        return sorted(sample.seconds for sample in self.probes if sample.path == path)

    def took_undisturbed(self, path: str) -> list[float]:
        """The same, of those answers during which the machine did not stand still."""
        return sorted(
            sample.seconds
            for sample in self.probes
            if sample.path == path and not any(hiccup.disturbs(sample) for hiccup in self.hiccups)
        )

    def ended(self, end: str) -> int:
        return sum(count for (_, one), count in self.ends.items() if one == end)

    @property
    def unexpected(self) -> dict[tuple[str, str], int]:
        """Calls that ended as those of such an upstream must not. Text that a REST endpoint sends is no nonsense."""
        return {
            (tool, end): count
            for (tool, end), count in self.ends.items()
            if end != ("done" if tool.startswith("slow") else "error") and (tool, end) != ("garbage_rest", "done")
        }

    @property
    def failed(self) -> int:
        """Probes that were not answered with 200."""
        return sum(sample.status != 200 for sample in self.probes)


async def register(caller: Caller, behaviour: str, address: str) -> list[str]:
    """Upstreams of this behaviour, one for each transport; the names of their tools once they are known."""
    timeout = PATIENCE if behaviour == "slow" else TIMEOUT
    for transport in ("json", "sse"):
        url = f"{address}/{behaviour}/{transport}/mcp"
        body = {"name": f"{behaviour}-{transport}", "url": url, "timeout": timeout}
        await ask(caller, "POST", "/gateways", body)
    command = [sys.executable, str(STDIO), behaviour, child_of(caller)]
    body = {"name": f"{behaviour}-stdio", "transport": "stdio", "command": command, "timeout": timeout}
    await ask(caller, "POST", "/gateways", body)
    rest = {"name": f"{behaviour}_rest", "url": f"{address}/{behaviour}/rest", "method": "POST", "timeout": timeout}
    await ask(caller, "POST", "/tools", rest)
    names = [f"{behaviour}_{transport}" for transport in TRANSPORTS]
    async with asyncio.timeout(PATIENCE):
        while not await tools_of(caller) >= set(names):
            await asyncio.sleep(0.1)
    return names


def child_of(caller: Caller) -> str:
    """How long a child of a process of this gateway would sleep: no other's does."""
    return str(1_000_000 + caller.port)


async def trouble(gateway: Gateway, caller: Caller, dsn: str | None, tools: Sequence[str], load: Load) -> Seen:
    """Call these tools in turn, with all streams open, and watch the gateway and its Postgres (if any) meanwhile."""
    assert caller.token is not None
    seen = Seen()
    caller.close()
    seen.before = await left(gateway, caller, dsn)
    used = gateway.cpu
    with sampling(dsn, seen):
        async with hiccups() as seen.hiccups, probing(gateway.port, caller.token) as seen.probes:
            async with streams(caller, load) as seen.streams:
                await calls(caller, tools, load, seen)
            seen.cpu = gateway.cpu - used
    # The gateway asks its upstreams now and then whether they are there: what stays is what is never gone.
    deadline, fewest = time.monotonic() + QUIET_SECONDS, gateway.connections
    while fewest and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        fewest = min(fewest, gateway.connections)
    seen.left = replace(await left(gateway, caller, dsn), connections=fewest)
    return seen


@contextmanager
def sampling(dsn: str | None, seen: Seen) -> Iterator[None]:
    """Note what Postgres saw meanwhile."""
    if dsn is None:
        yield
        return
    with Sampler(dsn) as sampler:
        yield
    seen.oldest = max(sample.oldest_transaction for sample in sampler.seen.samples)
    seen.database_connections = max(sample.total for sample in sampler.seen.samples)


async def left(gateway: Gateway, caller: Caller, dsn: str | None) -> Left:
    transactions = 0
    if dsn is not None:
        with Sampler(dsn) as sampler:
            # The gateway itself asks for changes now and then: what stays is there in all of them.
            while len(sampler.seen.samples) < SAMPLES:
                await asyncio.sleep(0.05)
        transactions = min(sample.idle for sample in sampler.seen.samples)
    return Left(gateway.connections, transactions, running("sleep", child_of(caller)), gateway.memory)


@asynccontextmanager
async def streams(caller: Caller, load: Load) -> AsyncIterator[int]:
    """How many streams are open meanwhile."""
    together = asyncio.Semaphore(load.streams if load.ramp == 0 else OPENED_TOGETHER)
    ended, opened = asyncio.Event(), asyncio.Semaphore(0)

    async def one(number: int) -> None:
        async with AsyncExitStack() as stack:
            async with together:
                await stack.enter_async_context(stream(caller))
            opened.release()
            await ended.wait()
            await asyncio.sleep(load.ramp * number / load.streams)

    tasks = [asyncio.create_task(one(number)) for number in range(load.streams)]
    for _ in tasks:
        await opened.acquire()
    try:
        yield len(tasks)
    finally:
        ended.set()
        await asyncio.gather(*tasks)


async def calls(caller: Caller, tools: Sequence[str], load: Load, seen: Seen) -> None:
    """`load.calls` callers, each with a connection of its own and one call under way."""
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def one(number: int) -> None:
        own, tool = Caller(caller.port, caller.token), tools[number % len(tools)]
        due = begun + load.ramp * number / load.calls
        try:
            while due < begun + load.seconds:
                await asyncio.sleep(due - loop.time())
                end, said = await end_of(own, tool)
                seen.ends[tool, end] += 1
                seen.errors.setdefault(tool, set()).add(said)
                due = max(due + PERIOD, loop.time())
        finally:
            own.close()

    async with asyncio.TaskGroup() as group:
        for number in range(load.calls):
            group.create_task(one(number))


async def end_of(caller: Caller, tool: str) -> tuple[str, str]:
    """How a call ended, and what was said of it."""
    try:
        response = await call_tool(caller, tool)
    except (OSError, EOFError) as error:
        return "no answer", str(error)
    if response.status != 200:
        return str(response.status), response.body.decode()
    said = response.json()
    if "error" in said:
        return "error", said["error"]["message"]
    failed = said["result"].get("isError")
    return "error" if failed else "done", said["result"]["content"][0]["text"] if failed else ""
