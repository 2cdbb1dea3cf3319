"""Whatever an upstream says reaches the client as it was said: through the whole gateway, in all pairings of eras.

Each check is made by clients of both eras, on three ways: to an upstream that knows the legacy era alone, to one that
knows the modern era alone, and to one on stdio that knows both. What the gateway passes on is compared with what
the upstream says when it is asked directly.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial

import pytest
from gateway.tests.mcp.serving import Json, in_loop
from gateway.tests.mcp.talking import LEGACY, MODERN, PREFIX, Talk, talk

Check = Callable[[Talk, Talk], Awaitable[None]]

OF_THE_ERA = frozenset({"resultType", "ttlMs", "cacheScope"})
"""What the eras say beside a result, each in its way."""
NOT_FOUND = (-32002, -32602)
"""A resource that is not there, in either era."""
WATCHED = "test://watched-resource"

REQUESTS: tuple[tuple[str, Json], ...] = (
    *(
        ("tools/call", {"name": name, "arguments": arguments})
        for name, arguments in (
            ("test_simple_text", {}),
            ("test_image_content", {}),
            ("test_audio_content", {}),
            ("test_embedded_resource", {}),
            ("test_multiple_content_types", {}),
            ("test_error_handling", {}),
            ("structured", {"place": "Tromsø \u2028"}),
            ("structured", {}),
            ("annotated", {}),
        )
    ),
    *(("resources/read", {"uri": f"test://{uri}"}) for uri in ("static-text", "static-binary", "annotated", "nothing")),
    ("resources/read", {"uri": "test://template/a b/data"}),
    ("prompts/get", {"name": "test_simple_prompt"}),
    ("prompts/get", {"name": "test_prompt_with_image", "arguments": {}}),
    ("prompts/get", {"name": "test_prompt_with_embedded_resource", "arguments": {"resourceUri": "test://a"}}),
    ("prompts/get", {"name": "annotated_prompt", "arguments": {"name": "Ada"}}),
    ("prompts/get", {"name": "test_prompt_with_arguments", "arguments": {"arg1": "a"}}),
    (
        "completion/complete",
        {
            "ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"},
            "argument": {"name": "arg1", "value": "par"},
            "context": {"arguments": {"arg2": "b"}},
        },
    ),
    (
        "completion/complete",
        {
            "ref": {"type": "ref/resource", "uri": "test://template/{id}/data"},
            "argument": {"name": "id", "value": "park"},
        },
    ),
)


def bare(message: Json) -> str:
    """A response without what the eras add; the order of its keys and its numbers are kept."""
    if "error" in message:
        error: Json = message["error"]
        return json.dumps(["not found" if error["code"] in NOT_FOUND else error["code"], error["message"]])
    result = {name: value for name, value in message["result"].items() if name not in OF_THE_ERA}
    if "_meta" in result:
        result["_meta"] = {name: value for name, value in result["_meta"].items() if not name.startswith(PREFIX)}
    return json.dumps({name: value for name, value in result.items() if name != "_meta" or value})


async def every_result_is_the_upstream_s_own(client: Talk, direct: Talk) -> None:
    for method, params in REQUESTS:
        expected, found = await direct.ask(method, **params), await client.ask(method, **params)
        assert bare(found) == bare(expected), (method, params)
        assert client.legacy or "result" not in found or found["result"]["resultType"] == "complete"


async def every_definition_is_the_upstream_s_own(client: Talk, direct: Talk) -> None:
    for method, member, key in (
        ("tools/list", "tools", "name"),
        ("prompts/list", "prompts", "name"),
        ("resources/list", "resources", "uri"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ):
        expected, found = [(await one.ask(method))["result"][member] for one in (direct, client)]
        assert [one[key] for one in found] == sorted(one[key] for one in expected)
        assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, expected))


async def progress_is_told_with_the_token_of_the_client(client: Talk, direct: Talk) -> None:
    params: Json = {"name": "test_tool_with_progress", "arguments": {}}
    for token in ("mine", 7, 0):
        *told, response = await client.all("tools/call", **params, _meta={"progressToken": token})
        assert [one["method"] for one in told] == ["notifications/progress"] * 3
        said = {"progressToken": token, "total": 100}
        steps = [said | {"progress": done, "message": f"Completed step {done} of 100"} for done in (0, 50, 100)]
        assert [one["params"] for one in told] == steps
        assert "error" not in response
    assert len(await client.all("tools/call", **params)) == 1


async def the_log_is_told_from_the_level_that_the_client_wants(client: Talk, direct: Talk) -> None:
    for level, wanted in (("critical", ["critical"]), ("warning", ["warning", "critical"])):
        client.log_level = level
        if client.legacy:
            assert "error" not in await client.ask("logging/setLevel", level=level)
        *told, _ = await client.all("tools/call", name="logs_each_level", arguments={})
        params = [{"level": one, "logger": "fixture", "data": {"at": one}} for one in wanted]
        assert [one["params"] for one in told] == params


async def meta_of_a_request_reaches_the_upstream(client: Talk, direct: Talk) -> None:
    meta = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "example.com/x": {"a": [1, None]}}
    told = (await client.ask("tools/call", name="told_beside", arguments={}, _meta=meta))["result"]
    assert json.loads(told["content"][0]["text"]) == meta


async def a_call_that_is_cancelled_ends_at_the_upstream(client: Talk, direct: Talk) -> None:
    before = (await happened(client))["cancelled"]
    params: Json = {"name": "works_until_cancelled", "arguments": {}, "_meta": {"progressToken": "p"}}
    async with client.saying("tools/call", **params) as said:
        _, working = await anext(said)
        assert working["params"]["message"] == "working"
        if client.legacy:
            await client.tell("notifications/cancelled", requestId=client.count, reason="no more")
            assert [message async for _, message in said] == []
    while (await happened(client))["cancelled"] == before:
        await asyncio.sleep(0.05)


async def happened(client: Talk) -> Mapping[str, int]:
    found: Mapping[str, int] = json.loads((await client.call("what_happened"))["content"][0]["text"])
    return found


ANSWERS: dict[str, Json] = {
    "sampling/createMessage": {
        "role": "assistant",
        "model": "small",
        "stopReason": "endTurn",
        "content": {"type": "text", "text": "ok"},
    },
    "elicitation/create": {"action": "accept", "content": {"response": "me", "name": "Ada", "color": "blue"}},
    "roots/list": {"roots": [{"uri": "file:///home", "name": "home"}]},
}


async def the_client_is_asked_what_the_upstream_asks(client: Talk, direct: Talk) -> None:
    def answer(question: Json) -> Json:
        return ANSWERS[question["method"]]

    def asked(questions: list[Json]) -> list[str]:
        """Without what one era has and the other has not."""
        dropped = ("_meta", "task", "elicitationId")
        kept = [
            {name: said for name, said in one.get("params", {}).items() if name not in dropped} for one in questions
        ]
        return [json.dumps([one["method"], params]) for one, params in zip(questions, kept, strict=True)]

    for tool, arguments in (
        ("asks", {"question": "sampling"}),
        ("asks", {"question": "roots"}),
        ("test_elicitation", {"message": "Who?"}),
        ("test_elicitation_sep1330_enums", {}),
        ("test_input_required_result_multi_round", {}),
        *([("asks", {"question": "visit"})] if client.version != "2025-06-18" else []),
    ):
        params: Json = {"name": tool, "arguments": arguments}
        expected, response = await direct.converse(answer, "tools/call", **params)
        questions, found = await client.converse(answer, "tools/call", **params)
        assert asked(questions) == asked(expected) != [], tool
        assert bare(found) == bare(response), tool
    for action in ("decline", "cancel"):
        params = {"name": "test_elicitation", "arguments": {"message": "Who?"}}
        _, found = await client.converse(partial(declined, action), "tools/call", **params)
        assert f"action={action}" in found["result"]["content"][0]["text"]


def declined(action: str, question: Json) -> Json:
    return {"action": action}


async def changes_are_told_to_who_listens(client: Talk, direct: Talk) -> None:
    async with client.hearing(WATCHED) as heard:
        for tool, told in (
            ("touch", "notifications/resources/updated"),
            ("test_trigger_tool_change", "notifications/tools/list_changed"),
            ("test_trigger_prompt_change", "notifications/prompts/list_changed"),
        ):
            await client.call(tool)
            message = await until(heard, told)
            assert told.endswith("list_changed") or message["params"]["uri"] == WATCHED


async def until(heard: AsyncIterator[tuple[str | None, Json]], method: str) -> Json:
    async for _, message in heard:
        if message["method"] == method:
            return message
    raise AssertionError(f"the stream ended before {method}")


CHECKS: tuple[Check, ...] = (
    every_result_is_the_upstream_s_own,
    every_definition_is_the_upstream_s_own,
    progress_is_told_with_the_token_of_the_client,
    the_log_is_told_from_the_level_that_the_client_wants,
    meta_of_a_request_reaches_the_upstream,
    a_call_that_is_cancelled_ends_at_the_upstream,
    the_client_is_asked_what_the_upstream_asks,
    changes_are_told_to_who_listens,
)


@pytest.mark.parametrize(
    ("version", "way"),
    [
        *((version, way) for version in (MODERN, LEGACY[0]) for way in ("legacy", "modern", "stdio")),
        (LEGACY[1], "modern"),
    ],
)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@in_loop
async def test_through_the_gateway(
    ways: Mapping[str, str], sdk_upstream: str, check: Check, version: str, way: str
) -> None:
    # What an upstream has that knows both eras, it was asked for in the modern one.
    asked = MODERN if check is every_definition_is_the_upstream_s_own else version
    spoken = LEGACY[0] if way == "legacy" or (way == "stdio" and asked != MODERN) else MODERN
    async with talk(ways[way], version) as client, talk(sdk_upstream, spoken) as direct:
        await check(client, direct)
