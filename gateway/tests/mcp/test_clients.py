"""Real clients work against the whole gateway: the SDKs of today in both eras, and those of the revisions before."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from gateway.conformance.installing import NotInstalled, environment, node
from gateway.tests.conftest import Prepared
from gateway.tests.mcp.serving import Json, in_loop
from gateway.tests.mcp.test_joined import Administrator, gateway_of, running

CLIENTS = Path(__file__).parent / "clients"
LEGACY, MODERN = "2025-11-25", "2026-07-28"
SEEN = {
    "structured": {"celsius": 21.5, "place": "Oslo"},
    "progress": [0, 50, 100],
    "log": ["Tool execution started", "Tool processing data", "Tool execution completed"],
    "asked": 'User response: action=accept, content={"response": "me"}',
    "sampled": "LLM response: Paris",
    "read": "This is the content of the static text resource.",
    "prompt": "Prompt with arguments: arg1='a', arg2='b'",
    "completed": ["paris", "park", "party"],
    "updated": "test://watched-resource",
}


def python1() -> tuple[Sequence[str], Path]:
    return (str(environment("mcp1")), str(CLIENTS / "python1.py")), CLIENTS


def python2() -> tuple[Sequence[str], Path]:
    return (sys.executable, str(CLIENTS / "python2.py")), CLIENTS


def typescript() -> tuple[Sequence[str], Path]:
    installed, code = node(), (CLIENTS / "typescript.mjs").read_text()
    return (str(installed.program), "--input-type=module", "--eval", code), installed.packages


@pytest.mark.parametrize(
    ("program", "mode", "version"),
    [
        (python1, (), LEGACY),
        (python2, ("legacy",), LEGACY),
        (python2, (MODERN,), MODERN),
        (typescript, ("1",), LEGACY),
        (typescript, ("2-legacy",), LEGACY),
        (typescript, ("2-modern",), MODERN),
    ],
    ids=["mcp-1.30", "mcp-2-legacy", "mcp-2-modern", "typescript-1", "typescript-2-legacy", "typescript-2-modern"],
)
@in_loop
async def test_everything_arrives_in_the_client(
    program: Any, mode: Sequence[str], version: str, on_sqlite: Prepared, sdk_upstream: str
) -> None:
    try:
        command, directory = program()
    except NotInstalled as reason:
        pytest.skip(str(reason))
    with on_sqlite.copy() as database_url:
        async with running(database_url, anonymous=True) as url, gateway_of(url, on_sqlite) as (ask, _):
            servers = [await published(ask, sdk_upstream, era) for era in ("legacy", "modern")]
            seen = await told_by([*command, *mode, *(f"{url}/servers/{server}/mcp" for server in servers)], directory)
    for each in seen:
        assert each.pop("version") == version
        assert {"structured", "test_tool_with_progress"} <= set(each.pop("tools"))
    assert seen == [SEEN, SEEN]


async def published(ask: Administrator, sdk_upstream: str, era: str) -> str:
    """The id of a virtual server with all that the SDK's server has, which speaks this era alone."""
    upstream = {"name": era, "url": sdk_upstream.replace("/mcp", f"/{era}/mcp"), "visibility": "public"}
    made = await ask("POST", "/gateways", upstream)
    items = [{"kind": "gateway", "id": made["id"]}]
    server = await ask("POST", "/servers", {"name": era, "visibility": "public", "items": items})
    while not (await ask("GET", f"/gateways/{made['id']}"))["reachable"]:
        await asyncio.sleep(0.05)
    found: str = server["id"]
    return found


async def told_by(command: Sequence[str], directory: Path) -> list[Json]:
    """What a program prints, an object on each line."""
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*command, cwd=directory, **pipes)
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return [json.loads(line) for line in output.splitlines()]
