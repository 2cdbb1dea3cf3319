"""Which connections are out of their pools, for who counts them or looks for those that no transaction tells of."""

import sys
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection
from sqlalchemy.pool import Pool

from letgo.runtime.guard import tracking
from letgo.runtime.guard.frames import Frame, here
from letgo.runtime.guard.tracking import Listeners, current_watch, safely

if TYPE_CHECKING:
    from letgo.runtime.guard.watch import Watch

taken: dict[int, "Taken"] = {}
"""The connections that are out of their pools now."""
_CONNECTING = Connection.__init__.__code__


class Taken:
    """A connection out of its pool. `at` is known only where no transaction will tell it."""

    __slots__ = ("at", "since", "watch")

    def __init__(self, watch: "Watch", at: tuple[Frame, ...]) -> None:
        self.watch = watch
        self.since = monotonic()
        self.at = at


def listen() -> None:
    """Follow all pools of the process. To call it again changes nothing."""
    tracking.hear(_LISTENERS)


def stop_listening() -> None:
    tracking.forget(*_LISTENERS)
    taken.clear()


def raw_left(watch: "Watch") -> list[Taken]:
    """The connections taken past SQLAlchemy's `Connection` in this request, and still not back in their pools."""
    return [found for found in list(taken.values()) if found.watch is watch and found.at]


@safely
def _checkout(dbapi_connection: Any, record: Any, proxy: Any) -> None:
    if (watch := current_watch()) is not None:
        found = taken[id(record)] = Taken(watch, _raw_frames())
        watch.raw += bool(found.at)


def _raw_frames() -> tuple[Frame, ...]:
    """The stack, when the connection is taken past `Connection`: then no transaction will tell it."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(10):
        if frame is None:
            break
        if frame.f_code is _CONNECTING:
            return ()
        frame = frame.f_back
    return here(3)


@safely
def _checkin(dbapi_connection: Any, record: Any) -> None:
    taken.pop(id(record), None)


@safely
def _invalidate(dbapi_connection: Any, record: Any, error: BaseException | None) -> None:
    taken.pop(id(record), None)


_LISTENERS: Listeners = (
    (Pool, "checkout", _checkout),
    (Pool, "checkin", _checkin),
    (Pool, "invalidate", _invalidate),
)
