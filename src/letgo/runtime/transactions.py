"""What an open session has done, and ending it where nothing can be lost.

SQLAlchemy's `after_begin` says which connections a session's transaction has, `do_execute` and its kin what went over
them. A transaction that only read can be ended unseen: `end_reads` gives its connection back and leaves the session
and its objects as they are, so that the next query simply begins again. All else is *work*, to be decided by whoever
owns the session.
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, SessionTransaction, SessionTransactionOrigin

from letgo.runtime.statements import reads_only

_CONNECTIONS = "_letgo_connections"  # of a Session
_WORK = "letgo_work"  # of a Connection: the first statement that did more than read
_UNHEARD = "what was done over a connection past SQLAlchemy"  # COPY, say, with the driver's own cursor
_SNAPSHOT = "letgo.snapshot"  # in Connection.info: whether all its statements see one state of the database


def is_ours(session: Session) -> bool:
    """Whether this session's transaction is its own: one that was bound to a Connection lives as long as that."""
    return session.in_transaction() and not isinstance(session.bind, Connection)


def work_of(session: Session) -> str | None:
    """What would be lost or cut short if the transaction of `session` ended here, in words; None if nothing would."""
    transaction = session.get_transaction()
    if transaction is None:
        return None
    changed = [*session.new, *session.dirty, *session.deleted]
    if changed:
        return "unsaved " + ", ".join(sorted({type(row).__name__ for row in changed}))
    for connection in _connections(session):
        if (statement := getattr(connection, _WORK, "")) != "":
            return " ".join(statement.split())[:80]
    if transaction.origin is not SessionTransactionOrigin.AUTOBEGIN or session.in_nested_transaction():
        return "a transaction begun with begin()"
    return None


def end_reads(session: Session) -> None:
    """Give the connection back if the transaction has only read. The session and its objects stay as they are.

    Neither commit() nor rollback(): these would expire objects, and call listeners that wait for the real end. A
    connection that the server has closed meanwhile is no error: it is out of the pool, and what was read is read.
    """
    if is_ours(session) and work_of(session) is None and (transaction := session.get_transaction()) is not None:
        try:
            transaction.close()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise


def sees_one_snapshot(session: Session) -> bool:
    """Whether the reads of this transaction belong together: REPEATABLE READ and above, asked once a connection."""
    return any(_isolated(connection) for connection in _connections(session))


def _isolated(connection: Connection) -> bool:
    if (chosen := connection.get_execution_options().get("isolation_level")) is not None:
        return _is_snapshot(str(chosen))
    if _SNAPSHOT not in connection.info:
        connection.info[_SNAPSHOT] = _is_snapshot(connection.get_isolation_level())
    return bool(connection.info[_SNAPSHOT])


def _is_snapshot(level: str) -> bool:
    return level.upper().replace("_", " ") not in ("READ COMMITTED", "READ UNCOMMITTED", "AUTOCOMMIT")


def _connections(session: Session) -> list[Connection]:
    return [connection for connection in getattr(session, _CONNECTIONS, ()) if not connection.closed]


def _begun(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if not transaction.nested:
        # An attribute, as a dictionary with weak keys would cost each transaction several times as much.
        setattr(connection, _WORK, _UNHEARD)
        others = _connections(session) if hasattr(session, _CONNECTIONS) else []
        setattr(session, _CONNECTIONS, [*others, connection])


def _executes(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
    connection = context.root_connection
    if (work := getattr(connection, _WORK, None)) is _UNHEARD or work == "":
        # A server-side cursor ends with its transaction, so whoever reads from it still needs that.
        reads = reads_only(statement) and not context.execution_options.get("stream_results")
        setattr(connection, _WORK, "" if reads else statement)


def _executes_bare(cursor: Any, statement: str, context: Any) -> None:
    _executes(cursor, statement, None, context)


def listen() -> None:
    """Hear of every session and engine from now on; done once, when letgo.runtime is imported.

    These are events of the dialect: with a single listener to those of engines, SQLAlchemy gathers the listeners of
    seven events anew for each connection that is taken, which costs more than all else that is done here.
    """
    event.listen(Session, "after_begin", _begun)
    event.listen(Engine, "do_execute", _executes)
    event.listen(Engine, "do_executemany", _executes)
    event.listen(Engine, "do_execute_no_params", _executes_bare)
