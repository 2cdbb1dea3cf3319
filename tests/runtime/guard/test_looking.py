"""Where one can look at what the guard has found: the page, Prometheus, OpenTelemetry, the dashboard."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import URL, create_engine, text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient
from tests.runtime.serving import connect, serve, soon

from letgo.runtime import Guard
from letgo.runtime.guard.otel import instrument
from letgo.runtime.guard.page import Page
from letgo.runtime.guard.prometheus import GuardCollector
from letgo.runtime.guard.tracking import opened

DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana-letgo.json"
Guarding = Callable[..., Guard]


class Shop:
    """An app with a handler that holds until `go_on`."""

    def __init__(self, url: URL) -> None:
        self.engine = create_engine(url, pool_size=4)
        self.go_on = threading.Event()
        self.app = FastAPI()

        @self.app.get("/books/{book_id}")
        def read(book_id: int) -> int:
            with Session(self.engine) as db:
                db.execute(text("select 'Emma' as title"))
                self.go_on.wait(20)
            return book_id


def go_on_when_seen(shop: Shop) -> None:
    soon(lambda: any(found.pending and found.idle_for(time.monotonic()) > 0.1 for found in list(opened.values())))
    shop.go_on.set()


@pytest.fixture
def shop(database: URL) -> Iterator[Shop]:
    shop = Shop(database)
    yield shop
    shop.go_on.set()
    shop.engine.dispose()


def test_the_page_shows_who_holds_what_now_and_the_worst_places_afterwards(shop: Shop, guarded: Guarding) -> None:
    with serve(guarded(shop.app, page="/letgo")) as address, connect(address) as client:
        asking = threading.Thread(target=client.get, args=("/books/1",))
        asking.start()

        def now() -> Any:
            return client.get("/letgo/json").json()

        assert soon(lambda: bool(now()["open"]) and now()["open"][0]["waits_for"] != "")
        (held,) = now()["open"]
        assert held["route"] == "GET /books/{book_id}"
        assert held["state"] == "idle" and held["idle"] > 0.02 and held["waits_for"] == "threading.Event.wait"
        assert "test_looking.py:" in held["opened"] and held["statement"] == "select 'Emma' as title"
        assert now()["pools"][0] | {"name": ""} == {"name": "", "used": 1, "idle": 0, "size": 4}
        assert "postgres@" not in now()["pools"][0]["name"]
        shop.go_on.set()
        asking.join()
        after = now()
        assert after["open"] == []
        (place,) = after["places"]
        assert (place["code"], place["count"], place["route"]) == ("LG202", 1, "GET /books/{book_id}")
        assert after["routes"][0]["requests"] == 1
        page = client.get("/letgo", follow_redirects=True)
        assert page.headers["content-type"].startswith("text/html") and "frame-ancestors" in str(page.headers)
        assert client.post("/letgo/json").status_code == 405


def test_the_page_is_there_only_when_asked_for_and_only_for_those_who_may(shop: Shop, guarded: Guarding) -> None:
    assert TestClient(guarded(shop.app)).get("/letgo/").status_code == 404
    local = guarded(shop.app, page="/letgo")
    assert TestClient(local, client=("127.0.0.1", 1)).get("/letgo/").status_code == 200
    assert TestClient(local, client=("10.0.0.1", 1)).get("/letgo/json").status_code == 404

    async def with_key(scope: Any) -> bool:
        return (b"x-key", b"open") in scope["headers"]

    keyed = TestClient(guarded(shop.app, page="/letgo", access=with_key))
    assert keyed.get("/letgo/json").status_code == 404
    assert keyed.get("/letgo/json", headers={"x-key": "open"}).json()["mode"] == "observe"


def test_the_page_can_be_mounted(shop: Shop, guarded: Guarding) -> None:
    shop.app.mount("/internal/letgo", Page(access=lambda scope: True))
    client = TestClient(guarded(shop.app))
    shop.go_on.set()
    client.get("/books/1")
    assert "who holds what" in client.get("/internal/letgo/").text
    routes = {route["route"] for route in client.get("/internal/letgo/json").json()["routes"]}
    assert "GET /books/{book_id}" in routes


def test_prometheus_gets_base_units_and_route_templates(shop: Shop, guarded: Guarding) -> None:
    registry = CollectorRegistry()
    registry.register(GuardCollector())
    client = TestClient(guarded(shop.app))
    threading.Thread(target=go_on_when_seen, args=(shop,)).start()
    for number in range(3):
        client.get(f"/books/{number}")
    said = generate_latest(registry).decode()
    values = {
        (sample.name, sample.labels.get("route", ""), sample.labels.get("code", "")): sample.value
        for family in text_string_to_metric_families(said)
        for sample in family.samples
    }
    route = "GET /books/{book_id}"
    assert values["letgo_requests_total", route, ""] == 3
    assert values["letgo_holds_total", route, "LG202"] == 1
    assert 0.02 < values["letgo_idle_in_transaction_seconds_total", route, ""] < 20
    assert "letgo_pool_connections{" in said and 'state="used"' in said
    assert values["letgo_pool_wait_seconds_count", "", ""] >= 3


def test_the_dashboard_asks_only_for_metrics_that_there_are(shop: Shop, guarded: Guarding) -> None:
    registry = CollectorRegistry()
    registry.register(GuardCollector())
    client = TestClient(guarded(shop.app))
    shop.go_on.set()
    client.get("/books/1")
    names = {
        name
        for family in registry.collect()
        for name in (family.name, f"{family.name}_total", f"{family.name}_bucket", f"{family.name}_count")
    }
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) >= 8
    for query in queries:
        asked = set(re.findall(r"letgo_\w+", query))
        assert asked and asked <= names, query


def test_opentelemetry_gets_its_own_names(shop: Shop, guarded: Guarding) -> None:
    reader = InMemoryMetricReader()
    instrument(MeterProvider([reader]))
    client = TestClient(guarded(shop.app))
    threading.Thread(target=go_on_when_seen, args=(shop,)).start()
    client.get("/books/1")
    data = reader.get_metrics_data()
    assert data is not None
    metrics = {m.name: m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics}
    assert metrics.keys() >= {
        "db.client.connection.count",
        "db.client.connection.idle.max",
        "db.client.connection.pending_requests",
        "db.client.connection.timeouts",
        "db.client.connection.wait_time",
        "db.client.connection.use_time",
        "letgo.transaction.idle_time",
        "letgo.holds",
    }
    assert {metrics[name].unit for name in ("db.client.connection.wait_time", "letgo.transaction.idle_time")} == {"s"}
    (holds,) = metrics["letgo.holds"].data.data_points
    assert dict(holds.attributes) == {
        "http.request.method": "GET",
        "http.route": "/books/{book_id}",
        "letgo.rule": "LG202",
    }
    states = {
        point.attributes["db.client.connection.state"]
        for point in metrics["db.client.connection.count"].data.data_points
    }
    assert states == {"used", "idle"}
