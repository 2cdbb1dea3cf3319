"""Which transactions are open in this process: since when, since which statement, and whether anybody uses them.

SQLAlchemy tells it through its public events. An `Open` is made at `begin` and ends with `commit`, `rollback`,
`invalidate` or the connection's way back into its pool, whichever comes first. Between two statements it is idle: that
is what a hold is made of. Only what belongs to a `Watch` is followed; the rest costs a look into a dictionary.

A session that joins a transaction begun outside the request (as test suites do, to roll everything back) gets an
`Open` of its own, from its first use to its commit, rollback or close.
"""

import logging
import sys
import threading
from asyncio import Task, current_task
from collections.abc import Callable
from functools import partial, wraps
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import Pool

from letgo.holds import Wait
from letgo.runtime.guard import frames
from letgo.runtime.guard.frames import Frame
from letgo.runtime.request import current_request

if TYPE_CHECKING:
    from letgo.runtime.guard.watch import Watch

KEY = "letgo.open"
WATCH = "letgo.watch"
"""Where a connection keeps what is open on it, and an ASGI scope who watches it."""
log = logging.getLogger("letgo.guard")
Handler = TypeVar("Handler", bound=Callable[..., None])

opened: dict[int, "Open"] = {}
"""All that is open now."""
taken: dict[int, "Taken"] = {}
"""The connections that are out of their pools now."""
engines: dict[int, "ref[Engine]"] = {}
"""The engines on which anything was opened."""


class Background:
    """The watch over what runs outside of requests, if there is one."""

    watch: "Watch | None" = None


class Taken:
    """A connection out of its pool. `at` is known only where no transaction will tell it."""

    __slots__ = ("at", "since", "watch")

    def __init__(self, watch: "Watch", at: tuple[Frame, ...]) -> None:
        self.watch = watch
        self.since = monotonic()
        self.at = at


class Open:
    """A transaction. Times are seconds of the monotonic clock; `idle` is what went by without work, up to `last`."""

    idle = 0.0
    busy = True
    again = ""
    ended = ""
    statement = ""
    statements = 0
    wrote = False
    session: "ref[Session] | None" = None
    connection: "ref[Connection] | None" = None
    engine: Engine | None = None
    handed_to: Frame | None = None
    inner: "Open | None" = None
    task: Task[Any] | None = None
    pending: Wait | None = None
    allowed = ""
    told = 0.0
    looked = 0.0

    def __init__(self, watch: "Watch", connection: Connection | None, at: tuple[Frame, ...]) -> None:
        self.watch = watch
        self.at = at
        self.began = self.last = monotonic()
        self.phase = watch.phase
        self.waits: list[Wait] = []
        self.thread = threading.get_ident()
        if self.thread == watch.thread:
            self.task = task_here()
        if connection is not None:
            self.connection = ref(connection)
            self.engine = connection.engine
        if watch.reasons:
            self.allowed = watch.reasons[-1]

    def idle_for(self, now: float) -> float:
        """Seconds since the last statement was done; 0 while one runs."""
        return 0.0 if self.busy else now - self.last


def listen() -> None:
    """Follow all engines of the process. To call it again changes nothing."""
    if event.contains(Engine, "begin", _begin):
        return
    for target, name, handler in _LISTENERS:
        event.listen(target, name, handler)


def stop_listening() -> None:
    """Follow nothing any more."""
    if event.contains(Engine, "begin", _begin):
        for target, name, handler in _LISTENERS:
            event.remove(target, name, handler)
    opened.clear()
    taken.clear()


def safely(handler: Handler) -> Handler:
    """A defect of the guard must not become one of the application: it is logged, and the guard sees less."""

    @wraps(handler)
    def guarded(*arguments: Any) -> None:
        try:
            handler(*arguments)
        except Exception:
            log.exception("the guard failed in %s; the application goes on", handler.__name__)

    guarded.__dict__.pop("__wrapped__", None)
    return guarded  # type: ignore[return-value]


def current_watch() -> "Watch | None":
    """Who watches the code that runs here."""
    request = current_request()
    if request is None:
        return Background.watch
    watch: Watch | None = request.scope.get(WATCH)
    return Background.watch if watch is not None and watch.over else watch


@safely
def _checkout(dbapi_connection: Any, record: Any, proxy: Any) -> None:
    watch = current_watch()
    if watch is not None:
        found = taken[id(record)] = Taken(watch, _raw_frames())
        watch.raw += bool(found.at)


def _forget(key: int, _: object) -> None:
    engines.pop(key, None)


def _raw_frames() -> tuple[Frame, ...]:
    """The stack, when the connection is taken past `Connection`: then no `begin` will tell it."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(10):
        if frame is None:
            break
        if frame.f_code is _CONNECTING:
            return ()
        frame = frame.f_back
    return frames.here(3)


_CONNECTING = Connection.__init__.__code__


@safely
def _begin(connection: Connection) -> None:
    watch = current_watch()
    if watch is None:
        return
    engine = connection.engine
    if id(engine) not in engines:
        engines[id(engine)] = ref(engine, partial(_forget, id(engine)))
    found = Open(watch, connection, frames.here(3))
    connection.info[KEY] = found
    opened[id(found)] = found
    watch.began(found)


@safely
def _after_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    found: Open | None = connection.info.get(KEY)
    if found is None or found.session is not None or found.ended:
        watch = current_watch()
        if watch is None or (found is not None and found.watch is watch and not found.ended):
            return
        found = _join(session, connection, watch, found)
    found.session = ref(session)
    found.watch.session_began(found, session)


def _join(session: Session, connection: Connection, watch: "Watch", outer: Open | None) -> Open:
    """What a session has open inside of a transaction that began outside of the request."""
    found = Open(watch, None, frames.here(4))
    found.engine = connection.engine
    found.busy = False
    session.info[KEY] = found
    opened[id(found)] = found
    if outer is None or outer.ended:
        connection.info[KEY] = found
    else:
        outer.inner = found
    watch.began(found)
    return found


@safely
def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None and (found := session.info.pop(KEY, None)) is not None:
        end(found, "close")


@safely
def _after_soft_rollback(session: Session, transaction: SessionTransaction) -> None:
    """A rollback of the session's own: `close()` fires none."""
    watch = current_watch()
    if watch is not None and id(session) in watch.lives:
        watch.lives[id(session)] = "rollback"


@safely
def _before_execute(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    found: Open | None = connection.info.get(KEY)
    while found is not None:
        now = monotonic()
        if not found.busy:
            found.idle += now - found.last
            found.busy = True
            if found.pending is not None:
                settle(found, now)
        found.thread = threading.get_ident()
        if not found.statements:
            found.statement = statement
        found.statements += 1
        if not found.wrote and statement[:6].upper() != "SELECT":
            found.wrote = True
        found = found.inner


@safely
def _after_execute(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    found: Open | None = connection.info.get(KEY)
    while found is not None:
        found.busy = False
        found.last = monotonic()
        found = found.inner


@safely
def _error(context: ExceptionContext) -> None:
    if context.connection is not None and not context.connection.invalidated:
        found: Open | None = context.connection.info.get(KEY)
        while found is not None:
            found.busy = False
            found.last = monotonic()
            found = found.inner


@safely
def _commit(connection: Connection) -> None:
    if (found := connection.info.pop(KEY, None)) is not None:
        end(found, "commit")


@safely
def _rollback(connection: Connection) -> None:
    if not connection.invalidated and (found := connection.info.pop(KEY, None)) is not None:
        end(found, "rollback")


@safely
def _checkin(dbapi_connection: Any, record: Any) -> None:
    taken.pop(id(record), None)
    if (found := record.info.pop(KEY, None)) is not None:
        end(found, "checkin")


@safely
def _invalidate(dbapi_connection: Any, record: Any, error: BaseException | None) -> None:
    taken.pop(id(record), None)
    if (found := record.info.pop(KEY, None)) is not None:
        found.watch.lost(found, error)
        end(found, "lost")


_LISTENERS: tuple[tuple[Any, str, Callable[..., None]], ...] = (
    (Engine, "begin", _begin),
    (Engine, "commit", _commit),
    (Engine, "rollback", _rollback),
    (Engine, "before_cursor_execute", _before_execute),
    (Engine, "after_cursor_execute", _after_execute),
    (Engine, "handle_error", _error),
    (Pool, "checkout", _checkout),
    (Pool, "checkin", _checkin),
    (Pool, "invalidate", _invalidate),
    (Session, "after_begin", _after_begin),
    (Session, "after_transaction_end", _after_transaction_end),
    (Session, "after_soft_rollback", _after_soft_rollback),
)


def end(found: Open, how: str) -> None:
    """The transaction is over."""
    if opened.pop(id(found), None) is None:
        return
    now = monotonic()
    if not found.busy:
        found.idle += now - found.last
        if found.pending is not None:
            settle(found, now)
    found.ended = how
    found.last = now
    if found.inner is not None:
        end(found.inner, how)
    found.watch.ended(found)


def settle(found: Open, now: float) -> None:
    """A wait that was seen while it lasted is over."""
    wait, found.pending = found.pending, None
    if wait is not None:
        found.watch.waited(found, wait, now - max(found.last, found.looked))


def task_here() -> Task[Any] | None:
    try:
        return current_task()
    except RuntimeError:
        return None
