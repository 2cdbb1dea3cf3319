"""What can be seen from outside: health, version, metrics, logs, correlation ids, bounds."""

import json
import logging

import pytest
from gateway.tests.serving import RunningGateway, StartGateway
from prometheus_client.parser import text_string_to_metric_families

from letgo_gateway.observability.logs import FIELDS, JsonFormatter, TextFormatter, correlation


def test_health_asks_the_database_and_version_says_what_it_is(gateway: RunningGateway) -> None:
    assert gateway.anybody.get("/health")["status"] == "ok"
    told = gateway.anybody.get("/version")
    assert (told["name"], told["database"]) == ("letgo-gateway", gateway.rooms.database.engine.dialect.name)


def test_metrics_count_requests_by_route_and_not_by_path(start: StartGateway) -> None:
    gateway = start(metrics_public=True)

    def counted(route: str, status: str) -> float:
        text = gateway.anybody.raw("GET", "/metrics").text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        wanted = {"route": route, "status": status}
        return sum(
            sample.value
            for sample in samples
            if sample.name == "letgo_gateway_request_seconds_count" and sample.labels.items() >= wanted.items()
        )

    before = counted("/tools/{entry_id}", "404"), counted("none", "404")
    for number in range(3):
        gateway.admin.get(f"/tools/{number:032}", 404)
        gateway.admin.get(f"/nowhere/{number}", 404)
    assert counted("/tools/{entry_id}", "404") - before[0] == 3
    assert counted("none", "404") - before[1] == 3
    text = gateway.anybody.raw("GET", "/metrics").text
    assert 'letgo_gateway_pool_connections{state="out"}' in text
    assert "letgo_" in text.replace("letgo_gateway_", ""), "the guard's own are among them"


def test_metrics_are_for_those_who_may_read_them(gateway: RunningGateway) -> None:
    gateway.anybody.get("/metrics", 401)
    gateway.user("ann").get("/metrics", 403)
    assert gateway.admin.raw("GET", "/metrics").status_code == 200
    assert gateway.admin.with_token(scopes=["metrics.read"]).raw("GET", "/metrics").status_code == 200


def test_a_correlation_id_is_taken_over_or_made_and_stands_in_the_log(
    start: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = start(access_log=True)
    seen: list[tuple[str | None, dict[str, object]]] = []

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((correlation.get(), getattr(record, FIELDS)))

    reader, log = Reader(), logging.getLogger("letgo_gateway.requests")
    with caplog.at_level(logging.INFO, log.name):
        log.addHandler(reader)
        try:
            given = gateway.anybody.raw("GET", "/version", headers={"X-Request-Id": "abc-1"})
            made = [
                gateway.anybody.raw("GET", "/version", headers=headers).headers["X-Request-Id"]
                for headers in ({}, {"X-Request-Id": "a b"}, {"X-Request-Id": "x" * 200})
            ]
        finally:
            log.removeHandler(reader)
    assert given.headers["X-Request-Id"] == "abc-1"
    assert len(set(made)) == 3
    assert all(len(one) == 32 for one in made)
    assert [request for request, _ in seen] == ["abc-1", *made]
    assert (seen[0][1]["method"], seen[0][1]["path"], seen[0][1]["status"]) == ("GET", "/version", 200)


def test_a_line_of_the_log_is_json_or_text_with_its_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "n", "msg": "said %s", "args": ("so",), "levelname": "INFO", FIELDS: {"a": 1}}
    )
    token = correlation.set("abc")
    try:
        line = json.loads(JsonFormatter().format(record))
        text = TextFormatter().format(record)
    finally:
        correlation.reset(token)
    assert (line["message"], line["a"], line["correlation_id"], line["level"]) == ("said so", 1, "abc", "info")
    assert text.endswith("n: said so a=1 correlation_id=abc")


def test_a_body_that_is_too_large_or_too_deep_is_refused(start: StartGateway) -> None:
    gateway = start(body_size=10_000)
    gateway.admin.post("/roots", {"name": "x" * 20_000, "uri": "file:///"}, expect=413)
    deep: object = "bottom"
    for _ in range(100):
        deep = [deep]
    card = {"name": "a", "url": "https://a.example"}
    assert "deeper than" in str(gateway.admin.post("/a2a", card | {"card": {"deep": deep}}, expect=422))
    bottomless = '{"a":' * 1500 + "1" + "}" * 1500
    for body in (bottomless, "{", "[" * 5000):
        answer = gateway.admin.raw("POST", "/a2a", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422)


def test_what_nobody_has_foreseen_is_a_500_that_names_the_line_in_the_log(
    start: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = start()
    monkeypatch.setattr("letgo_gateway.observability.health.platform", None)
    gateway.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    answer = gateway.anybody.raw("GET", "/version", headers={"X-Request-Id": "abc"})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "internal error", "correlation_id": "abc"}
