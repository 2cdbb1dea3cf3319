"""Works with servers as an application of `mcp` 1.30 would, and prints what it has seen of each."""

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import CreateMessageResult, ElicitResult, PromptReference, ResourceUpdatedNotification, TextContent
from pydantic import AnyUrl


async def main(url: str) -> None:
    seen: dict[str, Any] = {"progress": [], "log": []}
    updated = asyncio.Event()

    async def log(params: Any) -> None:
        seen["log"].append(params.data)

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen["progress"].append(done)

    async def elicit(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"response": "me"})

    async def sample(context: Any, params: Any) -> CreateMessageResult:
        return CreateMessageResult(role="assistant", model="none", content=TextContent(type="text", text="Paris"))

    async def roots(context: Any) -> Any:
        raise AssertionError("nobody asks for roots here")

    async def hear(message: Any) -> None:
        if isinstance(told := getattr(message, "root", message), ResourceUpdatedNotification):
            seen["updated"] = str(told.params.uri)
            updated.set()

    able: Any = {
        "elicitation_callback": elicit,
        "sampling_callback": sample,
        "list_roots_callback": roots,
        "logging_callback": log,
        "message_handler": hear,
    }
    async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write, **able) as session:
        seen["version"] = (await session.initialize()).protocolVersion
        seen["tools"] = [tool.name for tool in (await session.list_tools()).tools]
        seen["structured"] = (await session.call_tool("structured", {"place": "Oslo"})).structuredContent
        await session.call_tool("test_tool_with_progress", {}, progress_callback=progress)
        await session.set_logging_level("info")
        await session.call_tool("test_tool_with_logging", {})
        seen["asked"] = (await session.call_tool("test_elicitation", {"message": "Who?"})).content[0].text
        seen["sampled"] = (await session.call_tool("test_sampling", {"prompt": "The capital?"})).content[0].text
        seen["read"] = (await session.read_resource(AnyUrl("test://static-text"))).contents[0].text
        prompt = await session.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        seen["prompt"] = prompt.messages[0].content.text
        ref = PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
        seen["completed"] = (await session.complete(ref, {"name": "arg1", "value": "par"})).completion.values
        await session.subscribe_resource(AnyUrl("test://watched-resource"))
        await session.call_tool("touch", {})
        await updated.wait()
    print(json.dumps(seen))


for url in sys.argv[1:]:
    asyncio.run(main(url))
