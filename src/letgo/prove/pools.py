"""How long an app waits for the connections of its pools, as `letgo.runtime`'s guard tells Prometheus.

A pool's wait is the app's own: Postgres sees nothing of it. An app that serves `GuardCollector`'s metrics is asked for
them once a second, over a connection of its own, so that of several workers it is always the same that answers. The
text is Prometheus's: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format.
"""

import http.client
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from time import perf_counter
from urllib.parse import urlsplit

from letgo.prove.connection import Target

PATH = "/metrics"
WAITS = "letgo_pool_wait_seconds"
PENDING = "letgo_pool_pending_requests"

ASKING_SECONDS = 1.0
ANSWER_SECONDS = 2.0

LINE = re.compile(rf"({WAITS}_bucket|{WAITS}_sum|{PENDING})\{{(.*)\}} (\S+)", re.M)
BOUND = re.compile(r'(?:^|,)le="([^"]+)"')


@dataclass(frozen=True, slots=True)
class PoolLook:
    """All pools together. `buckets`: how many waits so far took at most so many seconds, `seconds` all of them."""

    at: float
    pending: int
    seconds: float
    buckets: tuple[tuple[float, int], ...]

    @property
    def waits(self) -> int:
        return self.buckets[-1][1] if self.buckets else 0


@dataclass(frozen=True, slots=True)
class Waited:
    """The waits that ended between two looks."""

    start: float
    end: float
    seconds: float
    buckets: tuple[tuple[float, int], ...]

    @property
    def waits(self) -> int:
        return self.buckets[-1][1] if self.buckets else 0


def read(text: str, at: float) -> PoolLook | None:
    """None for metrics that are not those of the guard."""
    if WAITS not in text:
        return None
    pending, seconds = 0.0, 0.0
    buckets: dict[float, int] = {}
    for name, labels, value in LINE.findall(text):
        if name == PENDING:
            pending += float(value)
        elif name.endswith("_sum"):
            seconds += float(value)
        elif bound := BOUND.search(labels):
            upper = float(bound[1])
            buckets[upper] = buckets.get(upper, 0) + int(float(value))
    return PoolLook(at, int(pending), seconds, tuple(sorted(buckets.items())))


class PoolWatcher:
    """`with PoolWatcher(target, path) as pools:` looks from then to the end, if there is a guard at first."""

    def __init__(self, target: Target, path: str) -> None:
        self.target, self.path = target, target.prefix + path
        self.looks: list[PoolLook] = []
        self.missed = 0
        self._connection: http.client.HTTPConnection | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pools", daemon=True)

    def __enter__(self) -> "PoolWatcher":
        if self._look():
            self._thread.start()
        else:
            self._close()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Look no more; what was told is complete then."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_SECONDS + 1)
        self._close()

    def _run(self) -> None:
        while not self._stop.wait(ASKING_SECONDS):
            self.missed += not self._look()

    def _look(self) -> bool:
        """Ask once; whether a guard tells."""
        at = perf_counter()
        try:
            found = read(self._ask(), at)
        except (OSError, http.client.HTTPException):
            self._close()
            return False
        if found is not None:
            self.looks.append(found)
        return found is not None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self) -> str:
        """What is served at the path, or where that leads to: a mounted app wants a slash at its end."""
        for _ in range(2):
            if self._connection is None:
                kind = http.client.HTTPSConnection if self.target.tls else http.client.HTTPConnection
                self._connection = kind(self.target.host, self.target.port, timeout=ANSWER_SECONDS)
            self._connection.request("GET", self.path)
            response = self._connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            if response.status not in (301, 302, 307, 308):
                break
            with suppress(ValueError):
                self.path = urlsplit(response.headers["Location"] or self.path).path
        return text if response.status == 200 else ""


def waited(looks: Iterable[PoolLook]) -> Iterator[Waited]:
    """What came from one look to the next. Where counts begin anew, because another process answers, nothing did."""
    for before, after in pairwise(looks):
        counted = dict(before.buckets)
        buckets = tuple((bound, count - counted.get(bound, 0)) for bound, count in after.buckets)
        if all(count >= 0 for _, count in buckets):
            yield Waited(before.at, after.at, max(0.0, after.seconds - before.seconds), buckets)


def pool_metrics(looks: Sequence[PoolLook], start: float) -> dict[str, float]:
    """The metrics of the pools from `start` on; none where nothing is told."""
    if not looks:
        return {}
    since = max((look.at for look in looks if look.at < start), default=start)
    inside = [look for look in looks if look.at >= since]
    spans = list(waited(inside))
    waits = sum(span.waits for span in spans)
    buckets: dict[float, int] = {}
    for span in spans:
        for bound, count in span.buckets:
            buckets[bound] = buckets.get(bound, 0) + count
    return {
        "pool_wait.mean": sum(span.seconds for span in spans) / (waits or 1),
        "pool_wait.p99": quantile(sorted(buckets.items()), 0.99),
        "pool_pending.max": float(max((look.pending for look in inside), default=0)),
    }


def quantile(buckets: Sequence[tuple[float, int]], share: float) -> float:
    """Seconds that this share of the waits did not exceed, evenly spread within a bucket.

    As https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile has it: beyond the last bound
    nothing is known but that bound.
    """
    wanted = share * (buckets[-1][1] if buckets else 0)
    lower, below = 0.0, 0
    for upper, count in buckets:
        if count >= wanted and count > below:
            return lower if upper == inf else lower + (upper - lower) * (wanted - below) / (count - below)
        lower, below = upper if upper != inf else lower, count
    return 0.0
