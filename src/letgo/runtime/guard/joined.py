"""What a session has open inside of a transaction that was begun outside the request.

So do test suites that roll everything back: the session of each request joins the connection of the test. It gets an
`Open` of its own, from the first use of the session to its end.
"""

from weakref import ref

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, SessionTransaction

from letgo.runtime.guard import tracking
from letgo.runtime.guard.frames import here
from letgo.runtime.guard.tracking import Listeners, Open, by_connection, current_watch, end, opened, safely

_joined: dict[int, Open] = {}
"""By the identity of the session."""


def listen() -> None:
    """Listen to it, besides all that `tracking` does. To call it again changes nothing."""
    tracking.hear(_LISTENERS)


def stop_listening() -> None:
    tracking.forget(*_LISTENERS)
    _joined.clear()


@safely
def _after_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    outer, watch = by_connection.get(id(connection)), current_watch()
    if watch is None or (outer is not None and outer.watch is watch):
        return
    found = Open(watch, None, here(3))
    found.engine = connection.engine
    found.busy = False
    found.session = ref(session)
    _joined[id(session)] = opened[id(found)] = found
    if outer is None:
        found.key = id(connection)
        by_connection[found.key] = found
    else:
        outer.inner = found
    watch.began(found)
    watch.session_began(found, session)


@safely
def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    if _joined and transaction.parent is None and (found := _joined.pop(id(session), None)) is not None:
        end(found, "close")


_LISTENERS: Listeners = (
    (Session, "after_begin", _after_begin),
    (Session, "after_transaction_end", _after_transaction_end),
)
