"""HTTP as servers speak it: cut anywhere, in chunks, until the end, or not HTTP at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letgo.prove.connection import Connection, target_of, written
from letgo.prove.scenario import get, post

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: plain\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


class Wire:
    """A transport that only remembers."""

    def __init__(self) -> None:
        self.closed = False

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def connected() -> tuple[Connection, Wire, list[object]]:
    said: list[object] = []
    connection = Connection(lambda status, headers, body: said.append((status, body)), said.append)
    wire = Wire()
    connection.connection_made(wire)
    return connection, wire, said


@given(st.lists(st.sampled_from([PLAIN, CHUNKED, EMPTY]), min_size=1, max_size=4), st.data())
def test_responses_are_the_same_however_the_network_cuts_them(responses: list[bytes], data: st.DataObject) -> None:
    connection, wire, said = connected()
    expected = []
    for response in responses:
        expected.append({PLAIN: (200, b"hello"), CHUNKED: (201, b"hello"), EMPTY: (204, b"")}[response])
        cuts = sorted(data.draw(st.sets(st.integers(1, len(response) - 1), max_size=6)))
        for start, end in zip([0, *cuts], [*cuts, len(response)], strict=True):
            connection.data_received(response[start:end])
    assert said == expected
    assert not wire.closed


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    connection, _, said = connected()
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhello, ")
    connection.data_received(b"world")
    assert said == []
    connection.connection_lost(None)
    assert said == [(200, b"hello, world")]


@pytest.mark.parametrize("cut", [b"", PLAIN[:-1], CHUNKED[:-3], PLAIN[:10]])
def test_a_connection_that_ends_too_early_is_broken(cut: bytes) -> None:
    connection, _, said = connected()
    connection.data_received(cut)
    connection.connection_lost(None)
    assert said == ["connection closed by the app"]


def test_what_is_not_http_is_told_as_such() -> None:
    connection, wire, said = connected()
    connection.data_received(b"SSH-2.0-OpenSSH_9.2\r\n")
    assert wire.closed
    assert str(said[0]).startswith("not an HTTP response")


def test_a_server_that_says_close_is_left() -> None:
    connection, wire, said = connected()
    connection.data_received(PLAIN.replace(b"X-Kind: plain", b"Connection: close"))
    assert said == [(200, b"hello")]
    assert wire.closed
    assert not connection.usable


def test_a_request_has_the_path_below_the_url_and_a_length_where_it_has_a_body() -> None:
    target = target_of("http://shop.example:8000/api/")
    assert written(get("/books?page=2"), target) == b"GET /api/books?page=2 HTTP/1.1\r\nHost: shop.example:8000\r\n\r\n"
    request = written(post("/orders", json={"book": 1}, headers={"X-User": "ada"}), target)
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == b'{"book": 1}'
    assert b"Content-Length: 11" in head
    assert b"X-User: ada" in head
    assert b"Content-Length: 0" in written(post("/empty"), target)


@pytest.mark.parametrize("url", ["shop.example", "ftp://shop.example", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of an app"):
        target_of(url)
