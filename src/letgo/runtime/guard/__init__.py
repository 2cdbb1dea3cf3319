"""The guard: sees in a running app what `letgo check` reads out of its source.

- `tracking`: which transactions are open, and idle since when (SQLAlchemy's events).
- `connections`, `joined`: for tests, which are out of their pools, and what joins a transaction that came before.
- `suspension`, `watchdog`: what the code waits for meanwhile (the awaited coroutine; the stacks of threads).
- `watch`: one request; `judging`: from what it saw to a `Hold` and a `Finding`; `recorder`: each place once, counted.
- `guard`: the middleware around it; `releasing`, `timeout`, `naming`: what it does beside telling.
- `page`, `prometheus`, `otel`: where one can look at it.
"""

from letgo.runtime.guard.allowing import allow
from letgo.runtime.guard.guard import Guard
from letgo.runtime.guard.judging import Seen
from letgo.runtime.guard.recorder import Recorder, TransactionHeld
from letgo.runtime.guard.settings import Settings

__all__ = ["Guard", "Recorder", "Seen", "Settings", "TransactionHeld", "allow"]
