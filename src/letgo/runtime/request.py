"""What one request has opened: the notion of "this request" that letting go and the guard share.

`RequestLayer` is a pure ASGI layer. For each HTTP request and WebSocket it makes one `Request`, and every ORM session
that begins a transaction while code of that request runs is noted there, whoever made it and wherever it is kept.

```python
app = RequestLayer(app)     # as often as one likes: the outermost makes the request, the others share it
current_request()           # the Request whose code runs here, or None
request.sessions()          # the sessions in which a transaction began, the oldest first; AsyncSession as its sync one
```

"Code of that request" is what inherits its context: dependencies, sync and async endpoints, streams, background tasks,
`create_task`, `asyncio.to_thread`. A bare `threading.Thread` or `loop.run_in_executor` does not.
"""

from contextvars import ContextVar

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, SessionTransaction
from starlette.types import ASGIApp, Receive, Scope, Send

SCOPE_KEY = "letgo.request"
_current: ContextVar["Request | None"] = ContextVar("letgo_request", default=None)


class Request:
    """One HTTP request or WebSocket, by its ASGI `scope`."""

    __slots__ = ("_sessions", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._sessions: dict[int, Session] = {}

    def note(self, session: Session) -> None:
        self._sessions[id(session)] = session

    def forget(self) -> None:
        """Keep no session alive any longer: the request is over, even if tasks with its context go on."""
        self._sessions.clear()

    def sessions(self) -> list[Session]:
        return list(self._sessions.values())


def current_request() -> Request | None:
    return _current.get()


class RequestLayer:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        if not event.contains(Session, "after_begin", _note):
            event.listen(Session, "after_begin", _note)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or SCOPE_KEY in scope:
            await self.app(scope, receive, send)
            return
        request = scope[SCOPE_KEY] = Request(scope)
        token = _current.set(request)
        try:
            await self.app(scope, receive, send)
        finally:
            _current.reset(token)
            request.forget()


def _note(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if (request := _current.get()) is not None:
        request.note(session)
