"""The guard tells what Postgres sees, and nothing else, whatever the version: each way to release, each response."""

import gc
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from typing import Annotated, Any

import fastapi
import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect
from sqlalchemy import URL, select
from sqlalchemy.orm import Session
from tests.runtime.bookshop import KINDS, RESPONSES, App, Book, Shop, Ways
from tests.runtime.serving import connect, serve, soon
from wsproto import ConnectionType, WSConnection
from wsproto.events import CloseConnection, Request, TextMessage

from letgo.runtime import Guard
from letgo.runtime.guard import tracking
from letgo.runtime.guard.guard import stop

VERSION = tuple(int(part) for part in fastapi.__version__.split(".")[:2])
AT_START = {"LG101", "LG103", "LG104", "LG301", "LG302", "LG304"}
LEFT = {"LG304", "LG401", "LG501", "LG502"}
LATER = {"LG302", "LG303", "LG304", "LG401"}
LOOKING = {"LG201", "LG202", "LG204"}
"""To ask Postgres is a wait, too, and is told as one where it holds: in a serialiser, for instance."""


class Watched(Shop):
    """A shop whose every look waits until the guard has looked as well: how busy the machine is does not matter."""

    def look(self, phase: str) -> None:
        super().look(phase)
        if self.seen[phase] and phase == "serialise":
            soon(lambda: all(found.pending or found.busy for found in list(tracking.opened.values())))


@pytest.fixture
def shop(database: URL) -> Iterator[Watched]:
    shop = Watched(database)
    gc.disable()
    yield shop
    gc.enable()
    stop()
    shop.close()


class Looking:
    """Looks into Postgres when the first byte of a body goes out."""

    def __init__(self, app: Any, shop: Shop) -> None:
        self.app = app
        self.shop = shop

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def look(message: Any) -> None:
            if message["type"] == "http.response.body":
                self.shop.seen.setdefault("body", self.shop.idle())
            await send(message)

        await self.app(scope, receive, look)


def guarded(app: Any, codes: list[str], wait: float = 0.01) -> Guard:
    return Guard(
        app, wait=wait, tick=0.005, held=60, rate=None, on_finding=lambda seen: codes.append(seen.finding.code)
    )


def requests(guard: Guard) -> int:
    return sum(route.requests for route in list(guard.recorder.routes.values()))


def ask(client: httpx.Client, guard: Guard, path: str) -> None:
    """Asks, and waits until the guard has done with the request, which goes on after the answer."""
    before = requests(guard)
    with suppress(httpx.RemoteProtocolError):  # a stream that is an error
        client.get(path)
    assert soon(lambda: requests(guard) > before)


def given_back(shop: Shop, client: httpx.Client, guard: Guard) -> bool:
    if shop.checked_out():
        # An idle thread of anyio 3 keeps what it did last, until it is asked again, or another is when 10 s are over.
        ask(client, guard, "/read/commit_and_refresh/json")
        gc.collect()
    return not shop.checked_out() and not shop.idle()  # a server's process takes its time to see that a client is gone


@KINDS
@pytest.mark.filterwarnings("ignore")  # what SQLAlchemy says of a connection that only the collector gives back
def test_the_guard_tells_what_postgres_sees_and_nothing_else(shop: Watched, app: App, ways: Ways) -> None:
    codes: list[str] = []
    guard = guarded(app(shop), codes)
    with serve(Looking(guard, shop)) as address, connect(address) as client:
        for way, response in product(ways(shop), RESPONSES):
            shop.seen.clear()
            codes.clear()
            ask(client, guard, f"/read/{way.name}/{response}")
            left, told = shop.idle(), set(codes) - LOOKING
            what = (way.name, response, shop.seen, left, codes)
            shop.seen.pop("entry", None)
            if left:
                assert told & LEFT, what
            if shop.seen.get("serialise"):
                assert codes, what
            if shop.seen.get("body"):
                assert told & AT_START, what
            elif way.name != "middleware" and (shop.seen.get("stream") or shop.seen.get("background")):
                assert told & LATER, what
            if not left and not any(shop.seen.values()):
                assert told - {"LG504"} <= LATER, what
            assert ("LG504" in told) == (way.name == "mixed_scopes"), what  # two sessions, and two connections
            assert soon(lambda: given_back(shop, client, guard)), what


def test_a_websocket_that_waits_for_its_client_in_a_transaction_is_told(shop: Watched) -> None:
    app = FastAPI()

    def get_db() -> Iterator[Session]:
        with shop.sessions() as db:
            yield db

    @app.websocket("/{commits}")
    async def endpoint(websocket: WebSocket, commits: bool, db: Session = Depends(get_db)) -> None:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                title = db.scalars(select(Book.title)).one()
                if commits:
                    db.commit()
                await websocket.send_text(title)
                await websocket.receive_text()

    codes: list[str] = []
    guard = guarded(app, codes, wait=0.5)
    with serve(guard, ws="wsproto") as address:
        with talking(address, "/true") as say:
            for _ in range(2):
                time.sleep(0.8)
                say("more")
            assert soon(lambda: shop.idle() == 0)
        assert codes == []
        with talking(address, "/false") as say:
            for _ in range(2):
                time.sleep(0.8)
                say("more")
            assert soon(lambda: shop.idle() == 1)
        assert soon(lambda: bool(codes))
    assert codes == ["LG201"]
    (place,) = guard.recorder.places.values()
    assert place.seen.route == "WEBSOCKET /{commits}"
    assert "starlette.websockets.WebSocket.receive_text" in place.seen.finding.message
    assert place.idle > 1
    assert shop.idle() == 0 and not shop.checked_out()


@contextmanager
def talking(address: str, path: str) -> Iterator[Callable[[str], None]]:
    """Says something over a WebSocket, and waits for the answer."""
    host, port = address.removeprefix("http://").split(":")
    protocol = WSConnection(ConnectionType.CLIENT)
    with socket.create_connection((host, int(port)), timeout=10) as connection:

        def exchange(said: Request | TextMessage | CloseConnection) -> None:
            connection.sendall(protocol.send(said))
            answered = False
            while not answered:
                protocol.receive_data(connection.recv(4096) or None)
                answered = bool(list(protocol.events()))

        exchange(Request(host=host, target=path))
        yield lambda text: exchange(TextMessage(text))
        exchange(CloseConnection(1000))


@pytest.mark.skipif(VERSION < (0, 134), reason="FastAPI has generator endpoints since 0.134")
def test_a_generator_endpoint_that_keeps_its_session_is_told(shop: Watched) -> None:
    app = FastAPI()

    def get_db() -> Iterator[Session]:
        with shop.sessions() as db:
            yield db

    async def lines(db: Annotated[Session, Depends(get_db)]) -> AsyncIterator[str]:
        for _ in range(3):
            yield db.scalars(select(Book.title)).one()
            shop.look("stream")

    lines.__annotations__["return"] = AsyncIterator[str]
    app.get("/")(lines)
    codes: list[str] = []
    with serve(guarded(app, codes)) as address, connect(address) as client:
        assert client.get("/").text.count("Emma") == 3
        assert soon(lambda: not shop.idle())
    assert shop.seen["stream"] == 1
    assert set(codes) - LOOKING == {"LG302"}
