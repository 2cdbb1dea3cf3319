"""Works with servers as an application of `mcp` 2 would, and prints what it has seen of each."""

import asyncio
import json
import sys
from typing import Any

from mcp import Client
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    PromptReference,
    ResourceUpdatedNotification,
    TextContent,
)

WATCHED = "test://watched-resource"


async def main(url: str, mode: str) -> None:
    seen: dict[str, Any] = {"progress": [], "log": []}
    updated: asyncio.Queue[str] = asyncio.Queue()

    async def log(params: Any) -> None:
        seen["log"].append(params.data)

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen["progress"].append(done)

    async def elicit(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"response": "me"})

    async def sample(context: Any, params: Any) -> CreateMessageResult:
        return CreateMessageResult(role="assistant", model="none", content=TextContent(type="text", text="Paris"))

    async def hear(message: Any) -> None:
        if isinstance(told := getattr(message, "root", message), ResourceUpdatedNotification):
            updated.put_nowait(str(told.params.uri))

    able: Any = {
        "elicitation_callback": elicit,
        "sampling_callback": sample,
        "logging_callback": log,
        "message_handler": hear,
        "log_level": "info",
    }
    async with Client(url, mode=mode, **able) as client:
        seen["version"] = client.protocol_version
        seen["tools"] = [tool.name for tool in (await client.list_tools()).tools]
        seen["structured"] = (await client.call_tool("structured", {"place": "Oslo"})).structured_content
        await client.call_tool("test_tool_with_progress", {}, progress_callback=progress)
        if mode == "legacy":
            await client.set_logging_level("info")
        await client.call_tool("test_tool_with_logging", {})
        seen["asked"] = text_of((await client.call_tool("test_elicitation", {"message": "Who?"})).content[0])
        seen["sampled"] = text_of((await client.call_tool("test_sampling", {"prompt": "The capital?"})).content[0])
        seen["read"] = (await client.read_resource("test://static-text")).contents[0].text
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        seen["prompt"] = text_of(prompt.messages[0].content)
        ref = PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
        seen["completed"] = (await client.complete(ref, {"name": "arg1", "value": "par"})).completion.values
        if mode == "legacy":
            await client.subscribe_resource(WATCHED)
            await client.call_tool("touch", {})
            seen["updated"] = await updated.get()
        else:
            async with client.listen(resource_subscriptions=[WATCHED]) as changes:
                await client.call_tool("touch", {})
                seen["updated"] = (await anext(aiter(changes))).uri
    print(json.dumps(seen))


def text_of(content: Any) -> str:
    assert isinstance(content, TextContent)
    return content.text


mode, *urls = sys.argv[1:]
for url in urls:
    asyncio.run(main(url, mode))
