"""What somebody registers or says leads nowhere inside, and breaks out of no header."""

import asyncio
from typing import Any

import pytest
from gateway.tests.mcp.serving import Stub, in_loop, serve, text
from gateway.tests.mcp.test_joined import Administrator, admin
from gateway.tests.registry.test_entries import ENTRIES
from gateway.tests.security.test_slow_clients import gateway_for
from gateway.tests.serving import RunningGateway
from hypothesis import given
from hypothesis import strategies as st

from letgo_gateway.upstreams.modern import decoded, encoded, param_headers

SPELLINGS = """
127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 127.0.0.1. localhost localhost. 0.0.0.0 0
[::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:0001] [64:ff9b::127.0.0.1] [::127.0.0.1]
①②⑦.⓪.⓪.① 127。0。0。1
""".split()
ELSEWHERE = (
    "http://169.254.169.254",
    "http://[fd00:ec2::254]",
    "http://10.0.0.1",
    "http://192.168.0.1",
    "http://[fe80::1]",
)


async def call(ask: Administrator, name: str) -> Any:
    params = {"name": name, "arguments": {"message": "hello"}}
    return await ask("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


@in_loop
async def test_no_way_of_writing_an_address_leads_inside(on_sqlite: Any) -> None:
    connected = 0

    async def inside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        writer.close()

    server = await asyncio.start_server(inside, ["127.0.0.1", "::1"], 0)
    with on_sqlite.copy() as database_url:
        async with server, gateway_for(database_url) as (url, _), admin(url, on_sqlite) as ask:
            port = server.sockets[0].getsockname()[1]
            addresses = [*(f"http://{host}:{port}" for host in SPELLINGS), *ELSEWHERE]
            for number, address in enumerate(addresses):
                await ask("POST", "/tools", ENTRIES["tools"] | {"name": f"rest{number}", "url": address + "/x"})
                agent = await ask("POST", "/a2a", {"name": f"agent{number}", "url": address})
                await ask("POST", "/tools", {"name": f"a2a{number}", "kind": "a2a", "agent_id": agent["id"]})
                await ask("POST", "/gateways", {"name": f"gateway{number}", "url": address + "/mcp"})
            for kind in ("rest", "a2a"):
                for number, address in enumerate(addresses):
                    answer = await call(ask, f"{kind}{number}")
                    assert "error" in answer or answer["result"]["isError"], (address, answer)
            while any(entry["reachable"] is None for entry in (await ask("GET", "/gateways?limit=100"))["items"]):
                await asyncio.sleep(0.05)
            assert not any(entry["reachable"] for entry in (await ask("GET", "/gateways?limit=100"))["items"])
    assert connected == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://user:word@api.example/",
        "http://user@api.example/",
        "http://api.example@127.0.0.1/",
        "http://127.0.0.1\\@api.example/",
        "http://{host}/",
        "http://api.{domain}/",
        "http://api.example:{port}/",
        "http://api.example\r\nx: y/",
        "gopher://api.example/",
        "file:///etc/passwd",
        "//api.example/",
        "http://[::1/",
    ],
)
def test_an_address_that_is_none_or_says_more_than_where_is_refused(gateway: RunningGateway, url: str) -> None:
    for registry in ("tools", "gateways", "a2a"):
        gateway.admin.post(f"/{registry}", ENTRIES[registry] | {"url": url}, expect=422)
        entry = {"document": {"entries": {registry: [{"name": "x", "url": url}]}}}
        assert gateway.admin.post("/import", entry)["outcomes"][0]["action"] == "failed"


FRAMING = ("Host", "content-length", "Transfer-Encoding", "connection", "Upgrade", "TE", "Expect", "Keep-Alive")
BREAKING = ("a\r\nb: c", "a\nb", "a\rb", "a\x00b", "\x7f", "a\x0bb")


def test_secrets_that_would_end_a_header_or_a_request_are_refused(gateway: RunningGateway) -> None:
    wrong = [{name: "x"} for name in (*FRAMING, *BREAKING, "a b", "a:b", "", "ä")] + [{"X": one} for one in BREAKING]
    for registry in ("tools", "gateways", "a2a"):
        made = gateway.admin.post(f"/{registry}", ENTRIES[registry])
        for secrets in wrong:
            gateway.admin.post(f"/{registry}", ENTRIES[registry] | {"secrets": secrets}, expect=422)
            gateway.admin.patch(f"/{registry}/{made['id']}", {"version": 1, "secrets": secrets}, expect=422)


@given(st.text())
def test_whatever_a_name_or_an_argument_is_its_header_is_one_line_that_says_it(said: str) -> None:
    header = encoded(said)
    assert header.isascii() and header.isprintable()
    try:
        said.encode()
    except UnicodeEncodeError:
        return  # half a character, which JSON can spell and no header says
    assert decoded(header) == said
    assert param_headers({("a",): ("X", "string")}, {"a": said}) == {"mcp-param-x": header}


@in_loop
async def test_what_a_caller_says_is_in_no_header_of_an_upstream_but_as_it_was_said(on_sqlite: Any) -> None:
    name = "a\r\nx-injected: yes"

    async def echo(arguments: Any) -> Any:
        return text("done")

    stub, heads = Stub({name: echo}), []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        heads.append(dict(scope["headers"]))
        await stub(scope, receive, send)

    with on_sqlite.copy() as database_url:
        async with (
            serve(noting) as upstream,
            gateway_for(database_url, allowed_upstreams=("127.0.0.1",)) as (url, _),
            admin(url, on_sqlite) as ask,
        ):
            await ask("POST", "/gateways", {"name": "stub", "url": upstream + "/mcp"})
            async with asyncio.timeout(60):
                while not (await ask("GET", "/tools"))["items"]:
                    await asyncio.sleep(0.05)
            assert (await call(ask, name))["result"]["content"] == text("done")["content"]
            for injected in ("x\r\nx-injected: yes", "x y"):
                headers = {"X-Request-Id": injected.replace("\r\n", " "), "X-Injected": "yes", "Cookie": "a=b"}
                await ask.http.get("/tools", headers=headers)
    assert len(heads) > 1
    assert not any(b"x-injected" in head or b"cookie" in head for head in heads)
    assert not any(b"bearer" in str(head).encode().lower() for head in heads), "who calls is no upstream's business"
