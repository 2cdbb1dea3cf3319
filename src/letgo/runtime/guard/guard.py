"""The guard as an ASGI middleware."""

import random
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from letgo.runtime.guard import connections, joined, naming, rendering, timeout, tracking
from letgo.runtime.guard.connections import raw_left
from letgo.runtime.guard.page import Access, Page
from letgo.runtime.guard.recorder import Recorder, TransactionHeld
from letgo.runtime.guard.releasing import close, give_back
from letgo.runtime.guard.settings import Settings
from letgo.runtime.guard.suspension import Driven
from letgo.runtime.guard.tracking import WATCH, Background, log
from letgo.runtime.guard.watch import Phase, Watch
from letgo.runtime.guard.watchdog import watchdog
from letgo.runtime.request import SCOPE_KEY, Request, current, entered

UNWATCHED = Request({WATCH: None})
"""Whose code runs when a request is not watched: a `Request` of its own would cost more than all else then."""
UNWATCHED.over = True


class Guard:
    """Sees which requests hold a transaction while they do something else, and says so.

    ```python
    app.add_middleware(Guard)                       # logs to `letgo.guard`, and counts
    app.add_middleware(Guard, mode="release", page="/letgo", on_finding=tell_the_team)
    ```

    The options are those of `Settings`; `page` is the path at which the guard shows what is held, to those whose
    request `access` accepts (by default, clients on this machine). Raises `ValueError` for a setting out of range.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings | None = None,
        recorder: Recorder | None = None,
        page: str | None = None,
        access: Access | None = None,
        starting: bool = True,
        **options: Any,
    ) -> None:
        self.app = app
        self.recorder = recorder or Recorder(replace(settings or Settings(), **options))
        self.settings = self.recorder.settings
        self._second = self._in_second = 0
        self.page_path = page.rstrip("/") if page is not None else None
        self.page = Page(self.recorder, access) if access is not None else Page(self.recorder)
        if starting and self.settings.mode != "off":
            start(self.recorder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or WATCH in scope or self.settings.mode == "off":
            await self.app(scope, receive, send)
        elif self.page_path is not None and _is_below(scope, self.page_path):
            await self.page(scope, receive, send)
        elif not self._passes_by():
            await self._watched(scope, receive, send)
        else:  # here, as each `await` on the way would be gone through again whenever the app goes on
            scope[WATCH] = None
            token = current.set(UNWATCHED) if SCOPE_KEY not in scope else None
            try:
                await self.app(scope, receive, send)
            finally:
                if token is not None:
                    current.reset(token)

    def _passes_by(self) -> bool:
        """Whether this request is one of those that are not watched."""
        settings = self.settings
        if settings.sample < 1 and random.random() >= settings.sample:
            return True
        if settings.rate is None or settings.mode != "observe":
            return False
        second = int(monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second > settings.rate

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch = scope[WATCH] = Watch(scope, self.recorder)
        watch.task = tracking.task_here()
        with entered(scope):
            try:
                watch.coroutine = self.app(scope, receive, _Sender(send, watch))  # type: ignore[assignment]
                await Driven(watch.coroutine, watch)  # type: ignore[arg-type]
            except BaseException as error:
                watch.error = error
                if isinstance(error, PoolTimeout):
                    _safely(self.recorder.exhausted, watch, error)
                raise
            finally:
                await self._finish(watch)
        if watch.found and self.settings.mode == "raise":
            raise TransactionHeld(tuple(watch.found), self.settings.root)

    async def _finish(self, watch: Watch) -> None:
        if watch.open:
            left = _safely(watch.abandoned) or []
            if self.settings.mode in ("raise", "release"):
                for found in left:
                    await close(found)
        if watch.raw and (raw := raw_left(watch)):
            _safely(self.recorder.raw_left, watch, raw)
        _safely(self.recorder.finished, watch)
        # No cycle is left behind: the collector would have to look at everything that the request has made.
        del watch.scope[WATCH]
        watch.finished()


class _Sender:
    """Passes messages on, and notes what is open when they go out."""

    __slots__ = ("send", "started", "watch")

    def __init__(self, send: Send, watch: Watch) -> None:
        self.send = send
        self.watch = watch
        self.started = False

    async def __call__(self, message: Message) -> None:
        watch = self.watch
        kind = message["type"]
        if kind == "http.response.start":
            watch.status = message["status"]
            if watch.open and watch.settings.mode == "release":
                await give_back(watch)
            watch.phase = Phase.STARTED
            await self.send(message)
            return
        if kind != "http.response.body":
            await self.send(message)
            return
        more = message.get("more_body", False)
        if not self.started:
            self.started = True
            if watch.open:
                _safely(watch.started, more)
            await self.send(message)
        elif more and watch.open:
            since = monotonic()
            await self.send(message)
            _safely(watch.streams, monotonic() - since, since)
        else:
            await self.send(message)
        if not more:
            watch.phase = Phase.FINISHED


def stop() -> None:
    """Follow nothing any more."""
    watchdog.stop()
    for part in (tracking, connections, joined):
        part.stop_listening()
    Background.watch = None


def start(recorder: Recorder) -> None:
    """Follow the engines of this process from now on, for this recorder also what they do outside of requests."""
    settings = recorder.settings
    tracking.listen(engines=settings.mode == "raise" or settings.idle_timeout is not None)
    if settings.idle_timeout is not None:
        timeout.listen()
    if settings.name_route:
        naming.listen()
    if settings.mode == "raise":
        connections.listen()
        joined.listen()
        rendering.listen()
    Background.watch = Watch({}, recorder)
    watchdog.start(settings.tick)


def _is_below(scope: Scope, path: str) -> bool:
    at = scope["path"]
    return scope["type"] == "http" and bool(at == path or at.startswith(f"{path}/"))


def _safely(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception:
        log.exception("the guard failed in %s; the application goes on", function.__name__)
        return None
