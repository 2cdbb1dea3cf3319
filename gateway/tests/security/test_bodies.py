"""Bodies that are too large, too deep, or no JSON that a database takes are refused on every route."""

import json
from typing import Any

import pytest
from gateway.tests.registry.test_entries import ENTRIES
from gateway.tests.serving import Caller, RunningGateway, StartGateway

DEPTHS = (65, 900, 1000, 100_000)
alike = pytest.mark.parametrize("prepared", ["sqlite"], indirect=True)
"""What never gets to the database need not be asked of both."""
HOSTS = ("testserver",)
ODD_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5000)
MODERN = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call"}


@pytest.fixture
def gateway(start: StartGateway) -> RunningGateway:
    return start(allowed_hosts=HOSTS)


def with_bodies(gateway: RunningGateway) -> list[tuple[str, str]]:
    """Method and path of all that take a body."""
    told = gateway.anybody.get("/openapi.json")["paths"]
    found = [(method.upper(), path) for path, known in told.items() for method in known]
    taking = [(method, path) for method, path in found if "requestBody" in told[path][method.lower()]]
    assert len(taking) > 30
    filled = [(method, path.replace("{", "").replace("}", "")) for method, path in taking]
    return [*filled, ("POST", "/rpc"), ("POST", "/mcp")]


def send(caller: Caller, method: str, path: str, body: str) -> Any:
    return caller.raw(method, path, content=body, headers={"Content-Type": "application/json"})


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@alike
def test_a_body_that_is_too_large_is_refused_on_every_route(start: StartGateway) -> None:
    gateway = start(body_size=2000, allowed_hosts=HOSTS)
    for method, path in with_bodies(gateway):
        for body in (nested(1500), '{"x": "' + "y" * 2000 + '"}'):
            answer = send(gateway.admin, method, path, body)
            assert answer.status_code == 413, (method, path, answer.text)
            assert answer.headers["connection"].lower() == "close"


@alike
def test_a_body_that_is_nested_too_deeply_is_refused_on_every_route(gateway: RunningGateway) -> None:
    for method, path in with_bodies(gateway):
        for depth in DEPTHS:
            for body in (nested(depth), '{"a":' * depth + "1" + "}" * depth):
                answer = send(gateway.admin, method, path, body)
                assert 400 <= answer.status_code < 500, (method, path, depth, answer.text)


@pytest.mark.parametrize("number", ODD_NUMBERS)
def test_numbers_that_json_or_the_database_has_no_room_for_are_refused(gateway: RunningGateway, number: str) -> None:
    entries = {
        "tools": ENTRIES["tools"] | {"annotations": {"x": "here"}},
        "a2a": ENTRIES["a2a"] | {"card": {"x": "here"}},
        "prompts": ENTRIES["prompts"] | {"messages": [{"role": "user", "content": {"x": "here"}}]},
    }
    for registry, given in entries.items():
        body = json.dumps(given).replace('"here"', number)
        answer = send(gateway.admin, "POST", f"/{registry}", body)
        assert answer.status_code in (400, 422), (registry, number, answer.text)
        document = json.dumps({"document": {"entries": {registry: [given]}}}).replace('"here"', number)
        assert send(gateway.admin, "POST", "/import", document).status_code in (400, 422)
        assert gateway.admin.get(f"/{registry}")["items"] == []


def calls(params: str) -> dict[str, str]:
    """A call of a tool with these arguments, as each of both eras says it, and as JSON-RPC alone."""
    meta = '{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
    plain = f'"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"forecast","arguments":{params}'
    return {"/rpc": "{" + plain + "}}", "/mcp": "{" + plain + f',"_meta":{meta}' + "}}"}


@alike
def test_arguments_of_tools_that_are_nested_deeply_are_refused_and_nothing_falls_over(gateway: RunningGateway) -> None:
    gateway.admin.post("/tools", ENTRIES["tools"] | {"input_schema": {"type": "object"}})
    for depth in (*DEPTHS, *range(100, 1000, 90)):
        for inner in (nested(depth), '{"a":' * depth + "1" + "}" * depth):
            for path, body in calls(f'{{"city":{inner}}}').items():
                check_call(gateway, path, body, "forecast")


@alike
def test_arguments_that_are_no_finite_numbers_fail_the_call_alone(gateway: RunningGateway) -> None:
    for method in ("GET", "POST"):
        name = f"forecast{method}"
        gateway.admin.post("/tools", ENTRIES["tools"] | {"method": method, "name": name})
        for number in ODD_NUMBERS:
            for place in (number, f'{{"a": [{number}]}}'):
                for path, body in calls(f'{{"city": {place}, "more": {place}}}').items():
                    check_call(gateway, path, body.replace("forecast", name), name)


def check_call(gateway: RunningGateway, path: str, body: str, name: str) -> None:
    """It fails for who calls, in the words of the protocol."""
    headers = MODERN | {"Content-Type": "application/json", "Mcp-Name": name}
    answer = gateway.admin.raw("POST", path, content=body, headers=headers)
    assert answer.status_code < 500, (path, body[:200], answer.text)
    said = answer.json()
    assert "error" in said or said["result"]["isError"], (path, body[:200], answer.text)


@alike
def test_headers_of_a_session_that_are_no_session_are_refused(gateway: RunningGateway) -> None:
    body = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
    for text in ("", ".", "a.b", "x" * 5000, "\u00e9.\u00e9", nested(900)):
        for method in ("POST", "GET", "DELETE"):
            headers = {"Mcp-Session-Id": text.encode("latin-1"), "Accept": "text/event-stream, application/json"}
            headers["Content-Type"] = "application/json"
            content = body if method == "POST" else None
            answer = gateway.admin.raw(method, "/mcp", content=content, headers=headers)
            assert answer.status_code in (400, 404), (method, text, answer.text)
