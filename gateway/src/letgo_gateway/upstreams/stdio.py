"""An upstream that is a process: one message a line over its standard input and output, in either era."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from collections.abc import Mapping
from typing import Any

from letgo_gateway.upstreams.calls import (
    LEGACY,
    MODERN,
    Call,
    Caller,
    Era,
    given,
    legacy_params,
    modern_params,
    with_token,
)
from letgo_gateway.upstreams.endpoints import Endpoint
from letgo_gateway.upstreams.errors import Garbage, Refused, TooSlow, Unreachable, UpstreamError
from letgo_gateway.upstreams.legacy import CLIENT, OnMessage, rank, result_of
from letgo_gateway.upstreams.messages import (
    METHOD_NOT_FOUND,
    Malformed,
    Message,
    error_response,
    notification,
    parse,
    request,
    response,
    written,
)

log = logging.getLogger(__name__)

LONGEST_LINE = 16 * 1024 * 1024
PATIENCE = 3.0
"""How long a process may take to end once its input is closed, and again once it was told to terminate."""
PROBE_TIMEOUT = 10.0
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""What a process is given of the gateway's own environment; not its secrets."""


class StdioExchange:
    """A request that a process works on."""

    def __init__(self, process: "StdioSession", call: Call, id: int, timeout: float) -> None:
        self._process, self.call, self.id, self._timeout = process, call, id, timeout
        self._inbox: asyncio.Queue[Message | Exception] = asyncio.Queue()

    async def next(self) -> Message:
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._inbox.get()
        except TimeoutError:
            self.cancel()
            raise TooSlow(f"the upstream was silent for {self._timeout:g} s") from None
        if isinstance(found, Exception):
            raise found
        if found.method == "notifications/progress" and found.param("progressToken") == self.id:
            return with_token(found, self.call) if self.call.wants_progress else found
        return found

    async def reply(self, message: bytes) -> None:
        await self._process.tell(message)

    def cancel(self) -> None:
        self._process.cancel(self.id)

    def tell(self, message: Message | Exception) -> None:
        self._inbox.put_nowait(message)


class StdioSession:
    """A running process. `about` is what it said of itself."""

    stateful = True

    def __init__(self, endpoint: Endpoint, caller: Caller, on_message: OnMessage, era: Era) -> None:
        self._endpoint, self._caller, self._on_message = endpoint, caller, on_message
        self._ids = itertools.count(1)
        self._open: dict[int, StdioExchange] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sending = asyncio.Lock()
        self._level: str | None = None
        self.era: Era = era
        self.about: Mapping[str, Any] = {}
        self.gone = asyncio.Event()
        """Set when the process has ended."""
        self.active = 0
        """Calls under way, as who makes them counts."""
        self.used = asyncio.get_running_loop().time()

    async def start(self) -> None:
        """Start the process, and find out what it speaks. Raises `UpstreamError`."""
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._endpoint.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST_LINE,
                env=environment | dict(self._endpoint.environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise Unreachable(f"{self._endpoint.command[:1]} can't be started: {error}") from error
        self._tasks = [asyncio.create_task(work) for work in (self._read(), self._log(), self._reap())]
        try:
            await self._open_session()
        except BaseException:
            await self.close()
            raise

    async def _open_session(self) -> None:
        if self.era == "modern":
            probe = await self._exchange(Call("server/discover", caller=self._caller), PROBE_TIMEOUT)
            try:
                self.about = await result_of(probe)
                if MODERN in self.about.get("supportedVersions", ()):
                    return
            except (Refused, TooSlow):
                pass  # a legacy server says no, or nothing, to a request before initialize
            self.era = "legacy"
        info = dict(self._caller.info) or CLIENT
        params = given(protocolVersion=LEGACY[0], capabilities=dict(self._caller.capabilities), clientInfo=info)
        about = await result_of(await self._exchange(Call("initialize", params), self._endpoint.timeout))
        if about.get("protocolVersion") not in LEGACY:
            raise Garbage(f"the upstream answered initialize with version {about.get('protocolVersion')!r}")
        self.about = about
        await self.tell(notification("notifications/initialized", None))

    async def exchange(self, call: Call, timeout: float | None = None) -> StdioExchange:
        self.used = asyncio.get_running_loop().time()
        if self.era == "legacy" and call.log_level is not None and "logging" in self.about.get("capabilities", {}):
            await self._let_log(call.log_level)
        return await self._exchange(call, timeout or self._endpoint.timeout)

    async def _let_log(self, level: str) -> None:
        if self._level is None or rank(level) < rank(self._level):
            self._level = level
            await self.ask("logging/setLevel", level=level)

    async def ask(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a request of the gateway's own. Raises `UpstreamError`."""
        return await result_of(await self.exchange(Call(method, given(**params), self._caller)))

    async def _exchange(self, call: Call, timeout: float) -> StdioExchange:
        id = next(self._ids)
        exchange = self._open[id] = StdioExchange(self, call, id, timeout)
        params = modern_params(call, id) if self.era == "modern" else legacy_params(call, id)
        try:
            await self.tell(request(id, call.method, params))
        except BaseException:
            self._open.pop(id, None)
            raise
        return exchange

    async def tell(self, message: bytes) -> None:
        """Send one message. Raises `Unreachable` if the process has ended."""
        if self.gone.is_set() or self._process is None or self._process.stdin is None:
            raise Unreachable("the process has ended")
        async with self._sending:
            try:
                self._process.stdin.write(message.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n")
                async with asyncio.timeout(self._endpoint.timeout):
                    await self._process.stdin.drain()
            except TimeoutError:
                raise TooSlow("the process does not read its input") from None
            except (OSError, RuntimeError) as error:  # uvloop's for a pipe that is closed
                raise Unreachable("the process has ended") from error

    def cancel(self, id: int) -> None:
        if self._open.pop(id, None) is not None and not self.gone.is_set():
            params = written(given(requestId=id, reason="the client does not wait any more"))
            self._soon(notification("notifications/cancelled", params))

    def listen(self) -> None:
        """What a process says unasked comes the same way as its answers."""

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        error: type[UpstreamError] = Unreachable
        problem = "the process ended before it had answered"
        try:
            while line := await self._process.stdout.readline():
                if line.strip():
                    self._hear(line)
        except ValueError:
            error, problem = Garbage, f"the process wrote a line longer than {LONGEST_LINE} bytes"
            log.warning("upstream %s: %s", self._endpoint.name, problem)
            self._signal(signal.SIGKILL)  # nobody reads any more what it writes
        finally:
            self.gone.set()
            for exchange in self._open.values():
                exchange.tell(error(problem))
            self._open.clear()

    async def _reap(self) -> None:
        """End what the process has started when it ends: that may hold its pipes open, and so its death unseen."""
        assert self._process is not None
        await self._process.wait()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """To the process and all that it has started."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _hear(self, line: bytes) -> None:
        try:
            message = parse(line)
        except Malformed:
            log.warning("upstream %s: a line on its standard output is no message", self._endpoint.name)
            return
        exchange = self._meant(message)
        if message.is_response:
            if exchange is not None:
                self._open.pop(exchange.id, None)
                exchange.tell(message)
        elif message.is_request and message.method == "ping":
            assert message.id is not None
            self._soon(response(message.id, "{}"))
        elif exchange is not None:
            exchange.tell(message)
        elif message.id is not None:
            self._soon(error_response(message.id, {"code": METHOD_NOT_FOUND, "message": "there is nobody to ask"}))
        else:
            self._on_message(message)

    def _meant(self, message: Message) -> StdioExchange | None:
        """The request that a message belongs to, where it says so; a question, to the last one under way."""
        if message.is_response:
            return self._open.get(message.id) if isinstance(message.id, int) else None
        if message.method == "notifications/progress":
            token = message.param("progressToken")
            return self._open.get(token) if isinstance(token, int) else None
        if (subscription := message.meta.get("io.modelcontextprotocol/subscriptionId")) is not None:
            return self._open.get(subscription) if isinstance(subscription, int) else None
        if message.is_request or message.method == "notifications/message":
            return next((found for found in reversed(self._open.values()) if found.call.method != LISTEN), None)
        return None

    async def _log(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        with contextlib.suppress(ValueError):
            while line := await self._process.stderr.readline():
                log.info("upstream %s: %s", self._endpoint.name, line.decode(errors="replace").rstrip())

    def _soon(self, message: bytes) -> None:
        async def send() -> None:
            with contextlib.suppress(Unreachable, TooSlow):
                await self.tell(message)

        task = asyncio.create_task(send())
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    async def close(self) -> None:
        """Close its input, and end it if it does not end by itself, with all it has started."""
        self.gone.set()
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self._signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._process.wait()
                    break
        self._signal(signal.SIGKILL)
        for task in list(self._tasks):
            task.cancel()


LISTEN = "subscriptions/listen"
