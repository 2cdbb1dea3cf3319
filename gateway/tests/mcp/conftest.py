"""The upstream that the SDK serves, and whole gateways in front of it, in processes of their own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway.tests.conftest import Prepared
from gateway.tests.serving import KEY, PASSWORD

ROOT = Path(__file__).parents[3]
UPSTREAM = (sys.executable, "-m", "gateway.tests.mcp.upstream")
START_SECONDS = 120
DATABASES = {"legacy": "sqlite", "modern": "postgres", "stdio": "sqlite"}
"""By the way to the upstream: which database the gateway has that goes it."""


@contextmanager
def running(command: Sequence[str], port: int, env: Mapping[str, str]) -> Iterator[None]:
    """A program that listens on a port."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | env
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, **quiet)
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, f"{command} has ended"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def sdk_upstream() -> Iterator[str]:
    """The address of a server of the `mcp` SDK, which speaks both eras; see `fixture.with_eras`."""
    port = free_port()
    with running((*UPSTREAM, "--port", str(port)), port, {}):
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.fixture(scope="session")
def ways(sdk_upstream: str, on_sqlite: Prepared, on_postgres: Prepared) -> Iterator[Mapping[str, str]]:
    """Public virtual servers, each with all that the SDK's server has: by the way that leads to it, their addresses."""
    upstreams: dict[str, dict[str, Any]] = {
        "legacy": {"url": sdk_upstream.replace("/mcp", "/legacy/mcp")},
        "modern": {"url": sdk_upstream.replace("/mcp", "/modern/mcp")},
        "stdio": {
            "transport": "stdio",
            "command": [*UPSTREAM, "--stdio"],
            "secrets": {"PYTHONPATH": str(ROOT)},
        },
    }
    with ExitStack() as stack:
        gateways = {
            kind: stack.enter_context(whole_gateway(prepared))
            for kind, prepared in (("sqlite", on_sqlite), ("postgres", on_postgres))
        }
        yield {way: published(*gateways[DATABASES[way]], way, upstream) for way, upstream in upstreams.items()}


@contextmanager
def whole_gateway(prepared: Prepared) -> Iterator[tuple[str, str]]:
    """The address of a gateway that raises where a transaction is held, and the e-mail of its administrator."""
    port = free_port()
    with prepared.copy() as database_url:
        env = {
            "DATABASE_URL": database_url,
            "GATEWAY_PORT": str(port),
            "GATEWAY_SECRET_KEY": KEY,
            "GATEWAY_ANONYMOUS": "yes",
            "GATEWAY_GUARD": "raise",
            "GATEWAY_ALLOWED_UPSTREAMS": "127.0.0.1",
            "GATEWAY_POOL_TIMEOUT": "30",
        }
        with running((sys.executable, "-m", "letgo_gateway", "serve"), port, env):
            yield f"http://127.0.0.1:{port}", prepared.administrator.email


def published(url: str, email: str, name: str, upstream: Mapping[str, Any]) -> str:
    """The address of a virtual server with all that an upstream has."""
    with httpx.Client(base_url=url, timeout=START_SECONDS) as http:
        begun = http.post("/auth/login", json={"email": email, "password": PASSWORD}).json()
        http.headers["Authorization"] = f"Bearer {begun['access_token']}"
        made = http.post("/gateways", json={"name": name, "visibility": "public", **upstream}).json()
        items = [{"kind": "gateway", "id": made["id"]}]
        server = http.post("/servers", json={"name": name, "visibility": "public", "items": items}).json()
        deadline = time.monotonic() + START_SECONDS
        while not (known := http.get(f"/gateways/{made['id']}").json())["reachable"]:
            assert time.monotonic() < deadline, known
            time.sleep(0.05)
    return f"{url}/servers/{server['id']}/mcp"
