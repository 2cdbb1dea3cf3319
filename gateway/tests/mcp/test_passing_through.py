"""Whatever an upstream says reaches the client as it was said, in all four pairings of eras and over stdio."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from gateway.conformance.memory import gateway, registered
from gateway.tests.mcp.conftest import FIXTURE
from gateway.tests.mcp.serving import Json, RawClient, client, data_of, following, in_loop, meta, modern_headers, serve

from letgo_gateway.upstreams.calls import Era


async def call(caller: RawClient, era: Era, tool: str, **arguments: Any) -> Json:
    asked = caller.modern if era == "modern" else caller.legacy
    answer = await asked("tools/call", name=tool, arguments=arguments)
    result: Json = answer["result"]
    return result


async def content_of_every_kind_arrives_in_both_eras(caller: RawClient) -> None:
    await caller.initialize()
    for era in ("legacy", "modern"):
        assert (await call(caller, era, "test_simple_text"))["content"][0]["text"].startswith("This is a simple")
        assert (await call(caller, era, "test_image_content"))["content"][0]["mimeType"] == "image/png"
        assert (await call(caller, era, "test_audio_content"))["content"][0]["type"] == "audio"
        mixed = await call(caller, era, "test_multiple_content_types")
        assert [one["type"] for one in mixed["content"]] == ["text", "image", "resource"]
        reading = await call(caller, era, "structured", place="Oslo")
        assert reading["structuredContent"] == {"celsius": 21.5, "place": "Oslo"}
        failed = await call(caller, era, "test_error_handling")
        assert failed["isError"] and "test_error_handling" in failed["content"][0]["text"]


async def progress_has_the_token_of_the_client(caller: RawClient) -> None:
    await caller.initialize()
    for era in ("legacy", "modern"):
        params: Json = {"name": "test_tool_with_progress", "arguments": {}}
        token = {"progressToken": f"mine-{era}"}
        headers = modern_headers("tools/call", params) if era == "modern" else caller.legacy_headers()
        params["_meta"] = meta(**token) if era == "modern" else token
        messages = caller.messages(await caller.post("tools/call", params, headers))
        told = [one["params"] for one in messages if one.get("method") == "notifications/progress"]
        assert [one["progress"] for one in told] == [0, 50, 100]
        assert {one["progressToken"] for one in told} == {f"mine-{era}"}


async def definitions_are_listed_as_the_upstream_gives_them(caller: RawClient) -> None:
    await caller.initialize()
    for answer in (await caller.legacy("tools/list"), await caller.modern("tools/list")):
        tools = {tool["name"]: tool for tool in answer["result"]["tools"]}
        assert list(tools) == sorted(tools)
        schema = tools["json_schema_2020_12_tool"]["inputSchema"]
        assert schema["$defs"]["address"]["$anchor"] == "addressDef" and schema["additionalProperties"] is False
        assert tools["structured"]["outputSchema"]["required"] == ["celsius", "place"]


async def resources_prompts_and_completions_are_answered_by_their_upstream(caller: RawClient) -> None:
    await caller.initialize()
    for ask in (caller.legacy, caller.modern):
        read = (await ask("resources/read", uri="test://template/7/data"))["result"]["contents"][0]
        assert '"id": "7"' in read["text"]
        prompt = await ask("prompts/get", name="test_prompt_with_arguments", arguments={"arg1": "a", "arg2": "b"})
        assert "arg1='a', arg2='b'" in prompt["result"]["messages"][0]["content"]["text"]
        ref = {"type": "ref/prompt", "name": "test_prompt_with_arguments"}
        completed = await ask("completion/complete", ref=ref, argument={"name": "arg1", "value": "par"})
        assert completed["result"]["completion"]["values"] == ["paris", "park", "party"]


async def a_modern_client_answers_the_question_of_any_upstream(caller: RawClient) -> None:
    able = {"elicitation": {}}
    tool: Json = {"name": "test_input_required_result_multi_round", "arguments": {}}
    first = (await caller.modern("tools/call", able, **tool))["result"]
    assert first["resultType"] == "input_required"
    second = (await caller.modern("tools/call", able, **tool, **answered(first, {"name": "Ada"})))["result"]
    assert second["resultType"] == "input_required" and second["requestState"] != first["requestState"]
    last = (await caller.modern("tools/call", able, **tool, **answered(second, {"color": "blue"})))["result"]
    assert last["content"][0]["text"] == "Ada likes blue"


def answered(result: Json, content: Json) -> Json:
    key = next(iter(result["inputRequests"]))
    return {
        "inputResponses": {key: {"action": "accept", "content": content}},
        "requestState": result["requestState"],
    }


async def a_legacy_client_is_asked_in_the_stream_of_its_request(caller: RawClient) -> None:
    await caller.initialize(elicitation={})
    body = {"jsonrpc": "2.0", "id": 77, "method": "tools/call"}
    body |= {"params": {"name": "test_elicitation", "arguments": {"message": "Who?"}}}
    messages = []
    async with caller.http.stream("POST", caller.url, json=body, headers=caller.legacy_headers()) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            messages.append(data_of(line))
            if messages[-1].get("method") == "elicitation/create":
                result = {"action": "accept", "content": {"response": "me"}}
                answer = {"jsonrpc": "2.0", "id": messages[-1]["id"], "result": result}
                taken = await caller.http.post(caller.url, json=answer, headers=caller.legacy_headers())
                assert taken.status_code == 202
    assert messages[-1]["id"] == 77
    assert 'content={"response": "me"}' in messages[-1]["result"]["content"][0]["text"]


async def who_subscribes_to_a_resource_hears_of_it(caller: RawClient) -> None:
    uri = "test://watched-resource"
    params: Json = {"notifications": {"resourceSubscriptions": [uri]}, "_meta": meta()}
    body = {"jsonrpc": "2.0", "id": 5, "method": "subscriptions/listen", "params": params}
    headers = modern_headers("subscriptions/listen", {})
    async with caller.http.stream("POST", caller.url, json=body, headers=headers) as response:
        lines = response.aiter_lines()
        acknowledged = await following(lines)
        assert acknowledged["params"]["notifications"]["resourceSubscriptions"] == [uri]
        await caller.modern("tools/call", name="touch", arguments={})
        told = await following(lines)
    assert told["method"] == "notifications/resources/updated"
    assert told["params"]["uri"] == uri
    assert told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 5


@in_loop
async def test_a_legacy_client_hears_of_a_resource_in_its_own_stream(sdk_upstream: str) -> None:
    one = registered("sdk", url=sdk_upstream)
    uri = "test://watched-resource"
    async with gateway(one, only="modern") as (app, _), serve(app) as url, client(url) as caller:
        await caller.initialize()
        async with caller.http.stream("GET", caller.url, headers=caller.legacy_headers()) as response:
            assert response.status_code == 200
            assert "error" not in await caller.legacy("resources/subscribe", uri=uri)
            await asyncio.sleep(0)
            await caller.legacy("tools/call", name="touch", arguments={})
            told = await following(response.aiter_lines())
        assert (told["method"], told["params"]["uri"]) == ("notifications/resources/updated", uri)


CHECKS = (
    content_of_every_kind_arrives_in_both_eras,
    progress_has_the_token_of_the_client,
    definitions_are_listed_as_the_upstream_gives_them,
    resources_prompts_and_completions_are_answered_by_their_upstream,
    a_modern_client_answers_the_question_of_any_upstream,
    a_legacy_client_is_asked_in_the_stream_of_its_request,
    who_subscribes_to_a_resource_hears_of_it,
)


@pytest.mark.parametrize("upstream_era", ["legacy", "modern"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@in_loop
async def test_over_http(sdk_upstream: str, upstream_era: Era, check: Callable[[RawClient], Awaitable[None]]) -> None:
    one = registered("sdk", url=sdk_upstream)
    async with gateway(one, only=upstream_era) as (app, _), serve(app) as url, client(url) as caller:
        await check(caller)


@in_loop
async def test_over_stdio() -> None:
    one = registered("sdk", command=(sys.executable, str(FIXTURE), "--stdio"))
    async with gateway(one) as (app, _), serve(app) as url:
        for check in CHECKS:
            async with client(url) as caller:
                await check(caller)
