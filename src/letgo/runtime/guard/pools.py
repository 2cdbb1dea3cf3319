"""The connection pools of this process: how full they are, and how long one waits for a connection.

No event of SQLAlchemy tells the wait, so `measure`, for those who collect metrics, times the method `Pool.connect`.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import accumulate
from time import monotonic
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

from sqlalchemy.engine import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import Pool, QueuePool

from letgo.runtime.guard.tracking import engines

POOL = "letgo.pool"
"""Where a connection keeps a reference to its pool."""
BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)
"""Upper bounds, in seconds."""


class State(NamedTuple):
    """How many connections of a pool are in use and idle now; `size` is how many it keeps, None without a limit."""

    name: str
    used: int
    idle: int
    size: int | None


class Waits:
    """How long was waited for the connections of one pool: counts by bucket, and their sum in seconds."""

    __slots__ = ("buckets", "pending", "seconds", "timeouts")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.pending = 0
        self.timeouts = 0

    def cumulative(self) -> list[tuple[str, int]]:
        """As Prometheus wants a histogram: upper bounds with the counts up to them."""
        return list(zip([*map(str, BUCKETS), "+Inf"], accumulate(self.buckets), strict=True))


waits: "WeakKeyDictionary[Pool, Waits]" = WeakKeyDictionary()
Listener = Callable[[Pool, float], None]
_listeners: list[Listener] = []


def known() -> Iterator[tuple[Engine, Pool]]:
    """Each pool with an engine that uses it: engines made by `execution_options` share theirs."""
    found = [engine for reference in list(engines.values()) if (engine := reference()) is not None]
    yield from {engine.pool: (engine, engine.pool) for engine in reversed(found)}.values()


def states() -> list[State]:
    """The pools that can be asked, which are those with a queue."""
    return [
        State(name_of(engine), pool.checkedout(), pool.checkedin(), pool.size() or None)
        for engine, pool in known()
        if isinstance(pool, QueuePool)
    ]


def name_of(engine: Engine) -> str:
    """The name the pool was given, or the database without user and password."""
    url = engine.url
    place = f"{url.host}:{url.port}" if url.port else url.host or ""
    return engine.pool.logging_name or f"{url.get_backend_name()}://{place}/{url.database or ''}"


def measure(listener: Listener | None = None) -> None:
    """Time every `Pool.connect` from now on; `listener` is called with the pool and the seconds."""
    if listener is not None:
        _listeners.append(listener)
    if not hasattr(Pool.connect, "letgo"):
        Pool.connect = _timed(Pool.connect)  # type: ignore[assignment,method-assign]


def _timed(connect: Callable[[Pool], Any]) -> Callable[[Pool], Any]:
    @wraps(connect)
    def timed(pool: Pool) -> Any:
        known = waits.get(pool) or waits.setdefault(pool, Waits())
        since = monotonic()
        known.pending += 1
        try:
            connection = connect(pool)
            connection.info[POOL] = ref(pool)
            return connection
        except PoolTimeout:
            known.timeouts += 1
            raise
        finally:
            seconds = monotonic() - since
            known.pending -= 1
            known.seconds += seconds
            known.buckets[bisect_left(BUCKETS, seconds)] += 1
            for listener in _listeners:
                listener(pool, seconds)

    timed.letgo = True  # type: ignore[attr-defined]
    return timed
