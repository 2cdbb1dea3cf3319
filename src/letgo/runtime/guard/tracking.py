"""Which transactions are open in this process: since when, since which statement, and whether anybody uses them.

SQLAlchemy tells it through its public events. An `Open` is made at `begin` and ends with `commit`, `rollback`,
`invalidate` or with its connection, whichever comes first. Between two statements it is idle: that is what a hold is
made of. Only what belongs to a `Watch` is followed; the rest costs a look into a dictionary.

Six events are enough for that, and each is paid for by every request. Who counts connections or runs tests listens to
more: which connections are taken at all, and what a session has open that joins a transaction begun outside the
request, as in test suites that roll everything back. That gets an `Open` of its own, from its first use to its end.
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
from letgo.runtime.guard.frames import Frame, here
from letgo.runtime.request import current_request

if TYPE_CHECKING:
    from letgo.runtime.guard.watch import Watch

WATCH = "letgo.watch"
"""Where an ASGI scope keeps who watches it."""
log = logging.getLogger("letgo.guard")
Handler = TypeVar("Handler", bound=Callable[..., None])

opened: dict[int, "Open"] = {}
"""All that is open now."""
_by_connection: dict[int, "Open"] = {}
"""The same, by the identity of the `Connection`."""
_joined: dict[int, "Open"] = {}
"""By the identity of the session, what it has open inside of a transaction that is not its own."""
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


class Reference(ref[Connection]):
    """A connection with the key under which it is known, for when it is there no more."""

    __slots__ = ("key",)
    key: int


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
    connection: Reference | None = None
    engine: Engine | None = None
    handed_to: Frame | None = None
    inner: "Open | None" = None
    task: Task[Any] | None = None
    pending: Wait | None = None
    allowed = ""
    told = 0.0
    looked = 0.0
    lowered = False
    key = 0

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
            self.key = id(connection)
            self.connection = Reference(connection, _gone)
            self.connection.key = self.key
            self.engine = connection.engine
        if watch.reasons:
            self.allowed = watch.reasons[-1]

    def idle_for(self, now: float) -> float:
        """Seconds since the last statement was done; 0 while one runs."""
        return 0.0 if self.busy else now - self.last


def listen(more: bool = False) -> None:
    """Follow all engines of the process; with `more`, their connections and joined sessions as well.

    To call it again changes nothing.
    """
    for target, name, handler in (*_LISTENERS, *_MORE) if more else _LISTENERS:
        if not event.contains(target, name, handler):
            event.listen(target, name, handler)


def stop_listening() -> None:
    """Follow nothing any more."""
    for target, name, handler in (*_LISTENERS, *_MORE):
        if event.contains(target, name, handler):
            event.remove(target, name, handler)
    for known in (opened, taken, _by_connection, _joined):
        known.clear()


def safely(handler: Handler) -> Handler:
    """A defect of the guard must not become one of the application: it is logged, and the guard sees less."""

    @wraps(handler)
    def guarded(*arguments: Any) -> None:
        try:
            handler(*arguments)
        except Exception:
            failed(handler.__name__)

    guarded.__dict__.pop("__wrapped__", None)
    return guarded  # type: ignore[return-value]


def failed(where: str) -> None:
    """Log what is being handled: a defect of the guard."""
    log.exception("the guard failed in %s; the application goes on", where)


def current_watch() -> "Watch | None":
    """Who watches the code that runs here."""
    request = current_request()
    if request is None:
        return Background.watch
    watch: Watch | None = request.scope.get(WATCH, Background.watch)
    return watch


def open_on(connection: Connection) -> Open | None:
    """What is open on a connection, if it is watched."""
    return _by_connection.get(id(connection))


def _forget(key: int, _: object) -> None:
    engines.pop(key, None)


def _begin(connection: Connection) -> None:
    watch = current_watch()
    if watch is None:
        return
    try:
        engine = connection.engine
        if id(engine) not in engines:
            engines[id(engine)] = ref(engine, partial(_forget, id(engine)))
        found = Open(watch, connection, here(2))
        _by_connection[found.key] = found
        opened[id(found)] = found
        watch.began(found)
    except Exception:
        failed("begin")


def _after_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    try:
        found = _by_connection.get(id(connection))
        if found is not None and found.session is None:
            found.session = ref(session)
            found.watch.session_began(found, session)
    except Exception:
        failed("after_begin")


def _before_execute(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    found = _by_connection.get(id(connection))
    try:
        while found is not None:
            if not found.busy:
                now = monotonic()
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
    except Exception:
        failed("before_cursor_execute")


def _after_execute(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    found = _by_connection.get(id(connection))
    while found is not None:
        found.busy = False
        found.last = monotonic()
        found = found.inner


def _ending(how: str) -> Callable[[Connection], None]:
    def ended(connection: Connection) -> None:
        if (found := _by_connection.get(id(connection))) is not None:
            end(found, how)

    return ended


_commit, _rollback = _ending("commit"), _ending("rollback")


def _gone(reference: "ref[Connection]") -> None:
    """Nobody has ended the transaction: its connection was collected, and the pool has it back."""
    if isinstance(reference, Reference) and (found := _by_connection.get(reference.key)) is not None:
        end(found, "collected")


def _error(context: ExceptionContext) -> None:
    if context.connection is not None:
        _after_execute(context.connection, None, "", None, None, False)


@safely
def _after_soft_rollback(session: Session, transaction: SessionTransaction) -> None:
    """A rollback of the session's own: `close()` fires none."""
    watch = current_watch()
    if watch is not None and id(session) in watch.lives:
        watch.lives[id(session)] = "rollback"


@safely
def _invalidate(dbapi_connection: Any, record: Any, error: BaseException | None) -> None:
    """The connection is thrown away, in the middle of the transaction if there is one."""
    taken.pop(id(record), None)
    for found in [found for found in list(opened.values()) if _is_on(found, dbapi_connection)]:
        found.watch.lost(found, error)
        end(found, "lost")


def _is_on(found: Open, dbapi_connection: Any) -> bool:
    connection = found.connection() if found.connection is not None else None
    if connection is None or connection.closed or connection.invalidated:
        return False
    return connection.connection.dbapi_connection is dbapi_connection


_LISTENERS: tuple[tuple[Any, str, Callable[..., None]], ...] = (
    (Engine, "begin", _begin),
    (Engine, "commit", _commit),
    (Engine, "rollback", _rollback),
    (Engine, "before_cursor_execute", _before_execute),
    (Engine, "after_cursor_execute", _after_execute),
    (Engine, "handle_error", _error),
    (Pool, "invalidate", _invalidate),
    (Session, "after_begin", _after_begin),
    (Session, "after_soft_rollback", _after_soft_rollback),
)


@safely
def _checkout(dbapi_connection: Any, record: Any, proxy: Any) -> None:
    if (watch := current_watch()) is not None:
        found = taken[id(record)] = Taken(watch, _raw_frames())
        watch.raw += bool(found.at)


def _raw_frames() -> tuple[Frame, ...]:
    """The stack, when the connection is taken past `Connection`: then no `begin` will tell it."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(10):
        if frame is None:
            break
        if frame.f_code is _CONNECTING:
            return ()
        frame = frame.f_back
    return here(3)


_CONNECTING = Connection.__init__.__code__


@safely
def _checkin(dbapi_connection: Any, record: Any) -> None:
    taken.pop(id(record), None)


@safely
def _after_begin_joined(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    outer, watch = _by_connection.get(id(connection)), current_watch()
    if watch is None or (outer is not None and outer.watch is watch):
        return
    found = Open(watch, None, here(3))
    found.engine = connection.engine
    found.busy = False
    found.session = ref(session)
    _joined[id(session)] = opened[id(found)] = found
    if outer is None:
        found.key = id(connection)
        _by_connection[found.key] = found
    else:
        outer.inner = found
    watch.began(found)
    watch.session_began(found, session)


@safely
def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    if _joined and transaction.parent is None and (found := _joined.pop(id(session), None)) is not None:
        end(found, "close")


_MORE: tuple[tuple[Any, str, Callable[..., None]], ...] = (
    (Pool, "checkout", _checkout),
    (Pool, "checkin", _checkin),
    (Session, "after_begin", _after_begin_joined),
    (Session, "after_transaction_end", _after_transaction_end),
)


def end(found: Open, how: str) -> None:
    """The transaction is over."""
    if opened.pop(id(found), None) is None:
        return
    try:
        _by_connection.pop(found.key, None)
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
    except Exception:
        failed(how)


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
