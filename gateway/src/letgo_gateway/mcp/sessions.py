"""The sessions of legacy clients.

The id of a session carries, signed, all that has to be known of it, so that each worker and host understands it without
asking anybody. What comes and goes with a session (its stream, its log level, its subscriptions) is kept by the worker
that it came to, and told to the others by the relay.
"""

import asyncio
import base64
import hmac
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from letgo_gateway.mcp.relay import Relay
from letgo_gateway.mcp.streams import Stream
from letgo_gateway.upstreams.messages import Id, Message, dumps, parse

SESSION_SECONDS = 24 * 3600
MOST_KNOWN = 20_000
LONGEST_ID = 6000
CLOSE_SECONDS = 3.0
"""How long upstreams may take to be told that nobody wants to hear of their resources any more."""


@dataclass(frozen=True, slots=True)
class ClientSession:
    """What was agreed on in `initialize`. `key` names it among workers; `text` is the id that the client knows."""

    key: str
    text: str
    subject: str
    server: str | None
    version: str
    capabilities: Mapping[str, Any]
    info: Mapping[str, Any]
    expires: float


@dataclass(slots=True)
class Here:
    """What this worker keeps of a session. `unasked` is the stream of what the client is told unasked."""

    unasked: Stream | None = None
    subscriptions: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    questions: dict[Id, "asyncio.Future[Message]"] = field(default_factory=dict)
    running: dict[Id, "asyncio.Task[Any]"] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not (self.unasked or self.subscriptions or self.questions or self.running)


class Sessions:
    """The sessions of this worker. `secret` signs their ids; it is the same on all workers."""

    def __init__(self, secret: bytes, relay: Relay) -> None:
        self._secret = hmac.digest(secret, b"sessions of the Model Context Protocol", "sha256")
        self._relay = relay
        self._known: OrderedDict[str, ClientSession] = OrderedDict()
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._here: dict[str, Here] = {}
        self._levels: OrderedDict[str, str] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()
        relay.on("ended", lambda told: self._end(told["session"]))
        relay.on("level", lambda told: self._set_level(told["session"], told["level"]))
        relay.on("answer", lambda told: self._take(told["session"], parse(told["message"])))
        relay.on("cancelled", lambda told: self._cancel(told["session"], told["request"]))
        relay.on("unsubscribed", lambda told: self._unsubscribe(told["session"], told["uri"]))
        relay.on("mail", lambda told: self._post(told["session"], told["message"].encode()))

    def begin(
        self,
        subject: str,
        server: str | None,
        version: str,
        capabilities: Mapping[str, Any],
        info: Mapping[str, Any],
    ) -> ClientSession:
        """A new session. Raises `ValueError` if its id would be longer than a header should be."""
        key, expires = secrets.token_urlsafe(12), time.time() + SESSION_SECONDS
        said = dumps([key, subject, server, version, capabilities, info, int(expires)])
        text = base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")
        text = f"{text}.{self._signature(text)}"
        if len(text) > LONGEST_ID:
            raise ValueError("what the client says of itself is too long")
        session = ClientSession(key, text, subject, server, version, dict(capabilities), dict(info), expires)
        self._keep(session)
        return session

    def find(self, text: str, subject: str, server: str | None) -> ClientSession | None:
        """The session with this id, if there is one, and it is this client's."""
        session = self._known.get(text) or self._read(text)
        if session is None or session.key in self._ended or session.expires < time.time():
            return None
        return session if (session.subject, session.server) == (subject, server) else None

    def _read(self, text: str) -> ClientSession | None:
        said, _, signature = text.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(said).encode()):
            return None
        padded = said + "=" * (-len(said) % 4)
        key, subject, server, version, capabilities, info, expires = json.loads(base64.urlsafe_b64decode(padded))
        session = ClientSession(key, text, subject, server, version, capabilities, info, expires)
        self._keep(session)
        return session

    def _keep(self, session: ClientSession) -> None:
        self._known[session.text] = session
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def _signature(self, text: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._secret, text.encode(), "sha256")[:18]).decode()

    def here(self, session: ClientSession) -> Here:
        return self._here.setdefault(session.key, Here())

    def level(self, key: str) -> str | None:
        """From which level on the client wants to hear what is logged; None if it has not said."""
        return self._levels.get(key)

    def tidy(self, session: ClientSession) -> None:
        """Forget what is kept of a session if that is nothing."""
        here = self._here.get(session.key)
        if here is not None and here.empty:
            del self._here[session.key]

    async def end(self, session: ClientSession) -> None:
        self._end(session.key)
        await self._relay.tell("ended", session=session.key)

    def _end(self, key: str) -> None:
        self._ended[key] = time.time()
        while self._ended and next(iter(self._ended.values())) < time.time() - SESSION_SECONDS:
            self._ended.popitem(last=False)
        here = self._here.pop(key, None)
        if here is None:
            return
        if here.unasked is not None:
            here.unasked.end()
        running, here.running = here.running, {}
        for task in (*here.subscriptions.values(), *running.values()):
            task.cancel()

    async def set_level(self, session: ClientSession, level: str) -> None:
        self._set_level(session.key, level)
        await self._relay.tell("level", session=session.key, level=level)

    def _set_level(self, key: str, level: str) -> None:
        self._levels[key] = level
        if len(self._levels) > MOST_KNOWN:
            self._levels.popitem(last=False)

    async def answer(self, session: ClientSession, message: Message, text: str) -> None:
        """Take the client's answer to a question, or have the worker take it that has asked."""
        if not self._take(session.key, message):
            await self._relay.tell("answer", session=session.key, message=text)

    def _take(self, key: str, message: Message) -> bool:
        here = self._here.get(key)
        question = here.questions.pop(message.id, None) if here and message.id is not None else None
        if question is None or question.done():
            return False
        question.set_result(message)
        return True

    async def cancel(self, session: ClientSession, request: Id) -> None:
        if not self._cancel(session.key, request):
            await self._relay.tell("cancelled", session=session.key, request=request)

    def _cancel(self, key: str, request: Id) -> bool:
        here = self._here.get(key)
        running = here.running.pop(request, None) if here else None
        if running is not None:
            running.cancel()
        return running is not None

    async def unsubscribe(self, session: ClientSession, uri: str) -> None:
        if not self._unsubscribe(session.key, uri):
            await self._relay.tell("unsubscribed", session=session.key, uri=uri)

    def _unsubscribe(self, key: str, uri: str) -> bool:
        here = self._here.get(key)
        task = here.subscriptions.pop(uri, None) if here else None
        if task is not None:
            task.cancel()
        return task is not None

    def post(self, key: str, message: bytes) -> None:
        """Put a message into the stream of a client, on whatever worker that is."""
        if not self._post(key, message):
            self._soon(self._relay.tell("mail", session=key, message=message.decode()))

    def _soon(self, telling: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _post(self, key: str, message: bytes) -> bool:
        here = self._here.get(key)
        if here is None or here.unasked is None or here.unasked.over:
            return False
        here.unasked.add(message)
        return True

    async def close(self) -> None:
        """End what is kept of all sessions; the sessions themselves go on, here or elsewhere."""
        ended: list[asyncio.Task[Any]] = []
        for here in list(self._here.values()):
            if here.unasked is not None:
                here.unasked.end()
            ended += [*here.subscriptions.values(), *here.running.values()]
        self._here.clear()
        for task in ended:
            task.cancel()
        if ended:
            await asyncio.wait(ended, timeout=CLOSE_SECONDS)
