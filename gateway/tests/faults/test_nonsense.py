"""What an upstream says may be nonsense: what is not is still there, for all, and on both databases."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from gateway.conformance.memory import gateway, rest_tool
from gateway.tests.mcp.serving import Json, Stub, client, in_loop, listening, read_request, serve, text
from gateway.tests.mcp.test_joined import gateway_of, running, until_listed
from hypothesis import given
from hypothesis import strategies as st

from letgo_gateway.mcp.templates import MOST_EXPRESSIONS, parse_template

OBJECT: Json = {"type": "object"}


def nested(levels: int) -> Any:
    found: Any = "deep"
    for _ in range(levels):
        found = [found]
    return found


NONSENSE: list[Any] = [
    None,
    "a name",
    {"inputSchema": OBJECT},
    {"name": 7, "inputSchema": OBJECT},
    {"name": "", "inputSchema": OBJECT},
    {"name": "x" * 256, "inputSchema": OBJECT},
    {"name": "nul\0", "inputSchema": OBJECT},
    {"name": "half \ud800", "inputSchema": OBJECT},
    {"name": "described", "description": {"of": "what"}, "inputSchema": OBJECT},
    {"name": "meta", "_meta": ["x"], "inputSchema": OBJECT},
    {"name": "deep", "inputSchema": {"default": nested(500)}},
    {"name": "inside", "inputSchema": {"title": "a\0b"}},
]
GOOD = {"name": "good", "inputSchema": OBJECT, "_meta": {"kept": [1.0, "\u00e9"]}}


class Nonsense(Stub):
    async def _result(self, asked: Json) -> Json:
        match asked["method"]:
            case "server/discover":
                capabilities = {"tools": {}, "resources": True, "prompts": {"x": "a\0b"}, "logging": ["x"]}
                said: Json = {"supportedVersions": ["2026-07-28"], "capabilities": capabilities}
                said |= {"instructions": "half \udfff", "serverInfo": [1], "_meta": "x"}
            case "tools/list":
                said = {"tools": [*NONSENSE, GOOD]}
            case _:
                return await super()._result(asked)
        return {"resultType": "complete", **said}


@in_loop
async def test_nonsense_among_what_an_upstream_has_is_left_out(prepared: Any, database_url: str) -> None:
    async def good(arguments: Json) -> Json:
        return text("well")

    async with (
        serve(Nonsense({"good": good})) as upstream,
        running(database_url) as url,
        gateway_of(url, prepared) as (ask, signed_in),
    ):
        caller = await signed_in(ask.token)
        made = await ask("POST", "/gateways", {"name": "stub", "url": upstream + "/mcp"})
        await until_listed(caller, "good")
        assert (await caller.modern("tools/list"))["result"]["tools"] == [GOOD]
        assert (await caller.modern("server/discover"))["result"]["capabilities"]["tools"]
        assert (await caller.initialize())["capabilities"]["tools"]
        called = await caller.modern("tools/call", name="good", arguments={})
        assert called["result"]["content"][0]["text"] == "well"
        kept = await ask("GET", f"/gateways/{made['id']}")
        assert (kept["reachable"], kept["capabilities"]) == (True, {"tools": {}})


@pytest.mark.parametrize(
    ("body", "fine"),
    [
        (b'{"a": 1}', True),
        (b'{"a": NaN}', True),  # no JSON, so it is text
        (b'{"a": 1e999}', False),
        (b'{"a":' * 100_000, True),
        (json.dumps({"a": nested(900)}).encode(), None),  # as deep as the stack happens to be
        (b"\xff", False),
    ],
)
@in_loop
async def test_an_endpoint_may_answer_with_anything(body: bytes, fine: bool | None) -> None:
    async def connected(reader: Any, writer: Any) -> None:
        await read_request(reader)
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    async with listening(connected) as endpoint:
        tool = rest_tool("odd", endpoint)
        async with gateway(tools=(tool,)) as (app, _), serve(app) as url, client(url) as caller:
            result = (await caller.modern("tools/call", name="odd", arguments={}))["result"]
    assert fine is None or result["isError"] is not fine


@in_loop
async def test_an_argument_that_is_no_text_is_an_error_of_the_tool() -> None:
    tool = rest_tool("book", "http://127.0.0.1:1/books/{id}")
    async with gateway(tools=(tool,)) as (app, _), serve(app) as url, client(url) as caller:
        message = (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"book","arguments":{"id":"\\ud800"}}}'
        )
        response = await caller.http.post(f"{url}/rpc", content=message)
    assert response.json()["result"]["isError"]


def as_expression(template: str) -> re.Pattern[str]:
    """What a template can make, as one would write it if all templates were well meant."""
    parts = []
    for literal, expression in re.findall(r"([^{]*)(?:\{([^}]*)\})?", template):
        any_text = expression[:1] in set("+#/?&;.") or expression.endswith("*")
        parts += [re.escape(literal), (".*" if any_text else "[^/?#]+") if expression else ""]
    return re.compile("".join(parts))


pieces: Callable[..., Any] = st.sampled_from


@given(st.lists(pieces(["a", "b", "/", "{x}", "{+y}", "{z*}", "ab"]), max_size=6), st.lists(pieces("ab/"), max_size=8))
def test_a_template_fits_what_it_can_make(template: list[str], uri: list[str]) -> None:
    made, expected = parse_template("".join(template)), as_expression("".join(template))
    assert made is not None
    assert made.fits("".join(uri)) == (expected.fullmatch("".join(uri)) is not None)


def test_a_template_of_a_thousand_expressions_fits_nothing() -> None:
    assert parse_template("{x}" * (MOST_EXPRESSIONS + 1)) is None
    many = parse_template("x://" + "{+a}/" * MOST_EXPRESSIONS + "z")
    assert many is not None and not many.fits("x://" + "/" * 2000 + "y")
