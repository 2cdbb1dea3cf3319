"""Which transactions are open in this process: since when, since which statement, and whether anybody uses them.

SQLAlchemy tells it through its events. An `Open` is made when a session begins or, without a session, at the first
statement, and ends with `commit`, `rollback`, `invalidate` or with its connection, whichever comes first. Between two
statements it is idle: that is what a hold is made of. Only what belongs to a `Watch` is followed; the rest costs a look
into a dictionary.

Statements are heard as events of the dialect. With a single listener to those of engines, SQLAlchemy gathers the
listeners of seven events anew for each connection that is taken, and each request pays for that, watched or not.
"""

import logging
import threading
from asyncio import Task, current_task
from collections.abc import Callable
from functools import partial, wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from weakref import ref

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import Pool

from letgo.holds import Wait
from letgo.runtime.guard.frames import Frame, here
from letgo.runtime.request import current

if TYPE_CHECKING:
    from letgo.runtime.guard.watch import Watch

WATCH = "letgo.watch"
"""Where an ASGI scope keeps who watches it."""
log = logging.getLogger("letgo.guard")
Handler = TypeVar("Handler", bound=Callable[..., None])
Listeners: TypeAlias = tuple[tuple[Any, str, Callable[..., Any]], ...]

opened: dict[int, "Open"] = {}
"""All that is open now."""
by_connection: dict[int, "Open"] = {}
"""The same, by the identity of the `Connection`."""
_by_session: dict[int, list["Open"]] = {}
"""What ends with a session, by its identity."""
_committing: set[int] = set()
"""The sessions that write what is left and commit, by their identity."""
engines: dict[int, "ref[Engine]"] = {}
"""The engines on which anything was opened."""


class Background:
    """The watch over what runs outside of requests, if there is one."""

    watch: "Watch | None" = None


class Reference(ref[Connection]):
    """A connection with the key under which it is known, for when it is there no more."""

    __slots__ = ("key",)
    key: int


class Open:
    """A transaction. Times are seconds of the monotonic clock; `idle` is what went by without work, up to `last`."""

    idle = 0.0
    busy = True
    committing = False
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
    key = owner = 0

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


def listen(engines: bool = False) -> None:
    """Follow all engines of the process; with `engines`, what is done without a session from its very beginning.

    To call it again changes nothing.
    """
    hear(_LISTENERS)
    if engines:
        hear(_ENGINES)


def stop_listening() -> None:
    """Follow nothing any more."""
    forget(*_LISTENERS, *_ENGINES)
    for known in (opened, by_connection, _by_session, _committing):
        known.clear()


def hear(listeners: Listeners) -> None:
    for target, name, handler in listeners:
        if not event.contains(target, name, handler):
            event.listen(target, name, handler)


def forget(*listeners: tuple[Any, str, Callable[..., Any]]) -> None:
    for target, name, handler in listeners:
        if event.contains(target, name, handler):
            event.remove(target, name, handler)


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
    if (request := current.get()) is None:
        return Background.watch
    watch: Watch | None = request.scope.get(WATCH, Background.watch)
    return watch


def open_on(connection: Connection) -> Open | None:
    """What is open on a connection, if it is watched."""
    return by_connection.get(id(connection))


def _forget_engine(key: int, _: object) -> None:
    engines.pop(key, None)


# --- begin ----------------------------------------------------------------------------------------------------------


def _open(watch: "Watch", connection: Connection) -> Open:
    engine = connection.engine
    if id(engine) not in engines:
        engines[id(engine)] = ref(engine, partial(_forget_engine, id(engine)))
    found = Open(watch, connection, here(2))
    by_connection[found.key] = found
    opened[id(found)] = found
    watch.began(found)
    return found


def _after_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    found = by_connection.get(id(connection))
    watch = current_watch() if found is None else None
    if found is None and (watch is None or isinstance(session.bind, Connection)):
        return  # a session that was given a connection joins what others have begun
    try:
        if found is None and watch is not None:
            found = _open(watch, connection)
            found.owner = id(session)
            found.committing = found.owner in _committing
            _by_session.setdefault(found.owner, []).append(found)
        if found is not None and found.session is None:
            found.session = ref(session)
            found.watch.session_began(found, session)
    except Exception:
        failed("after_begin")


def _begin(connection: Connection) -> None:
    if (watch := current_watch()) is not None:
        try:
            _open(watch, connection)
        except Exception:
            failed("begin")


def _first_statement(watch: "Watch", connection: Connection) -> Open | None:
    """Follow what has begun without a session; what SQLAlchemy asks of a new connection is no transaction."""
    if not connection.in_transaction():
        return None
    try:
        hear(((connection, "commit", _commit), (connection, "rollback", _rollback)))
        return _open(watch, connection)
    except Exception:
        failed("begin")
        return None


# --- statements -----------------------------------------------------------------------------------------------------


def _executing(name: str) -> Callable[..., bool]:
    """A handler of the dialect's event with this name, which does in its place what is to be done, and sees the end."""

    def execute(*arguments: Any) -> bool:
        statement, context = arguments[1], arguments[-1]
        connection = context.root_connection
        found = by_connection.get(id(connection))
        if found is None and (watch := current_watch()) is not None:
            found = _first_statement(watch, connection)
        if found is None:
            return False
        try:
            _works(found, statement)
        except Exception:
            failed(name)
        try:
            if not _others_do(getattr(context.dialect.dispatch, name), execute, arguments):
                getattr(context.dialect, name)(*arguments)
        finally:
            _has_worked(found)
        return True

    return execute


def _others_do(listeners: Any, ours: Callable[..., bool], arguments: tuple[Any, ...]) -> bool:
    """Whether one of the listeners after ours has done it, which must be asked: there is no event after this one."""
    waiting = iter(listeners)
    return ours in waiting and any(listener(*arguments) for listener in waiting)


def _works(found: Open | None, statement: str) -> None:
    while found is not None:
        _is_busy(found)
        found.thread = threading.get_ident()
        if not found.statements:
            found.statement = statement
        found.statements += 1
        if not found.wrote and statement[:6].upper() != "SELECT":
            found.wrote = True
        found = found.inner


def _is_busy(found: Open) -> None:
    if not found.busy:
        now = monotonic()
        found.idle += now - found.last
        found.busy = True
        if found.pending is not None:
            settle(found, now)


def _has_worked(found: Open | None) -> None:
    while found is not None:
        found.busy = found.committing
        found.last = monotonic()
        found = found.inner


# --- end ------------------------------------------------------------------------------------------------------------


def _before_commit(session: Session) -> None:
    """The session writes what is left, which may begin a transaction, and commits."""
    if current_watch() is not None and not session.in_nested_transaction():
        try:
            _committing.add(id(session))
            for found in _by_session.get(id(session), ()):
                _is_busy(found)
                found.committing = True
        except Exception:
            failed("before_commit")


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    key = id(session)
    if (key in _by_session or key in _committing) and transaction.parent is None:
        _committing.discard(key)
        for found in _by_session.pop(key, ()):
            end(found, "commit" if found.committing else "rollback")


def _after_rollback(session: Session) -> None:
    """A rollback in the database; after a flush that failed the session has to be told of it before it goes on."""
    if _by_session and not session.in_nested_transaction():
        for found in _by_session.pop(id(session), ()):
            end(found, "rollback")


def _ending(how: str) -> Callable[[Connection], None]:
    def ended(connection: Connection) -> None:
        if (found := by_connection.get(id(connection))) is not None:
            end(found, how)

    return ended


_commit, _rollback = _ending("commit"), _ending("rollback")


def _gone(reference: "ref[Connection]") -> None:
    """Nobody has ended the transaction: its connection was collected, and the pool has it back."""
    if isinstance(reference, Reference) and (found := by_connection.get(reference.key)) is not None:
        end(found, "collected")


@safely
def _after_soft_rollback(session: Session, transaction: SessionTransaction) -> None:
    """A rollback of the session's own: `close()` fires none."""
    watch = current_watch()
    if watch is not None and id(session) in watch.lives:
        watch.lives[id(session)] = "rollback"


@safely
def _invalidate(dbapi_connection: Any, record: Any, error: BaseException | None) -> None:
    """The connection is thrown away, in the middle of the transaction if there is one."""
    for found in [found for found in list(opened.values()) if _is_on(found, dbapi_connection)]:
        found.watch.lost(found, error)
        end(found, "lost")


def _is_on(found: Open, dbapi_connection: Any) -> bool:
    connection = found.connection() if found.connection is not None else None
    if connection is None or connection.closed or connection.invalidated:
        return False
    return connection.connection.dbapi_connection is dbapi_connection


_LISTENERS: Listeners = (
    *((Engine, name, _executing(name)) for name in ("do_execute", "do_executemany", "do_execute_no_params")),
    (Pool, "invalidate", _invalidate),
    (Session, "after_begin", _after_begin),
    (Session, "before_commit", _before_commit),
    (Session, "after_transaction_end", _after_transaction_end),
    (Session, "after_rollback", _after_rollback),
    (Session, "after_soft_rollback", _after_soft_rollback),
)
_ENGINES: Listeners = (
    (Engine, "begin", _begin),
    (Engine, "commit", _commit),
    (Engine, "rollback", _rollback),
)


def end(found: Open, how: str) -> None:
    """The transaction is over."""
    if opened.pop(id(found), None) is None:
        return
    try:
        by_connection.pop(found.key, None)
        _take_from_owner(found)
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


def _take_from_owner(found: Open) -> None:
    ending = _by_session.get(found.owner, [])
    if found in ending:
        ending.remove(found)
    if not ending:
        _by_session.pop(found.owner, None)


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
