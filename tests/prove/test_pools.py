"""How long an app waits for its pool, as its guard tells it, and what is made of that."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import URL
from tests.prove.conftest import APPS, TIMED

from letgo.prove.application import App
from letgo.prove.models import Schedule
from letgo.prove.outcome import Verdict
from letgo.prove.plan import Plan
from letgo.prove.pools import PoolLook, pool_metrics, quantile, read, waited
from letgo.prove.running import prove
from letgo.prove.thresholds import parse
from letgo.runtime.guard.prometheus import GuardCollector

pytestmark = TIMED

SCENARIO = """
from letgo.prove import User, get

class Visitor(User):
    def visit(self):
        yield get("/held")
"""
BOUNDS = (0.001, 0.1, 1.0, inf)


def look(at: float, counts: tuple[int, ...], seconds: float = 0.0, pending: int = 0) -> PoolLook:
    """With so many waits in each bucket by itself."""
    return PoolLook(at, pending, seconds, tuple(zip(BOUNDS, accumulate(counts), strict=True)))


class TwoPools(Collector):
    """With names that would break a text that is not quoted."""

    def collect(self) -> Iterator[Metric]:
        waited = HistogramMetricFamily("letgo_pool_wait_seconds", "x", labels=["pool"])
        pending = GaugeMetricFamily("letgo_pool_pending_requests", "x", labels=["pool"])
        for name, counts in (('a "b"} 1', (1, 2, 2, 4)), ("le=\n\\", (0, 0, 1, 1))):
            waited.add_metric([name], list(zip(["0.001", "0.1", "1.0", "+Inf"], counts, strict=True)), 7.5)
            pending.add_metric([name], 3)
        yield from (waited, pending)


def test_what_prometheus_is_told_of_several_pools_is_read_as_one() -> None:
    registry = CollectorRegistry()
    registry.register(TwoPools())
    found = read(generate_latest(registry).decode(), 1.0)
    assert found == PoolLook(1.0, 6, 15.0, ((0.001, 1), (0.1, 2), (1.0, 3), (inf, 5)))


def test_a_guard_that_knows_of_no_pool_yet_is_a_guard() -> None:
    registry = CollectorRegistry()
    registry.register(GuardCollector())
    assert read(generate_latest(registry).decode(), 1.0) is not None


def test_other_metrics_and_pages_are_not_the_guards() -> None:
    assert read("# TYPE http_requests counter\nhttp_requests_total 5.0\n", 0.0) is None
    assert read("<h1>Not found</h1>", 0.0) is None


def test_the_waits_of_a_run_are_those_that_came_after_its_start() -> None:
    looks = [
        look(0.0, (9, 0, 0, 0), 9.0),
        look(1.0, (10, 0, 0, 0), 10.0, pending=50),
        look(2.0, (10, 98, 0, 0), 14.9, pending=4),
        look(3.0, (10, 98, 2, 0), 16.9, pending=3),
    ]
    found = pool_metrics(looks, start=2.5)
    assert found == {"pool_wait.mean": pytest.approx(1), "pool_wait.p99": pytest.approx(0.991), "pool_pending.max": 4.0}
    found = pool_metrics(looks, start=1.5)
    assert found["pool_wait.mean"] == pytest.approx(0.069)
    assert found["pool_pending.max"] == 50.0
    assert pool_metrics([], start=0.0) == {}


def test_counts_that_begin_anew_are_those_of_another_process() -> None:
    looks = [look(0.0, (5, 0, 0, 0)), look(1.0, (7, 0, 0, 0)), look(2.0, (1, 0, 0, 0)), look(3.0, (4, 0, 0, 0))]
    assert [span.waits for span in waited(looks)] == [2, 3]


@given(st.lists(st.integers(0, 30), min_size=4, max_size=4), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_that_holds_it(counts: list[int], share: float) -> None:
    found = quantile(list(zip(BOUNDS, accumulate(counts), strict=True)), share)
    if not sum(counts):
        assert found == 0
        return
    holder = next(n for n, below in enumerate(accumulate(counts)) if below >= share * sum(counts) and counts[n])
    lower = (0.0, *BOUNDS)[holder]
    assert lower <= found <= min(BOUNDS[holder], 1.0) + 1e-9


@pytest.fixture
def plan(database: URL, tmp_path: Path) -> Plan:
    scenario = tmp_path / "scenario.py"
    scenario.write_text(SCENARIO)
    return Plan(
        Schedule(8, 0, 4, 0),
        (parse("pool_pending.max < 5"), parse("pool_wait.mean < 10s")),
        app=App("guarded:app", APPS),
        dsn=database.render_as_string(hide_password=False),
        scenario=scenario,
        directory=tmp_path,
    )


def test_users_who_wait_for_a_small_pool_are_seen_with_the_time_they_wait(plan: Plan) -> None:
    outcome = prove(plan, lambda run: None)
    assert outcome.incomplete == ()
    assert outcome.verdict is Verdict.FAILED  # six of eight wait for the two connections, three turns of 0.2 s
    assert outcome.metrics["pool_pending.max"] == pytest.approx(6, abs=1)
    assert 0.4 < outcome.metrics["pool_wait.mean"] < outcome.metrics["latency.mean"]
    assert max(filter(None, outcome.timeline.pool_pending)) == outcome.metrics["pool_pending.max"]
    assert any(value is not None and value > 0.4 for value in outcome.timeline.pool_wait)


def test_without_a_guard_a_threshold_on_the_pool_can_not_be_met(plan: Plan) -> None:
    schedule = Schedule(1, 0, 0.5, 0)
    outcome = prove(replace(plan, app=App("held:app", APPS), schedule=schedule), lambda run: None)
    assert outcome.verdict is Verdict.INCOMPLETE
    assert outcome.incomplete == ("no guard tells of the app's pools at /metrics: serve the metrics of GuardCollector",)
    assert not any(outcome.timeline.pool_wait)
