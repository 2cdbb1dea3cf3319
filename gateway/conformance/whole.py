"""The whole gateway, with its database and its guard: a public virtual server in front of one upstream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvicorn
from starlette.types import ASGIApp

from letgo_gateway.app import create_app
from letgo_gateway.preparing import prepare
from letgo_gateway.settings import Settings

FIXTURE = Path(__file__).parent / "fixture.py"
KEY = "a key that is long enough, and no secret"
PASSWORD = "a password that nobody needs to keep"
EMAIL = "admin@example.com"


@asynccontextmanager
async def served(database_url: str, **upstream: Any) -> AsyncIterator[str]:
    """The address of a virtual server with all that this upstream has; a transaction that is held is an error."""
    settings = Settings(
        database_url=database_url,
        secret_key=KEY,
        allowed_upstreams=("127.0.0.1",),
        anonymous=True,
        guard="raise",
        log_level="warning",
        access_log=False,
    )
    administrator = await prepare(settings)
    async with listening(create_app(settings)) as at, httpx.AsyncClient(base_url=at, timeout=60) as http:
        if administrator is not None:
            await change_password(http, administrator.password)
        await log_in(http, PASSWORD)
        server, gateway = await publish(http, upstream)
        yield f"{at}/servers/{server}/mcp"
        await http.delete(f"/gateways/{gateway}")


async def log_in(http: httpx.AsyncClient, password: str) -> None:
    begun = await post(http, "/auth/login", email=EMAIL, password=password)
    http.headers["Authorization"] = f"Bearer {begun['access_token']}"


async def change_password(http: httpx.AsyncClient, one_time: str) -> None:
    await log_in(http, one_time)
    await post(http, "/auth/email/change-password", old=one_time, new=PASSWORD)


async def publish(http: httpx.AsyncClient, upstream: dict[str, Any]) -> tuple[str, str]:
    """Register an upstream, and publish all it has: the ids of the virtual server and of the upstream."""
    name = uuid4().hex
    made = await post(http, "/gateways", name=name, visibility="public", **upstream)
    items = [{"kind": "gateway", "id": made["id"]}]
    server = await post(http, "/servers", name=name, visibility="public", items=items)
    async with asyncio.timeout(60):
        while not (await http.get(f"/gateways/{made['id']}")).json()["reachable"]:
            await asyncio.sleep(0.1)
    return server["id"], made["id"]


async def post(http: httpx.AsyncClient, path: str, **body: Any) -> Any:
    response = await http.post(path, json=body)
    response.raise_for_status()
    return response.json()


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """The address of an application."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():
        await asyncio.sleep(0.05)
    try:
        yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
