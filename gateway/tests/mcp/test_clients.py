"""Real clients work against the gateway: the SDK's of today, and that of the revisions before 2026."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway.conformance.memory import gateway, registered
from gateway.tests.mcp.serving import Json, in_loop, serve
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitResult, TextContent

ROOT = Path(__file__).parents[3]
OLD = ROOT / ".conformance" / "mcp1"
PINS = ROOT / "requirements" / "mcp1.txt"
INSTALL_SECONDS = 240

ERAS = pytest.mark.parametrize("upstream_era", ["legacy", "modern"])


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@ERAS
@in_loop
async def test_the_client_of_mcp_2(sdk_upstream: str, upstream_era: Any, mode: str) -> None:
    told: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(done)

    async def elicit(context: object, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"response": "me", "name": "Ada", "color": "blue"})

    one = registered("sdk", url=sdk_upstream)
    async with gateway(one, only=upstream_era) as (app, _), serve(app) as url:
        client = Client(f"{url}/mcp", mode=mode, elicitation_callback=elicit)
        async with client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert tools["structured"].output_schema is not None
            reading = await client.call_tool("structured", {"place": "Oslo"})
            assert reading.structured_content == {"celsius": 21.5, "place": "Oslo"}
            await client.call_tool("test_tool_with_progress", {}, progress_callback=progress)
            assert told == [0, 50, 100]
            asked = await client.call_tool("test_elicitation", {"message": "Who?"})
            assert isinstance(asked.content[0], TextContent) and '"response": "me"' in asked.content[0].text
            read = await client.read_resource("test://static-text")
            assert read.contents[0].mime_type == "text/plain"
            prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
            assert len(prompt.messages) == 1


OLD_CLIENT = """
import asyncio, json, sys
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import ElicitResult

async def main(url):
    seen = {"progress": [], "log": []}
    async def log(params): seen["log"].append(params.data)
    async def progress(done, total, message): seen["progress"].append(done)
    async def elicit(context, params): return ElicitResult(action="accept", content={"response": "me"})
    async with streamablehttp_client(url) as (read, write, _):
        async with ClientSession(read, write, elicitation_callback=elicit, logging_callback=log) as session:
            seen["version"] = (await session.initialize()).protocolVersion
            seen["tools"] = [tool.name for tool in (await session.list_tools()).tools]
            reading = await session.call_tool("structured", {"place": "Oslo"})
            seen["structured"] = reading.structuredContent
            await session.call_tool("test_tool_with_progress", {}, progress_callback=progress)
            await session.call_tool("test_tool_with_logging", {})
            asked = await session.call_tool("test_elicitation", {"message": "Who?"})
            seen["asked"] = asked.content[0].text
            seen["read"] = (await session.read_resource("test://static-text")).contents[0].text
            await session.subscribe_resource("test://watched-resource")
    print(json.dumps(seen))

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def old_python() -> str:
    """The Python of an environment with `mcp` 1.30. Skips, and says why, where it can't be installed."""
    python, wanted, stamp = OLD / "bin" / "python", PINS.read_text(), OLD / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = [sys.executable, "-m", "uv", "--quiet"]
        try:
            for run in (
                [*uv, "venv", "--clear", "--python", sys.executable, str(OLD)],
                [*uv, "pip", "install", "--python", str(python), "--require-hashes", "-r", str(PINS)],
            ):
                subprocess.run(run, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.skip(f"mcp 1.30 could not be installed within {INSTALL_SECONDS} s")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"mcp 1.30 could not be installed: {error.stderr.strip().splitlines()[-1:]}")
        stamp.write_text(wanted)
    return str(python)


@in_loop
async def test_the_client_of_mcp_1_30(sdk_upstream: str, old_python: str) -> None:
    for upstream_era in ("legacy", "modern"):
        seen = await told_by_old_client(sdk_upstream, upstream_era, old_python)
        assert seen["version"] == "2025-11-25"
        assert "structured" in seen["tools"] and seen["structured"] == {"celsius": 21.5, "place": "Oslo"}
        assert seen["progress"] == [0, 50, 100] and len(seen["log"]) == 3
        assert '"response": "me"' in seen["asked"]
        assert seen["read"].startswith("This is the content")


async def told_by_old_client(upstream: str, upstream_era: Any, python: str) -> Json:
    one = registered("sdk", url=upstream)
    async with gateway(one, only=upstream_era) as (app, _), serve(app) as url:
        run = (python, "-c", OLD_CLIENT, f"{url}/mcp")
        process = await asyncio.create_subprocess_exec(*run, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    seen: Json = json.loads(output)
    return seen
