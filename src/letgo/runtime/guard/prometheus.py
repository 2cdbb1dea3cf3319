"""The guard's counts for Prometheus, read when Prometheus asks: nothing is added to a request.

```python
from prometheus_client import REGISTRY
from letgo.runtime.guard.prometheus import GuardCollector

REGISTRY.register(GuardCollector())
```

Needs `letgo[prometheus]`. Labels are route templates, codes and pools, so there are no more series than those.
"""

from collections.abc import Iterator
from time import monotonic

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError("the guard's Prometheus metrics need prometheus-client: pip install letgo[prometheus]") from error

from letgo.runtime.guard import pools
from letgo.runtime.guard.recorder import Recorder
from letgo.runtime.guard.tracking import Background, opened

BY_ROUTE = (
    ("letgo_requests", "Requests that were watched.", "requests"),
    ("letgo_transactions", "Transactions that requests began.", "transactions"),
    ("letgo_idle_in_transaction_seconds", "Time in which a transaction was open and did nothing.", "idle"),
    ("letgo_leaks", "Transactions and connections that outlived their request.", "leaks"),
    ("letgo_held_too_long", "Transactions that were idle for longer than the threshold.", "held"),
    ("letgo_connections_lost", "Connections lost in mid-transaction.", "lost"),
    ("letgo_pool_exhausted", "Requests that got no connection from a pool in time.", "exhausted"),
)
"""Name without `_total`, help, attribute of `Route`."""


class GuardCollector(Collector):
    """Without a `recorder` it tells what the last guard made in this process has found."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder
        pools.measure()

    def collect(self) -> Iterator[Metric]:
        recorder = self.recorder or (Background.watch.recorder if Background.watch is not None else None)
        if recorder is not None:
            yield from _of_routes(recorder)
        yield from _of_now()
        yield from _of_pools()

    def describe(self) -> Iterator[Metric]:
        """Say nothing before the first scrape: names are checked then."""
        return iter(())


def _of_routes(recorder: Recorder) -> Iterator[Metric]:
    routes = list(recorder.routes.items())
    for name, text, attribute in BY_ROUTE:
        family = CounterMetricFamily(name, text, labels=["route"])
        for route, counted in routes:
            family.add_metric([route], getattr(counted, attribute))
        yield family
    holds = CounterMetricFamily("letgo_holds", "Findings, by the rule of letgo check.", labels=["route", "code"])
    for route, counted in routes:
        for code, count in list(counted.holds.items()):
            holds.add_metric([route, code], count)
    yield holds


def _of_now() -> Iterator[Metric]:
    now = monotonic()
    found = list(opened.values())
    idle = [one for one in found if not one.busy]
    states = GaugeMetricFamily("letgo_open_transactions", "Transactions that are open now.", labels=["state"])
    states.add_metric(["idle"], len(idle))
    states.add_metric(["active"], len(found) - len(idle))
    yield states
    longest = max((one.idle_for(now) for one in idle), default=0.0)
    yield GaugeMetricFamily("letgo_longest_idle_transaction_seconds", "How long one is idle already.", value=longest)


def _of_pools() -> Iterator[Metric]:
    states = GaugeMetricFamily("letgo_pool_connections", "Connections of a pool.", labels=["pool", "state"])
    sizes = GaugeMetricFamily("letgo_pool_size", "Connections that a pool keeps.", labels=["pool"])
    for state in pools.states():
        states.add_metric([state.name, "used"], state.used)
        states.add_metric([state.name, "idle"], state.idle)
        if state.size is not None:
            sizes.add_metric([state.name], state.size)
    yield from (states, sizes)
    waited = HistogramMetricFamily("letgo_pool_wait_seconds", "Time until a pool gave a connection.", labels=["pool"])
    pending = GaugeMetricFamily("letgo_pool_pending_requests", "Who waits for a connection now.", labels=["pool"])
    for engine, pool in pools.known():
        if (measured := pools.waits.get(pool)) is not None:
            name = pools.name_of(engine)
            waited.add_metric([name], measured.cumulative(), measured.seconds)
            pending.add_metric([name], measured.pending)
    yield from (waited, pending)
