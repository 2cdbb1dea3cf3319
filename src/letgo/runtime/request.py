"""What one request has opened: the notion of "this request" that letting go and the guard share.

`RequestLayer` is a pure ASGI layer. For each HTTP request and WebSocket it makes one `Request`, and every ORM session
that begins a transaction while code of that request runs is noted there, whoever made it and wherever it is kept.

```python
app = RequestLayer(app)     # as often as one likes: the outermost makes the request, the others share it
current_request()           # the Request whose code runs here, or None
request.sessions()          # the sessions in which a transaction began, the oldest first; AsyncSession as its sync one
request.owned()             # of these, the ones that nobody but the caller can be using at this moment, as `Noted`
```

"Code of that request" is what inherits its context: dependencies, sync and async endpoints, streams, background tasks,
`create_task`, `asyncio.to_thread`. A bare `threading.Thread` or `loop.run_in_executor` does not.
"""

import asyncio
import threading
from contextvars import Context, ContextVar, Token
from dataclasses import dataclass

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncSession, async_session
from sqlalchemy.orm import Session, SessionTransaction
from starlette.types import ASGIApp, Receive, Scope, Send

SCOPE_KEY = "letgo.request"
MANY = 32
_MARK = "letgo.request"  # in Session.info: which request has begun its latest transaction
_current: ContextVar["Request | None"] = ContextVar("letgo_request", default=None)


@dataclass(slots=True)
class Noted:
    """A session of a request."""

    session: Session
    asynchronous: AsyncSession | None  # kept alive: without it nobody could end the transaction of the sync one
    line: object  # where it began, None once nobody else can be using it


class Request:
    """One HTTP request or WebSocket, by its ASGI `scope`."""

    __slots__ = ("_mark", "_over", "_sessions", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._over = False
        self._mark = object()
        self._sessions: dict[int, Noted] = {}

    def note(self, session: Session) -> None:
        if self._over:
            return
        if (noted := self._sessions.get(id(session))) is not None:
            noted.line = _line()
            session.info[_MARK] = self._mark
            return
        if len(self._sessions) >= MANY:  # a stream or a socket may live for days, with a session for each message
            for key, noted in list(self._sessions.items()):
                if not noted.session.in_transaction():
                    self._sessions.pop(key, None)
        self._sessions[id(session)] = Noted(session, async_session(session), _line())
        session.info[_MARK] = self._mark

    def forget(self) -> None:
        """Keep nothing alive any longer: the request is over, even if tasks with its context go on.

        An idle worker thread keeps the context of what it did last, and a scope may have a session in its state.
        """
        self._over = True
        self._sessions.clear()
        self.scope = {}

    def sessions(self) -> list[Session]:
        return [noted.session for noted in list(self._sessions.values())]

    def owned(self) -> list[Noted]:
        """The sessions whose transaction began in the task or thread that asks, or in one that has come to its end.

        The parts of a request run one after the other, in whatever threads, and each asks at its end. A task or thread
        that the application started beside them may be in the middle of a statement now.
        """
        here: object = None
        owned = []
        for noted in list(self._sessions.values()):
            if noted.session.info.get(_MARK) is not self._mark:
                continue  # a session of a thread, as scoped_session makes them: now another request's
            if noted.line is not None:
                here = here or _line()
                if noted.line != here and not (isinstance(noted.line, asyncio.Task) and noted.line.done()):
                    continue
                noted.line = None
            owned.append(noted)
        return owned


def current_request() -> Request | None:
    return _current.get()


def request_in(context: Context) -> Request | None:
    """The request whose code runs in another context, as that of a worker thread."""
    return context.get(_current)


class entered:
    """Run what is inside as code of the request with this `scope`, made now unless a layer further out has.

    A class, as a generator would cost each request several times as much.
    """

    __slots__ = ("_scope", "_token")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._token: Token[Request | None] | None = None

    def __enter__(self) -> Request:
        scope = self._scope
        if (shared := scope.get(SCOPE_KEY)) is not None:
            found: Request = shared
            return found
        request = scope[SCOPE_KEY] = Request(scope)
        self._token = _current.set(request)
        return request

    def __exit__(self, *error: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
            # Scope and request know each other: left so, all that a request has made waits for the cyclic collector.
            self._scope.pop(SCOPE_KEY).forget()


class RequestLayer:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        with entered(scope):
            await self.app(scope, receive, send)


def _line() -> object:
    """What runs one step after the other: the current task, or outside a loop the thread."""
    try:
        return asyncio.current_task() or threading.get_ident()
    except RuntimeError:
        return threading.get_ident()


def _note(session: Session, transaction: SessionTransaction, connection: Connection | None = None) -> None:
    if (request := _current.get()) is not None:
        request.note(session)


def listen() -> None:
    """Hear of every session from now on; done once, when letgo.runtime is imported."""
    event.listen(Session, "after_transaction_create", _note)  # add() alone does no more than this
    event.listen(Session, "after_begin", _note)
