"""What the gateway itself answers: who may ask, how a request must be said, and what is listed."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gateway.conformance.memory import SECRET, Memory, agent_tool, catalogue, gateway, make_app, registered, service_of
from gateway.tests.mcp.serving import LEGACY, Json, RawClient, Stub, client, in_loop, meta, modern_headers, serve, text

from letgo_gateway.mcp.relay import Relay
from letgo_gateway.mcp.sessions import Sessions
from letgo_gateway.mcp.view import PAGE, View
from letgo_gateway.upstreams.discovery import Offer


async def echo(arguments: Json) -> Json:
    return text(str(arguments))


@asynccontextmanager
async def empty() -> AsyncIterator[RawClient]:
    """A client of a gateway that has nothing."""
    memory = Memory({None: catalogue()})
    async with serve(make_app(service_of(memory, Relay()))) as url, client(url) as caller:
        yield caller


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost:9999"}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "localhost.evil.example"}, 403),
    ],
)
@in_loop
async def test_only_pages_of_known_hosts_may_ask(headers: dict[str, str], status: int) -> None:
    async with empty() as caller:
        response = await caller.post("tools/list", {"_meta": meta()}, modern_headers("tools/list", {}) | headers)
        assert response.status_code == status


NAMED: Json = {"name": "x", "arguments": {}}


@pytest.mark.parametrize(
    ("method", "params", "headers", "status", "code"),
    [
        ("tools/list", {"_meta": {}}, {}, 400, -32602),
        ("tools/list", {"_meta": meta()}, {"mcp-protocol-version": LEGACY}, 400, -32020),
        ("tools/list", {"_meta": meta()}, {"mcp-method": "prompts/list"}, 400, -32020),
        ("tools/call", NAMED | {"_meta": meta()}, {"mcp-name": "y"}, 400, -32020),
        ("tools/call", NAMED | {"_meta": meta()}, {"mcp-name": "=?base64?eA==?="}, 400, -32602),
        ("tools/list", {"_meta": meta() | {"io.modelcontextprotocol/logLevel": "loud"}}, {}, 400, -32602),
        ("tools/list", {"_meta": meta(), "cursor": "nonsense\u00e9"}, {}, 400, -32602),
        ("ping", {"_meta": meta()}, {}, 404, -32601),
        ("resources/read", {"uri": "a:b", "_meta": meta()}, {}, 400, -32602),
    ],
)
@in_loop
async def test_a_modern_request_must_say_all_and_say_it_twice_alike(
    method: str, params: Json, headers: dict[str, str], status: int, code: int
) -> None:
    async with empty() as caller:
        response = await caller.post(method, params, modern_headers(method, params) | headers)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@in_loop
async def test_a_legacy_request_needs_a_session_of_its_own_client() -> None:
    async with empty() as caller:
        headers = {"accept": "application/json"}
        assert (await caller.post("tools/list", {}, headers)).status_code == 400
        wrong = headers | {"mcp-session-id": "nonsense"}
        assert (await caller.post("tools/list", {}, wrong)).status_code == 404
        assert (await caller.initialize("2025-06-18"))["protocolVersion"] == "2025-06-18"
        assert (await caller.initialize("1999-01-01"))["protocolVersion"] == LEGACY
        assert (await caller.legacy("tools/list"))["result"]["tools"] == []
        assert (await caller.legacy("nonsense"))["error"]["code"] == -32601
        old = caller.legacy_headers() | {"mcp-protocol-version": "1999-01-01"}
        assert (await caller.post("tools/list", {}, old)).status_code == 400


def test_the_id_of_a_session_is_good_on_each_worker_and_for_its_user_alone() -> None:
    first, second = Sessions(SECRET, Relay()), Sessions(SECRET, Relay())
    made = first.begin("ann", None, LEGACY, {"sampling": {}}, {"name": "c"})
    found = second.find(made.text, "ann", None)
    assert found is not None and found.capabilities == {"sampling": {}} and found.key == made.key
    assert second.find(made.text, "bob", None) is None
    assert second.find(made.text, "ann", "server") is None
    body, _, signature = made.text.partition(".")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "===").replace(b"ann", b"bob")).decode()
    assert second.find(f"{forged}.{signature}", "bob", None) is None
    assert Sessions(b"another secret", Relay()).find(made.text, "ann", None) is None
    with pytest.raises(ValueError, match="too long"):
        first.begin("ann", None, LEGACY, {"experimental": "x" * 10_000}, {})


def tool(name: str, **more: Any) -> Json:
    return {"name": name, "inputSchema": {"type": "object"}, **more}


def test_names_stay_what_they_are_unless_two_are_the_same() -> None:
    left, right = registered("left"), registered("right side")
    offers = (
        (left, Offer("x", tools=(tool("same"), tool("mine")))),
        (right, Offer("x", tools=(tool("same", title="T"),))),
    )
    view = View(catalogue(*offers), public=False)
    assert sorted(view.tools) == ["left__same", "mine", "right_side__same"]
    route, definition = view.tools["right_side__same"]
    assert (route.name, definition["title"]) == ("same", "T")
    assert definition["_meta"] == {"letgo.gateway/original": {"name": "same", "from": "right side"}}


def test_no_entry_is_lost_between_pages_when_others_come_and_go() -> None:
    one = registered("one")
    tools = [tool(f"t{number:04}") for number in range(PAGE + 10)]
    first = json_of(View(catalogue((one, Offer("x", tools=tuple(tools)))), False), None)
    changed = [tool("a new one"), *tools[50:]]
    rest = json_of(View(catalogue((one, Offer("x", tools=tuple(changed)))), False), first["nextCursor"])
    assert [each["name"] for each in rest["tools"]] == [f"t{number:04}" for number in range(PAGE, PAGE + 10)]
    assert "nextCursor" not in rest


def json_of(view: View, cursor: str | None) -> Json:
    found: Json = json.loads(view.page("tools/list", "legacy", cursor))
    return found


def test_a_legacy_client_is_not_shown_an_output_that_is_no_object() -> None:
    one = registered("one")
    offer = Offer(
        "x", tools=(tool("list", outputSchema={"type": "array"}), tool("map", outputSchema={"type": "object"}))
    )
    view = View(catalogue((one, offer)), False)
    old = {each["name"]: each for each in json_of(view, None)["tools"]}
    assert "outputSchema" not in old["list"] and "outputSchema" in old["map"]
    assert '"type":"array"' in view.page("tools/list", "modern", None)


@in_loop
async def test_an_agent_is_a_tool() -> None:
    async def agent(scope: Any, receive: Any, send: Any) -> None:
        task = {
            "kind": "task",
            "id": "t",
            "contextId": "c",
            "status": {"state": "completed"},
            "artifacts": [{"parts": [{"kind": "text", "text": "hello"}, {"kind": "data", "data": {"a": 1}}]}],
        }
        body = b'{"jsonrpc":"2.0","id":1,"result":' + json_text(task) + b"}"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with serve(agent) as at:
        tools = (agent_tool("agent", at),)
        async with gateway(tools=tools) as (app, _), serve(app) as url, client(url) as caller:
            result = (await caller.modern("tools/call", name="agent", arguments={"message": "hi"}))["result"]
            assert [one["text"] for one in result["content"]] == ["hello", '{"a":1}']
            assert result["structuredContent"]["contextId"] == "c" and not result["isError"]


def json_text(value: object) -> bytes:
    return json.dumps(value).encode()


@in_loop
async def test_rpc_answers_without_a_session() -> None:
    async with serve(Stub({"echo": echo})) as upstream:
        one = registered("stub", url=upstream + "/mcp")
        async with gateway(one) as (app, _), serve(app) as url, client(url, "/rpc") as caller:
            listed = (await caller.post("tools/list", {}, {})).json()
            assert [each["name"] for each in listed["result"]["tools"]] == ["echo"]
            called = (await caller.post("tools/call", {"name": "echo", "arguments": {"a": 1}}, {})).json()
            assert called["result"]["content"][0]["text"] == "{'a': 1}"
            assert (await caller.post("tools/call", {"name": "none"}, {})).json()["error"]["code"] == -32602
            assert (await caller.http.post(caller.url, content=b"[" * 100_000)).status_code == 400
