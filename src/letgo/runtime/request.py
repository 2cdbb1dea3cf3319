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
from asyncio.events import _get_running_loop
from contextvars import Context, ContextVar, Token
from dataclasses import dataclass
from threading import get_ident

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncSession, async_session
from sqlalchemy.orm import Session, SessionTransaction
from starlette.types import ASGIApp, Receive, Scope, Send

SCOPE_KEY = "letgo.request"
MANY = 32
_MARK = "_letgo_request"  # of a Session: which request has begun its latest transaction
current: ContextVar["Request | None"] = ContextVar("letgo_request", default=None)


@dataclass(slots=True)
class Noted:
    """A session of a request."""

    session: Session
    asynchronous: AsyncSession | None  # kept alive: without it nobody could end the transaction of the sync one
    line: object  # where it began, None once nobody else can be using it
    owed: bool  # it is still to be settled, whether it is in a transaction or not


class Request:
    """One HTTP request or WebSocket, by its ASGI `scope`.

    `stirred`: a session has been noted since `look_again` found that nothing was to be done about any. `over`: nothing
    is noted any more.
    """

    __slots__ = ("_mark", "_sessions", "over", "scope", "stirred")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.stirred = False
        self.over = False
        self._mark = object()
        self._sessions: dict[int, Noted] = {}

    def note(self, session: Session, owed: bool = False) -> None:
        if self.over:
            return
        sessions = self._sessions
        if (noted := sessions.get(id(session))) is not None:
            noted.line = _line()
        else:
            if len(sessions) >= MANY:  # a stream or a socket may live for days, with a session for each message
                for key, noted in list(sessions.items()):
                    if not noted.session.in_transaction():
                        sessions.pop(key, None)
            sessions[id(session)] = Noted(session, async_session(session), _line(), owed)
        setattr(session, _MARK, self._mark)  # Session.info would be made for this alone, at several times the cost
        self.stirred = True

    def look_again(self) -> None:
        self.stirred = False  # first: a thread may note one meanwhile
        for noted in list(self._sessions.values()):
            if noted.owed or noted.session.in_transaction():
                self.stirred = True

    def forget(self) -> None:
        """Keep nothing alive any longer: the request is over, even if tasks with its context go on.

        An idle worker thread keeps the context of what it did last, and a scope may have a session in its state.
        """
        self.over = True
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
            if getattr(noted.session, _MARK, None) is not self._mark:
                continue  # a session of a thread, as scoped_session makes them: now another request's
            if noted.line is not None:
                here = here or _line()
                if noted.line != here and not (isinstance(noted.line, asyncio.Task) and noted.line.done()):
                    continue
                noted.line = None
            owned.append(noted)
        return owned


def current_request() -> Request | None:
    return current.get()


def request_in(context: Context) -> Request | None:
    """The request whose code runs in another context, as that of a worker thread."""
    return context.get(current)


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
        self._token = current.set(request)
        return request

    def __exit__(self, *error: object) -> None:
        if self._token is not None:
            current.reset(self._token)
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
    loop = _get_running_loop()
    return (asyncio.current_task(loop) if loop is not None else None) or get_ident()


def _note(session: Session, transaction: SessionTransaction, connection: Connection | None = None) -> None:
    if (request := current.get()) is not None and not request.over:
        request.note(session)


def listen() -> None:
    """Hear of every session from now on; done once, when letgo.runtime is imported."""
    event.listen(Session, "after_transaction_create", _note)  # add() alone does no more than this
    event.listen(Session, "after_begin", _note)
