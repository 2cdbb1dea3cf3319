"""The whole gateway: upstreams that are registered are found, and called by who may call them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from gateway.tests.mcp.serving import (
    Json,
    RawClient,
    Stub,
    client,
    following,
    in_loop,
    meta,
    modern_headers,
    serve,
    text,
)
from gateway.tests.serving import PASSWORD, quick

from letgo_gateway.app import create_app

WAIT = 60.0
SignedIn = Callable[..., Awaitable[RawClient]]


async def echo(arguments: Json) -> Json:
    return text(str(arguments.get("say")))


@asynccontextmanager
async def running(database_url: str, **settings: Any) -> AsyncIterator[str]:
    app = create_app(quick(database_url, allowed_upstreams=("127.0.0.1",), **settings))
    async with serve(app, lifespan=True) as url:
        yield url


@asynccontextmanager
async def admin(url: str, prepared: Any) -> AsyncIterator["Administrator"]:
    """Asks the REST interface as the administrator."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        begun = (
            await http.post("/auth/login", json={"email": prepared.administrator.email, "password": PASSWORD})
        ).json()
        http.headers["Authorization"] = f"Bearer {begun['access_token']}"

        yield Administrator(http, begun["access_token"])


@dataclass
class Administrator:
    http: httpx.AsyncClient
    token: str

    async def __call__(self, method: str, path: str, body: Any = None) -> Any:
        response = await self.http.request(method, path, json=body)
        assert response.is_success, response.text
        return response.json() if response.content else None


async def tools_of(caller: RawClient) -> list[str]:
    return [tool["name"] for tool in (await caller.modern("tools/list"))["result"]["tools"]]


async def until_listed(caller: RawClient, *names: str) -> None:
    async with asyncio.timeout(WAIT):
        while await tools_of(caller) != sorted(names):
            await asyncio.sleep(0.05)


@asynccontextmanager
async def gateway_of(url: str, prepared: Any) -> AsyncIterator[tuple["Administrator", SignedIn]]:
    async with admin(url, prepared) as ask, callers(url) as signed_in:
        yield ask, signed_in


@asynccontextmanager
async def callers(url: str) -> AsyncIterator[SignedIn]:
    """Makes clients with a token, or without one."""
    async with AsyncExitStack() as stack:

        async def signed_in(token: str | None, path: str = "/mcp") -> RawClient:
            caller = await stack.enter_async_context(client(url, path))
            caller.http.headers.update({"Authorization": f"Bearer {token}"} if token else {})
            return caller

        yield signed_in


@in_loop
async def test_an_upstream_that_is_registered_is_found_and_called(prepared: Any, database_url: str) -> None:
    stub = Stub({"echo": echo})
    async with serve(stub) as upstream, running(database_url) as url, gateway_of(url, prepared) as (ask, signed_in):
        caller = await signed_in(ask.token)
        await ask("POST", "/gateways", {"name": "stub", "url": upstream + "/mcp", "secrets": {"X-Key": "k"}})
        await until_listed(caller, "echo")
        called = await caller.modern("tools/call", name="echo", arguments={"say": "hi"})
        assert called["result"]["content"] == [{"type": "text", "text": "hi"}]
        await caller.initialize()
        assert (await caller.legacy("tools/call", name="echo", arguments={"say": 1}))["result"]["content"][0][
            "text"
        ] == "1"
        rpc = {"jsonrpc": "2.0", "id": "r", "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
        assert (await ask("POST", "/rpc", rpc))["result"]["content"][0]["text"] == "None"
        assert len((await ask("GET", "/tools"))["items"]) == 1


@in_loop
async def test_only_who_may_see_a_tool_can_call_it(prepared: Any, database_url: str) -> None:
    stub = Stub({"echo": echo})
    async with (
        serve(stub) as upstream,
        running(database_url, anonymous=True) as url,
        gateway_of(url, prepared) as (ask, signed_in),
    ):
        mine = await signed_in(ask.token)
        made = await ask("POST", "/gateways", {"name": "stub", "url": upstream + "/mcp"})
        await until_listed(mine, "echo")
        stranger = await signed_in(None)
        assert await tools_of(stranger) == []
        refused = await stranger.modern("tools/call", name="echo", arguments={})
        assert refused["error"]["code"] == -32602 and not any(one["method"] == "tools/call" for one in stub.calls)
        wrong = await signed_in("lgw_nonsense")
        assert (await wrong.post("tools/list", {}, {})).status_code == 401
        assert made["visibility"] == "private"


@in_loop
async def test_a_virtual_server_has_what_was_chosen_for_it(prepared: Any, database_url: str) -> None:
    stub = Stub({"one": echo, "two": echo})
    async with (
        serve(stub) as upstream,
        running(database_url, anonymous=True) as url,
        gateway_of(url, prepared) as (ask, signed_in),
    ):
        everything = await signed_in(ask.token)
        await ask("POST", "/gateways", {"name": "stub", "url": upstream + "/mcp", "visibility": "public"})
        await until_listed(everything, "one", "two")
        tools = {tool["name"]: tool["id"] for tool in (await ask("GET", "/tools"))["items"]}
        items = [{"kind": "tool", "id": tools["two"]}]
        made = await ask("POST", "/servers", {"name": "some", "visibility": "public", "items": items})
        some = await signed_in(None, f"/servers/{made['id']}/mcp")
        assert await tools_of(some) == ["two"]
        missing = await signed_in(None, "/servers/none/mcp")
        assert (await missing.post("initialize", {}, {})).status_code == 404


@in_loop
async def test_an_endpoint_is_a_tool_and_inside_is_out_of_reach(prepared: Any, database_url: str) -> None:
    async def book(scope: Any, receive: Any, send: Any) -> None:
        said = {"path": scope["raw_path"].decode(), "query": scope["query_string"].decode()}
        await httpx_response(send, said)

    schema = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    async with serve(book) as api, running(database_url) as url, gateway_of(url, prepared) as (ask, signed_in):
        tool = {"name": "book", "url": api + "/books/{id}", "method": "GET", "input_schema": schema}
        await ask("POST", "/tools", tool)
        await ask("POST", "/tools", tool | {"name": "inside", "url": "http://169.254.169.254/latest/{id}"})
        caller = await signed_in(ask.token)
        found = (await caller.modern("tools/call", name="book", arguments={"id": 7, "q": "a b"}))["result"]
        assert found["structuredContent"] == {"path": "/books/7", "query": "q=a%20b"}
        wrong = await caller.modern("tools/call", name="book", arguments={"id": "x"})
        assert wrong["error"]["code"] == -32602
        inside = (await caller.modern("tools/call", name="inside", arguments={"id": 1}))["result"]
        assert inside["isError"] and "GATEWAY_ALLOWED_UPSTREAMS" in inside["content"][0]["text"]


async def httpx_response(send: Any, said: Json) -> None:
    body = json.dumps(said).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


@in_loop
async def test_lists_follow_the_registry_and_who_listens_is_told(prepared: Any, database_url: str) -> None:
    async with running(database_url) as url, gateway_of(url, prepared) as (ask, signed_in):
        caller = await signed_in(ask.token)
        params = {"notifications": {"toolsListChanged": True}, "_meta": meta()}
        body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
        headers = modern_headers("subscriptions/listen", {})
        async with caller.http.stream("POST", caller.url, json=body, headers=headers) as response:
            lines = response.aiter_lines()
            await following(lines)
            await ask("POST", "/tools", {"name": "new", "url": "https://example.com/", "method": "GET"})
            assert (await following(lines))["method"] == "notifications/tools/list_changed"
        assert await tools_of(caller) == ["new"]
