"""No way leads inside that was not opened: not by an address, a name, a redirect, or a name that changes."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest
from gateway.tests.mcp.serving import in_loop, listening, read_request

from letgo_gateway.upstreams.addresses import Reach, is_public
from letgo_gateway.upstreams.errors import Forbidden, Garbage
from letgo_gateway.upstreams.http import Http, Url, follow
from letgo_gateway.upstreams.rest import fill

INSIDE = """
127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1 240.0.0.1
::1 :: fe80::1 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 2002:7f00:1::
""".split()


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_outside_is(address: str) -> None:
    assert is_public(ip_address(address))


@in_loop
async def test_what_is_allowed_can_be_reached_and_nothing_else() -> None:
    assert await Reach(("127.0.0.0/8",)).resolve("127.0.0.1", 80)
    assert await Reach(("localhost",)).resolve("localhost", 80)
    for reach in (Reach(), Reach(("10.0.0.0/8",)), Reach(("other",))):
        with pytest.raises(Forbidden):
            await reach.resolve("127.0.0.1", 80)


def test_a_name_is_judged_by_all_of_its_addresses_and_asked_once() -> None:
    asked = 0

    async def resolve(*args: Any, **kwargs: Any) -> list[Any]:
        nonlocal asked
        asked += 1
        found = ["8.8.8.8", "127.0.0.1"] if asked == 1 else ["127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in found]

    async def call() -> None:
        asyncio.get_running_loop().getaddrinfo = resolve  # type: ignore[method-assign]
        with pytest.raises(Forbidden):
            await Http(Reach()).send("GET", Url.parse("http://rebinding.example/"), {}, timeout=5)

    asyncio.run(call())
    assert asked == 1


@in_loop
async def test_a_redirect_is_judged_like_a_first_address_and_takes_no_credentials_along() -> None:
    seen: list[dict[str, str]] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await read_request(reader))[0])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with listening(elsewhere) as other:
        answers = [other.replace("127.0.0.1", "localhost"), "http://169.254.169.254/", "file:///etc/passwd"]

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            head = f"HTTP/1.1 302 Found\r\nlocation: {answers[0]}\r\ncontent-length: 0\r\n"
            writer.write(head.encode() + b"connection: close\r\n\r\n")

        async with listening(redirect) as first:
            http = Http(Reach(("127.0.0.1", "localhost")))
            headers = {"authorization": "Bearer secret", "accept": "*/*"}
            response = await follow(http, "GET", Url.parse(first), headers, timeout=5)
            assert await response.read(10, 5) == b"ok"
            assert "authorization" not in seen[0] and seen[0]["accept"] == "*/*"
            for inside in answers[1:]:
                answers[0] = inside
                with pytest.raises(Forbidden):
                    await follow(http, "GET", Url.parse(first), headers, timeout=5)
            answers[0] = first
            with pytest.raises(Garbage, match="redirects"):
                await follow(http, "GET", Url.parse(first), headers, timeout=5)
            http.close()


@pytest.mark.parametrize("headers", [{"x": "a\r\nb: c"}, {"x\r\ny": "z"}, {"x y": "z"}, {"x": "\u2028"}, {"": "z"}])
@in_loop
async def test_no_header_breaks_out_of_its_line(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        await Http(Reach(("*",))).send("GET", Url.parse("http://127.0.0.1:1/"), headers, timeout=5)


def test_an_argument_stays_within_its_place_in_a_url() -> None:
    url, rest = fill("https://api.example/books/{id}?q={q}", {"id": "../a?b#c/d", "q": "1&x=2", "more": 3})
    assert url == "https://api.example/books/..%2Fa%3Fb%23c%2Fd?q=1%26x%3D2"
    assert rest == {"more": 3}
    with pytest.raises(Exception, match="another path"):
        fill("https://api.example/books/{id}", {"id": ".."})


@pytest.mark.parametrize("url", ["ftp://a/", "http:///x", "http://u:p@a/", "//a", "http://[::1", "javascript:1"])
def test_what_is_no_address_is_not_called(url: str) -> None:
    with pytest.raises(Forbidden):
        Url.parse(url)
