"""The guard's counts for OpenTelemetry.

```python
from letgo.runtime.guard.otel import instrument

instrument()    # with the global meter provider
```

Needs `letgo[otel]`. What OpenTelemetry has a name for has that name: `db.client.connection.*`, still in development,
https://opentelemetry.io/docs/specs/semconv/database/database-metrics/. The rest is below `letgo.`.
"""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

try:
    from opentelemetry.metrics import CallbackOptions, Observation, get_meter
except ImportError as error:
    raise ImportError("the guard's OpenTelemetry metrics need opentelemetry-api: pip install letgo[otel]") from error

from sqlalchemy import event
from sqlalchemy.pool import Pool

from letgo import __version__
from letgo.runtime.guard import connections, pools
from letgo.runtime.guard.connections import taken
from letgo.runtime.guard.recorder import Recorder, Route
from letgo.runtime.guard.tracking import Background, listen, opened, safely

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

POOL = "db.client.connection.pool.name"
STATE = "db.client.connection.state"

BY_ROUTE: tuple[tuple[str, str, str, Callable[[Route], float]], ...] = (
    ("letgo.transaction.idle_time", "s", "Time in which a transaction was open and did nothing.", lambda r: r.idle),
    ("letgo.leaks", "{transaction}", "What outlived its request.", lambda r: r.leaks),
    ("letgo.held_too_long", "{transaction}", "Idle for longer than the threshold.", lambda r: r.held),
    ("letgo.connections.lost", "{connection}", "Lost in mid-transaction.", lambda r: r.lost),
)


def instrument(meter_provider: "MeterProvider | None" = None, recorder: Recorder | None = None) -> None:
    """Offer the metrics; call it once, before the engines are used."""
    meter = get_meter("letgo", __version__, meter_provider)
    known = recorder

    def routes() -> list[tuple[dict[str, str], Route]]:
        shown = known or (Background.watch.recorder if Background.watch is not None else None)
        return [(_route(name), route) for name, route in list(shown.routes.items())] if shown is not None else []

    def by_route(value: Callable[[Route], float]) -> Callable[[CallbackOptions], Iterator[Observation]]:
        return lambda _: (Observation(value(route), attributes) for attributes, route in routes())

    for name, unit, text, value in BY_ROUTE:
        meter.create_observable_counter(name, [by_route(value)], unit, text)

    def holds(_: CallbackOptions) -> Iterator[Observation]:
        for attributes, route in routes():
            for code, count in list(route.holds.items()):
                yield Observation(count, attributes | {"letgo.rule": code})

    meter.create_observable_counter("letgo.holds", [holds], "{finding}", "Findings, by the rule of letgo check.")
    meter.create_observable_up_down_counter(
        "letgo.open_transactions", [_open], "{transaction}", "Transactions that are open now."
    )
    _instrument_pools(meter)


def _instrument_pools(meter: Any) -> None:
    meter.create_observable_up_down_counter("db.client.connection.count", [_count], "{connection}")
    meter.create_observable_up_down_counter("db.client.connection.idle.max", [_idle_max], "{connection}")
    meter.create_observable_up_down_counter(
        "db.client.connection.pending_requests", [_measured(lambda waits: waits.pending)], "{request}"
    )
    meter.create_observable_counter(
        "db.client.connection.timeouts", [_measured(lambda waits: waits.timeouts)], "{timeout}"
    )
    waited = meter.create_histogram("db.client.connection.wait_time", "s")
    used = meter.create_histogram("db.client.connection.use_time", "s")
    listen()
    connections.listen()
    pools.measure(lambda pool, seconds: waited.record(seconds, {POOL: _name(pool)}))

    @safely
    def checkin(dbapi_connection: Any, record: Any) -> None:
        found, pool = taken.get(id(record)), record.info.get(pools.POOL, lambda: None)()
        if found is not None and pool is not None:
            used.record(monotonic() - found.since, {POOL: _name(pool)})

    event.listen(Pool, "checkin", checkin, insert=True)


def _route(name: str) -> dict[str, str]:
    method, _, template = name.partition(" ")
    return {"http.request.method": method, "http.route": template}


def _open(_: CallbackOptions) -> Iterator[Observation]:
    found = list(opened.values())
    idle = sum(not one.busy for one in found)
    yield Observation(idle, {"letgo.state": "idle"})
    yield Observation(len(found) - idle, {"letgo.state": "active"})


def _count(_: CallbackOptions) -> Iterator[Observation]:
    for state in pools.states():
        yield Observation(state.used, {POOL: state.name, STATE: "used"})
        yield Observation(state.idle, {POOL: state.name, STATE: "idle"})


def _idle_max(_: CallbackOptions) -> Iterator[Observation]:
    for state in pools.states():
        if state.size is not None:
            yield Observation(state.size, {POOL: state.name})


def _measured(value: Callable[[pools.Waits], int]) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        for engine, pool in pools.known():
            if (measured := pools.waits.get(pool)) is not None:
                yield Observation(value(measured), {POOL: pools.name_of(engine)})

    return observe


def _name(pool: Pool) -> str:
    return next((pools.name_of(engine) for engine, known in pools.known() if known is pool), "unknown")
