"""Prometheus metrics: of requests, of the pool, and letgo's own."""

import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from letgo.runtime.guard.prometheus import GuardCollector
from letgo_gateway.api import asking
from letgo_gateway.database.work import Database
from letgo_gateway.rooms import rooms_of

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers of a host keep their counts, so that any of them can tell those of all
(https://prometheus.github.io/client_python/multiprocess/)."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
OURS = CollectorRegistry()
REQUESTS = Histogram(
    "letgo_gateway_request_seconds",
    "From the request to the end of its answer.",
    ("method", "route", "status"),
    buckets=BUCKETS,
    registry=OURS,
)


@lru_cache(maxsize=10_000)
def counted(method: str, route: str, status: int) -> Histogram:
    """The histogram of such requests."""
    return REQUESTS.labels(method, route, status)


router = APIRouter(tags=["observability"])


@router.get("/metrics", response_class=PlainTextResponse)
async def read_metrics(request: Request) -> Response:
    """For Prometheus. Needs the permission `metrics.read`, unless the settings make it public."""
    rooms = rooms_of(request)
    if not rooms.settings.metrics_public:
        (await asking(request)).require("metrics.read")
    return Response(exposition(rooms.database), media_type=CONTENT_TYPE_LATEST)


def exposition(database: Database) -> bytes:
    """Counts of requests are those of all workers of this host; the pool and the guard are this worker's."""
    registry = CollectorRegistry()
    if SHARED in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(PoolCollector(database))
    registry.register(GuardCollector())
    told = generate_latest(registry)
    return told if SHARED in os.environ else generate_latest(OURS) + told


class PoolCollector(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        pool = GaugeMetricFamily("letgo_gateway_pool_connections", "Connections to the database.", labels=("state",))
        out, most = self._database.checked_out, self._database.size
        pool.add_metric(("out",), out)
        pool.add_metric(("free",), most - out)
        yield pool
        units = GaugeMetricFamily("letgo_gateway_units_waiting", "Units of work that wait for a connection.")
        units.add_metric((), max(0, self._database.running - out))
        yield units


def share_between_workers() -> None:
    """Called before the workers are started."""
    os.environ[SHARED] = tempfile.mkdtemp(prefix="letgo-gateway-metrics-")
