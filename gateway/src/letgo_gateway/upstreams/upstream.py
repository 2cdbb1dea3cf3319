"""One upstream as the gateway sees it: its era, its sessions, and what keeps its troubles from being everybody's."""

import asyncio
import contextlib
import logging
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from letgo_gateway.upstreams.calls import MODERN, Call, Caller, Era, Exchange, given
from letgo_gateway.upstreams.endpoints import Endpoint
from letgo_gateway.upstreams.errors import Busy, Garbage, Refused, SessionLost, Unreachable, UpstreamError
from letgo_gateway.upstreams.health import FIRST_PAUSE, LONGEST_PAUSE, Breaker
from letgo_gateway.upstreams.http import Http
from letgo_gateway.upstreams.legacy import CLIENT, LegacySession
from letgo_gateway.upstreams.messages import Message, dumps
from letgo_gateway.upstreams.modern import ModernUpstream
from letgo_gateway.upstreams.stdio import StdioSession

log = logging.getLogger(__name__)

MOST_CALLS = 1000
"""How many calls of one upstream may be under way on a worker; one more is refused at once."""
MOST_SESSIONS = 1000
MOST_PROCESSES = 16
IDLE_SECONDS = 600.0
FOREVER = 30 * 24 * 3600.0
GATEWAY = Caller(info=CLIENT)
CHANGES = {
    "notifications/tools/list_changed": "tools",
    "notifications/prompts/list_changed": "prompts",
    "notifications/resources/list_changed": "resources",
}
UPDATED = "notifications/resources/updated"
UNASKED = frozenset({"notifications/message", "notifications/elicitation/complete"})
"""What an upstream may say outside of all requests, and means for the client whose session it is."""

Session = LegacySession | StdioSession
Key = tuple[Era, str, str, str]
Listener = Callable[[Message], None]
Unasked = Callable[[str, Message], None]
"""Called with the session of a client, and what an upstream said in it outside of all requests."""


class Tracked:
    """An exchange that is counted as long as it is under way, and tells the breaker how it ended."""

    def __init__(self, upstream: "Upstream", exchange: Exchange, session: "Session | None") -> None:
        self._upstream, self._exchange, self._session = upstream, exchange, session
        self._over = False
        if session is not None:
            session.active += 1

    async def next(self) -> Message:
        try:
            message = await self._exchange.next()
        except UpstreamError as error:
            self._end(error)
            raise
        if message.is_response:
            self._end(None)
        return message

    async def reply(self, message: bytes) -> None:
        await self._exchange.reply(message)

    def cancel(self) -> None:
        if not self._over:
            self._exchange.cancel()
            self._leave()

    def _end(self, error: UpstreamError | None) -> None:
        if not self._over:
            self._leave()
            self._upstream.judge(error)

    def _leave(self) -> None:
        self._over = True
        self._upstream.active -= 1
        if self._session is not None:
            self._session.active -= 1
            self._session.used = asyncio.get_running_loop().time()


class Upstream:
    """Open exchanges with it by `open`, hear of changes by `watched`, of resources by `subscribed`. One per worker."""

    def __init__(self, endpoint: Endpoint, http: Http, unasked: Unasked | None = None) -> None:
        self.endpoint = endpoint
        self._unasked = unasked
        self.breaker = Breaker()
        self.active = 0
        self.era: Era | None = endpoint.only or endpoint.era
        self._both: bool | None = None if endpoint.only is None else False
        """Whether a modern upstream does `initialize` too; None while nobody has tried."""
        self.about: Mapping[str, Any] = {}
        self._http = http
        self._modern = ModernUpstream(http, endpoint) if endpoint.transport == "streamable_http" else None
        self._probing = asyncio.Lock()
        self._sessions: OrderedDict[Key, asyncio.Task[Session]] = OrderedDict()
        self._listeners: dict[Key, list[Listener]] = {}
        self._watchers: list[Callable[[str], None]] = []
        self._stateful = True
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, call: Call) -> Tracked:
        """Send a call. Raises `UpstreamError`; `Busy` and `CircuitOpen` at once, without asking the upstream."""
        self.breaker.check()
        if self.active >= MOST_CALLS:
            raise Busy(f"{MOST_CALLS} calls to the upstream {self.endpoint.name} are under way")
        self.active += 1
        try:
            return await self._open(call)
        except BaseException as error:
            self.active -= 1
            if isinstance(error, UpstreamError):
                self.judge(error)
            raise

    def judge(self, error: UpstreamError | None) -> None:
        if error is None:
            self.breaker.succeeded()
        elif error.counts:
            self.breaker.failed()

    async def _open(self, call: Call) -> Tracked:
        era = await self.speaks(call.era)
        if era == "modern" and self._modern is not None:
            return Tracked(self, await self._modern.exchange(call), None)
        session = await self._session(call.caller, era)
        try:
            exchange = await session.exchange(call)
        except SessionLost:
            # It has not done what it was asked to do, so it can be asked again.
            session = await self._session(call.caller, era)
            exchange = await session.exchange(call)
        return Tracked(self, exchange, session)

    async def speaks(self, preferred: Era | None = None) -> Era:
        """The era to speak with the upstream: the `preferred` one if it does both. Raises `UpstreamError`."""
        if self.era is None:
            async with self._probing:
                if self.era is None:
                    self.era = await self._probe()
        if self.era == "modern" and preferred == "legacy":
            if self._both is None:
                async with self._probing:
                    await self._try_legacy()
            return "legacy" if self._both else "modern"
        return self.era

    async def _try_legacy(self) -> None:
        """Find out whether a modern upstream speaks the old era as well."""
        if self._both is None:
            try:
                await self._session(GATEWAY, "legacy")
            except Unreachable:
                raise
            except UpstreamError:
                self._both = False
            else:
                self._both = True

    async def _probe(self) -> Era:
        if self._modern is None:
            session = await self._session(GATEWAY, "modern")
            assert isinstance(session, StdioSession)
            if session.era == "legacy":
                self._sessions[self._key(GATEWAY, "legacy")] = self._sessions.pop(self._key(GATEWAY, "modern"))
            return session.era
        try:
            exchange = await self._modern.exchange(Call("server/discover", caller=GATEWAY))
            try:
                while not (message := await exchange.next()).is_response:
                    pass
            finally:
                exchange.cancel()
        except Garbage:
            return "legacy"
        except Refused as error:
            if error.status in (401, 403):
                raise
            return "legacy"
        if message.result is None:
            return "legacy"
        versions = message.result.value.get("supportedVersions", ())
        if MODERN in versions:
            self.about = message.result.value
            return "modern"
        return "legacy"

    def forget_era(self) -> None:
        """Find out anew what it speaks."""
        if self.endpoint.only is None:
            self.era = self._both = None

    async def learn(self) -> Mapping[str, Any]:
        """What the upstream says of itself now: capabilities, serverInfo, instructions. Raises `UpstreamError`."""
        era = await self.speaks()
        if era == "modern" and self._modern is not None:
            self.about = await self.ask("server/discover")
        else:
            self.about = (await self._session(GATEWAY, era)).about
        return self.about

    async def still_there(self) -> None:
        """Raises `UpstreamError` if it is not."""
        await self.ask("server/discover" if await self.speaks() == "modern" else "ping")

    async def ask(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a request of the gateway's own. Raises `UpstreamError`."""
        exchange = await self.open(Call(method, given(**params), GATEWAY))
        try:
            while not (message := await exchange.next()).is_response:
                pass
        finally:
            exchange.cancel()
        if message.result is None:
            raise Refused(f"{method}: {(message.error or {}).get('message')}", 400)
        result: dict[str, Any] = message.result.value
        return result

    def _key(self, caller: Caller, era: Era) -> Key:
        """Who shares a session: all, if the upstream keeps nothing for it; else those of a user who can do the same.

        What an upstream asks a client must reach that client: one that can be asked has a session of its own.
        """
        if era == "modern":
            return era, "", "", ""
        if caller.capabilities:
            return era, caller.subject, caller.session, dumps(caller.capabilities)
        return era, (caller.subject if self._stateful else ""), "", ""

    async def _session(self, caller: Caller, era: Era) -> Session:
        key = self._key(caller, era)
        made = self._sessions.get(key)
        if made is not None and made.done() and (made.exception() is not None or made.result().gone.is_set()):
            self._drop(key)
            made = None
        if made is None:
            self._make_room()
            made = self._sessions[key] = asyncio.create_task(self._begin(caller, key))
        self._sessions.move_to_end(key)
        session = await asyncio.shield(made)
        if not session.stateful:
            self._stateful = False
        return session

    async def _begin(self, caller: Caller, key: Key) -> Session:
        def hear(message: Message) -> None:
            if message.method in CHANGES:
                self.hear_change(message)
                return
            for listener in list(self._listeners.get(key, ())):
                listener(message)
            if self._unasked is not None and key[2] and message.method in UNASKED:
                self._unasked(key[2], message)

        if self.endpoint.transport == "stdio":
            process = StdioSession(self.endpoint, caller, hear, key[0])
            await process.start()
            return process
        session = LegacySession(self._http, self.endpoint, caller, hear)
        await session.initialize()
        if caller.capabilities:
            session.listen()
        return session

    def tidy(self) -> None:
        """Close the sessions that nobody has used for a while."""
        now = asyncio.get_running_loop().time()
        for key, session in self._resting():
            if session is None or session.gone.is_set() or now - session.used > IDLE_SECONDS:
                self._drop(key)

    def _resting(self) -> list[tuple[Key, Session | None]]:
        """The sessions that nobody needs just now, the one longest unused first; None for one that failed."""
        found: list[tuple[Key, Session | None]] = []
        for key, made in self._sessions.items():
            if made.done() and key not in self._listeners:
                session = None if made.exception() is not None else made.result()
                if session is None or session.active == 0:
                    found.append((key, session))
        return found

    def _make_room(self) -> None:
        """Close sessions until there is room for one more; none in which a call is under way. Raises `Busy`."""
        most = MOST_PROCESSES if self.endpoint.transport == "stdio" else MOST_SESSIONS
        if len(self._sessions) < most:
            return
        self.tidy()
        for key, _ in self._resting():
            if len(self._sessions) >= most:
                self._drop(key)
        if len(self._sessions) >= most:
            raise Busy(f"{most} sessions with the upstream {self.endpoint.name} are in use")

    def _drop(self, key: Key) -> None:
        made = self._sessions.pop(key, None)
        if made is None:
            return
        task = asyncio.create_task(_close(made))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    @asynccontextmanager
    async def watched(self, changed: Callable[[str], None]) -> AsyncIterator[None]:
        """Call `changed` with "tools", "prompts" or "resources" whenever the upstream says that these have changed."""
        wanted = {f"{kind}ListChanged": True for kind in ("tools", "prompts", "resources") if self._announces(kind)}
        self._watchers.append(changed)
        try:
            async with self._listening(GATEWAY, self.hear_change, wanted, ()):
                yield
        finally:
            self._watchers.remove(changed)

    def hear_change(self, message: Message) -> None:
        """Take notice of a change, in whatever session or stream the upstream has told it."""
        if (kind := CHANGES.get(message.method or "")) is not None:
            for changed in list(self._watchers):
                changed(kind)

    def _announces(self, kind: str) -> bool:
        capability = self.about.get("capabilities", {}).get(kind)
        return isinstance(capability, dict) and bool(capability.get("listChanged"))

    @asynccontextmanager
    async def subscribed(
        self, caller: Caller, uris: Iterable[str], updated: Listener, preferred: Era
    ) -> AsyncIterator[None]:
        """Call `updated` with each notification about one of these resources. Raises `UpstreamError` at the start.

        `preferred` is the era in which the caller's calls are made: what they change may be told there alone.
        """
        wanted = frozenset(uris)

        def hear(message: Message) -> None:
            if message.method == UPDATED and _about(str(message.param("uri")), wanted):
                updated(message)

        async with self._listening(caller, hear, {"resourceSubscriptions": sorted(wanted)}, wanted, preferred):
            yield

    @asynccontextmanager
    async def _listening(
        self,
        caller: Caller,
        hear: Listener,
        wanted: Mapping[str, object],
        uris: Iterable[str],
        preferred: Era | None = None,
    ) -> AsyncIterator[None]:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._keep_listening(caller, hear, wanted, uris, preferred, ready))
        try:
            await ready
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep_listening(
        self,
        caller: Caller,
        hear: Listener,
        wanted: Mapping[str, object],
        uris: Iterable[str],
        preferred: Era | None,
        ready: "asyncio.Future[None]",
    ) -> None:
        """Listen until cancelled, again after each interruption; an error at the first try is the caller's."""
        pause = FIRST_PAUSE
        while True:
            try:
                if await self.speaks(preferred) == "modern":
                    await self._listen_modern(caller, hear, wanted, ready)
                else:
                    await self._listen_in_session(caller, hear, uris, ready)
                pause = FIRST_PAUSE
            except UpstreamError as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                log.info("upstream %s: listening was interrupted: %s", self.endpoint.name, error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _listen_modern(
        self, caller: Caller, hear: Listener, wanted: Mapping[str, object], ready: "asyncio.Future[None]"
    ) -> None:
        if not wanted:
            _is_ready(ready)
            await asyncio.sleep(FOREVER)
        call = Call("subscriptions/listen", given(notifications=wanted), caller)
        if self._modern is not None:
            exchange: Exchange = await self._modern.exchange(call, FOREVER)
        else:
            session = await self._session(caller, "modern")
            assert isinstance(session, StdioSession)
            exchange = await session.exchange(call, FOREVER)
        try:
            while not (message := await exchange.next()).is_response:
                if message.method == "notifications/subscriptions/acknowledged":
                    _is_ready(ready)
                else:
                    hear(message)
        finally:
            exchange.cancel()
        if message.error is not None:
            raise Refused(f"subscriptions/listen: {message.error.get('message')}", 400)

    async def _listen_in_session(
        self, caller: Caller, hear: Listener, uris: Iterable[str], ready: "asyncio.Future[None]"
    ) -> None:
        session, key = await self._session(caller, "legacy"), self._key(caller, "legacy")
        listeners = self._listeners.setdefault(key, [])
        listeners.append(hear)
        session.listen()
        try:
            for uri in uris:
                await session.ask("resources/subscribe", uri=uri)
            _is_ready(ready)
            await session.gone.wait()
        finally:
            listeners.remove(hear)
            if not listeners:
                self._listeners.pop(key, None)
            if not session.gone.is_set():
                await self._unsubscribe(session, listeners, uris)
        raise Unreachable("the session has ended")

    async def _unsubscribe(self, session: Session, others: list[Listener], uris: Iterable[str]) -> None:
        # Who else listens in this session may want these resources too; then more is told than is wanted, and dropped.
        if not others:
            for uri in uris:
                with contextlib.suppress(UpstreamError):
                    await session.ask("resources/unsubscribe", uri=uri)

    async def tell(self, session: str, message: bytes) -> None:
        """Pass on what a client has said in its session, if that has one here."""
        for key, made in list(self._sessions.items()):
            if key[2] == session and made.done() and not made.cancelled() and made.exception() is None:
                with contextlib.suppress(UpstreamError):
                    await made.result().tell(message)

    async def close(self) -> None:
        """End all sessions and processes."""
        for key in list(self._sessions):
            self._drop(key)
        if self._closing:  # to the end, whoever is cancelled meanwhile
            await asyncio.wait(self._closing)


async def _close(made: "asyncio.Task[Session]") -> None:
    if not made.done():
        made.cancel()
    with contextlib.suppress(UpstreamError, asyncio.CancelledError):
        session = await made
        await session.close()


def _is_ready(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _about(uri: str, wanted: frozenset[str]) -> bool:
    """Whether news of a resource are wanted: an upstream may speak of one below the one that was asked for."""
    return uri in wanted or any(uri.startswith(one.rstrip("/") + "/") for one in wanted)
