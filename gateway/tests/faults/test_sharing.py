"""Trouble of one call, session or process is not that of others, and nothing of it stays."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway.conformance.memory import registered
from gateway.leaks.processes import running
from gateway.tests.mcp.serving import in_loop

from letgo_gateway.upstreams import stdio, upstream
from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.calls import Call, Caller, given
from letgo_gateway.upstreams.endpoints import Endpoint
from letgo_gateway.upstreams.errors import Busy, Garbage, Unreachable
from letgo_gateway.upstreams.fleet import Fleet
from letgo_gateway.upstreams.health import FAILURES, FIRST_PAUSE, Breaker
from letgo_gateway.upstreams.http import Http
from letgo_gateway.upstreams.upstream import Tracked, Upstream

SERVER = """
import json, os, subprocess, sys
child = subprocess.Popen(["sleep", sys.argv[1]])
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    said = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}
    if asked["method"] == "server/discover":
        said = {"supportedVersions": []}
    if asked["method"] == "tools/call":
        match asked["params"]["name"]:
            case "die":
                os._exit(1)
            case "long":
                print("x" * 3000, flush=True)
                continue
            case "never":
                continue
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": said}), flush=True)
"""


def program(tmp_path: Path, child: str, timeout: float = 100.0) -> Upstream:
    """An upstream on stdio that has started a `sleep` of so many seconds."""
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    command = (sys.executable, str(path), child)
    return Upstream(Endpoint("one", "one", "stdio", command=command, timeout=timeout, only="legacy"), Http(Reach()))


async def call(called: Upstream, name: str, user: str = "ann") -> Tracked:
    return await called.open(Call("tools/call", given(name=name, arguments={}), Caller(user)))


async def until_gone(child: str) -> None:
    while running("sleep", child):
        await asyncio.sleep(0.05)


@in_loop
async def test_a_process_that_dies_is_seen_to_and_what_it_has_started_goes_with_it(tmp_path: Path) -> None:
    called = program(tmp_path, "86401")
    exchange = await call(called, "die")
    with pytest.raises(Unreachable):  # though its child holds its pipes open
        await exchange.next()
    await until_gone("86401")
    again = await call(called, "well")
    assert (await again.next()).result is not None
    assert running("sleep", "86401") == 1
    await called.close()
    await until_gone("86401")


@in_loop
async def test_a_process_that_a_call_still_waits_for_when_its_upstream_is_forgotten_ends_with_the_gateway(
    tmp_path: Path,
) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    fleet = Fleet(Http(Reach()), lambda secrets: {})
    async with fleet.opened():
        called = fleet.of(registered("one", command=(sys.executable, str(tmp_path / "server.py"), "86404")))
        await call(called, "never")
        fleet.forget(frozenset())
        await asyncio.sleep(0)
        assert running("sleep", "86404")
    await until_gone("86404")


@in_loop
async def test_a_process_whose_line_has_no_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "LONGEST_LINE", 1000)
    called = program(tmp_path, "86402")
    exchange = await call(called, "long")
    with pytest.raises(Garbage, match="longer than 1000 bytes"):
        await exchange.next()
    await until_gone("86402")
    await called.close()


@in_loop
async def test_no_session_is_closed_for_another_while_a_call_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "MOST_PROCESSES", 2)
    called = program(tmp_path, "86403")
    anns = await call(called, "never", "ann")
    bobs = await call(called, "well", "bob")
    with pytest.raises(Busy):
        await call(called, "well", "cid")
    await bobs.next()
    cids = await call(called, "well", "cid")  # Bob's has nothing to do any more
    assert (await cids.next()).result is not None
    assert called.active == 1 and {key[1] for key in called._sessions} == {"ann", "cid"}
    anns.cancel()
    await called.close()
    await until_gone("86403")


@in_loop
async def test_a_session_that_nobody_has_used_for_long_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = program(tmp_path, "86404")
    first, second = await call(called, "never", "ann"), await call(called, "well", "bob")
    await second.next()
    called.tidy()
    assert len(called._sessions) == 2
    monkeypatch.setattr(upstream, "IDLE_SECONDS", -1.0)
    called.tidy()
    assert {key[1] for key in called._sessions} == {"ann"}
    first.cancel()
    called.tidy()
    assert not called._sessions
    await until_gone("86404")
    await called.close()


def test_many_calls_that_fail_together_are_one_failure() -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    for _ in range(100 * FAILURES):
        breaker.failed()
    for pause in (FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE):
        now += pause - 0.01
        with pytest.raises(Exception, match="is tried again"):
            breaker.check()
        now += 0.02
        breaker.check()
        breaker.failed()
        breaker.failed()  # one of those that were under way all the time
    breaker.succeeded()
    breaker.check()


def test_the_programs_of_the_scenes_are_whole() -> None:
    """They run in processes of their own, where nobody sees them fail."""
    path = Path(__file__).parents[2] / "leaks" / "stdio_upstream.py"
    asked = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n'
    run: Any = subprocess.run([sys.executable, str(path), "slow", "0"], input=asked, capture_output=True, check=True)
    assert b'"slow_stdio"' in run.stdout
