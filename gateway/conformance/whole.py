"""The whole gateway, with its database and its guard: a public virtual server in front of one upstream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from starlette.types import ASGIApp

from letgo_gateway.app import create_app
from letgo_gateway.preparing import prepare
from letgo_gateway.settings import Settings

KEY = "a key that is long enough, and no secret"
PASSWORD = "a password that nobody needs to keep"


@asynccontextmanager
async def prepared() -> AsyncIterator[tuple[ASGIApp, Any]]:
    """An application over a database of its own, which raises where a transaction is held; and its administrator."""
    with TemporaryDirectory() as directory:
        settings = Settings(
            database_url=f"sqlite:///{Path(directory) / 'gateway.db'}",
            secret_key=KEY,
            allowed_upstreams=("127.0.0.1",),
            anonymous=True,
            guard="raise",
            log_level="warning",
            access_log=False,
        )
        yield create_app(settings), await prepare(settings)


async def virtual_server(gateway: str, administrator: Any, upstream: str) -> str:
    """Register an upstream, and publish all it has; returns the path of the virtual server."""
    async with httpx.AsyncClient(base_url=gateway, timeout=30) as http:

        async def post(path: str, **body: Any) -> Any:
            response = await http.post(path, json=body)
            response.raise_for_status()
            return response.json()

        begun = await post("/auth/login", email=administrator.email, password=administrator.password)
        http.headers["Authorization"] = f"Bearer {begun['access_token']}"
        begun = await post("/auth/email/change-password", old=administrator.password, new=PASSWORD)
        http.headers["Authorization"] = f"Bearer {begun['access_token']}"
        made = await post("/gateways", name="fixture", url=upstream, visibility="public")
        items = [{"kind": "gateway", "id": made["id"]}]
        server = await post("/servers", name="conformance", visibility="public", items=items)
        async with asyncio.timeout(30):
            while not (await http.get(f"/gateways/{made['id']}")).json()["reachable"]:
                await asyncio.sleep(0.1)
        return f"/servers/{server['id']}/mcp"
