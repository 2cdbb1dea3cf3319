"""What the guard keeps of one request, from its first byte to its last: what is open, how far it is, what was found."""

import threading
from asyncio import Task
from collections.abc import Coroutine
from enum import IntEnum
from time import monotonic
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from starlette.types import Scope

from letgo.holds import Site, Wait, WaitKind
from letgo.runtime.guard.frames import OURS, Frame, here, live_frames, site_of, whose
from letgo.runtime.guard.judging import Seen, judge, judge_nested, judge_orphan, judge_reuse, when_started
from letgo.runtime.guard.recorder import Recorder
from letgo.runtime.guard.routes import Handler, handler_of, route_of
from letgo.runtime.guard.tracking import Open


class Phase(IntEnum):
    """How far a request is. A background task runs when its response is finished."""

    HANDLER = 0
    STARTED = 1
    FINISHED = 2


class Watch:
    """One request, or with an empty scope all that runs outside of requests."""

    phase = Phase.HANDLER
    status = 0
    error: BaseException | None = None
    over = False
    task: Task[Any] | None = None
    coroutine: Coroutine[Any, Any, Any] | None = None
    idle = 0.0
    transactions = 0
    _handler: Handler | None = None
    _route = ""

    def __init__(self, scope: Scope, recorder: Recorder) -> None:
        self.scope = scope
        self.recorder = recorder
        self.settings = recorder.settings
        self.thread = threading.get_ident()
        self.open: dict[int, Open] = {}
        self.lives: dict[int, str] = {}
        self.reasons: list[str] = []
        self.found: list[Seen] = []
        self.raw = 0

    @property
    def in_request(self) -> bool:
        return bool(self.scope)

    def handler(self) -> Handler | None:
        """The endpoint, when the request has reached one."""
        if self._handler is None:
            self._handler = handler_of(self.scope, self.settings.root)
        return self._handler

    def route(self) -> str:
        """The method and the template of the route, or what stands for them outside of requests."""
        return self._route or (route_of(self.scope) if self.scope else "outside of a request")

    def finished(self) -> None:
        """The request is over. What it has left open is remembered with this watch, so that must keep nothing alive.

        A scope may have the very session in its state that only the garbage collector is going to end.
        """
        if self.open:
            self.handler()
            self._route = self.route()
        self.over = True
        self.scope = {"type": self.scope["type"]}
        self.error = self.coroutine = self.task = None

    def site(self) -> Site:
        handler = self.handler()
        return handler.site if handler is not None else Site("<unknown>", 1, "<unknown>")

    def place_of(self, found: Open) -> str:
        """Where a transaction was opened: `app/api.py:41`."""
        if not found.at:
            return "(not in the application's code)"
        site = site_of(found.at[0], self.settings.root)
        return f"{site.path}:{site.line}"

    def opening_of(self, found: Open) -> str:
        """The stack at the opening, the innermost frame first."""
        sites = [site_of(frame, self.settings.root) for frame in found.at[:8]]
        return "\n".join(f"      {site.path}:{site.line} in {site.function}" for site in sites)

    # What the tracker tells.

    def began(self, found: Open) -> None:
        if self.open and self.scope and not found.allowed:
            first = next((other for other in self.open.values() if other.engine is found.engine), None)
            if first is not None:
                judge_nested(self, found, first)
        self.open[id(found)] = found
        self.transactions += 1

    def session_began(self, found: Open, session: Session) -> None:
        if self.lives:
            found.again = self.lives.get(id(session), "")
        if self.phase:
            found.handed_to = _function_given(session)
        if found.again == "close" and self.phase is Phase.HANDLER and not found.allowed:
            judge_reuse(self, found)

    def waited(self, found: Open, wait: Wait, seconds: float) -> None:
        """A wait is over: it took `seconds` in which the transaction did nothing."""
        if self.reasons or found.allowed or seconds < self.settings.wait:
            return
        self.noted(found, wait, seconds)

    def noted(self, found: Open, wait: Wait, seconds: float) -> None:
        """Keep a wait of a transaction; the same one in the same place becomes longer."""
        for at, known in enumerate(found.waits):
            if (known.site, known.what, known.kind) == (wait.site, wait.what, wait.kind):
                found.waits[at] = Wait(wait.kind, wait.what, wait.site, wait.via, (known.seconds or 0.0) + seconds)
                return
        if len(found.waits) < self.settings.most_waits:
            found.waits.append(Wait(wait.kind, wait.what, wait.site, wait.via, seconds))

    def lost(self, found: Open, error: BaseException | None) -> None:
        self.recorder.lost(self, found, error)

    def ended(self, found: Open) -> None:
        self.open.pop(id(found), None)
        self.idle += found.idle
        if found.session is not None and self.scope and not self.over:
            self.lives[id(found.session())] = "commit" if found.ended == "commit" else "close"
        if found.told:
            self.recorder.let_go(self, found)
        if found.handed_to is not None and found.phase is Phase.FINISHED and self.scope and not found.allowed:
            site = site_of(found.handed_to, self.settings.root)
            found.waits.append(Wait(WaitKind.TASK, site.function, site, (), found.last - found.began))
        if found.ended == "collected" and self.scope and not found.allowed:
            judge_orphan(self, found)
        elif found.waits:
            judge(self, found, here(3))

    # What the response tells.

    def idle_now(self) -> list[Open]:
        return [found for found in list(self.open.values()) if not found.allowed]

    def started(self, streamed: bool) -> None:
        """The first bytes of the response go out."""
        now = monotonic()
        if not self.reasons:
            for found in self.idle_now():
                if streamed or found.phase is Phase.HANDLER:
                    when_started(self, found, streamed, max(0.0, now - found.last))

    def streams(self, seconds: float, since: float) -> None:
        """A part of the body went out, which took the client `seconds` since a moment."""
        if not self.reasons:
            for found in self.idle_now():
                when_started(self, found, True, seconds if found.last <= since else monotonic() - found.last)

    def orphans(self) -> list[Open]:
        """What the request has left open: all but what a task of its own still works with."""
        return [found for found in list(self.open.values()) if not (found.busy or _alive(found, self.task))]

    def abandoned(self) -> list[Open]:
        """As `orphans`, told. What a session has joined is not the request's to end: only its waits are told."""
        orphans = [found for found in self.orphans() if not found.allowed]
        for found in orphans:
            if found.connection is not None:
                judge_orphan(self, found)
            elif found.waits:
                judge(self, found, ())
                found.waits.clear()
        return [found for found in orphans if found.connection is not None]


def _alive(found: Open, request_task: "Task[Any] | None") -> bool:
    return found.task is not None and found.task is not request_task and not found.task.done()


def _function_given(session: Session) -> Frame | None:
    """The outermost function of the application, of those that run here, that got the session as an argument."""
    given: Frame | None = None
    for frame in live_frames(4):
        code = frame.f_code
        if whose(code.co_filename) == OURS:
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            values = frame.f_locals
            if any(_is(values.get(name), session) for name in names):
                given = code, frame.f_lasti
    return given


def _is(value: object, session: Session) -> bool:
    return value is session or (isinstance(value, AsyncSession) and value.sync_session is session)
