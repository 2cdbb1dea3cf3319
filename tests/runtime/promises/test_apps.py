"""Letting go in the shapes that apps have: routers, overrides, streams that end early, sockets, Starlette, ASGI."""

import asyncio
import gc
import inspect
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import fastapi
import httpx
import psycopg
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, field_serializer
from sqlalchemy import URL, Engine, func, select, text
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Mount, Route
from starlette.templating import Jinja2Templates
from tests.runtime.bookshop import Author, Book, Shop, opened
from tests.runtime.serving import connect, serve, soon

from letgo.runtime import ReleasingRoute, fresh_session, install, keep_open, session_dependency

VERSION = tuple(int(part) for part in fastapi.__version__.split(".")[:2])


@pytest.fixture
def shop(database: URL) -> Iterator[Shop]:
    with opened(database) as shop:
        gc.disable()
        try:
            yield shop
        finally:
            gc.enable()


def get_db_of(shop: Shop) -> Any:
    def get_db() -> Iterator[Session]:
        with shop.sessions() as db:
            yield db

    return get_db


def all_given_back(shop: Shop) -> bool:
    return soon(lambda: not shop.idle() and not shop.checked_out())


class Titled(BaseModel):
    title: str


def reading_route(shop: Shop, router: APIRouter | FastAPI, path: str, get_db: Any, **options: Any) -> None:
    """A route whose response asks Postgres, when it is serialised, whether a transaction is open."""

    class Out(Titled):
        @field_serializer("title")
        def look(self, title: str) -> str:
            shop.look(path)
            return title

    @router.get(path, response_model=Out, **options)
    def endpoint(db: Session = Depends(get_db)) -> Any:
        return {"title": db.scalars(select(Book.title)).one()}


def test_routes_are_served_wherever_and_whenever_they_were_made(shop: Shop) -> None:
    get_db = get_db_of(shop)
    app, sub, early, late, inner = FastAPI(), FastAPI(), APIRouter(), APIRouter(), APIRouter()
    reading_route(shop, app, "/own", get_db)
    reading_route(shop, early, "/early", get_db)
    reading_route(shop, inner, "/inner", get_db)
    reading_route(shop, sub, "/mounted", get_db)
    early.include_router(inner, prefix="/deep")
    app.include_router(early, dependencies=[Depends(get_db)])
    install(app)
    reading_route(shop, late, "/late", get_db)
    app.include_router(late, prefix="/after")
    app.mount("/sub", sub)
    with serve(app) as address, connect(address) as client:
        for path in ("/own", "/early", "/deep/inner", "/after/late", "/sub/mounted"):
            assert client.get(path).json() == {"title": "Emma"}, path
    assert shop.seen == {"/own": 0, "/early": 0, "/inner": 0, "/late": 0, "/mounted": 0}


def test_a_route_class_lets_go_in_its_part_of_an_app_alone(shop: Shop) -> None:
    app, releasing, plain = FastAPI(), APIRouter(route_class=ReleasingRoute), APIRouter()
    reading_route(shop, releasing, "/releasing", get_db_of(shop))
    reading_route(shop, plain, "/plain", get_db_of(shop))
    app.include_router(releasing, prefix="/a")
    app.include_router(plain)
    with serve(app) as address, connect(address) as client:
        assert client.get("/a/releasing").json() == client.get("/plain").json() == {"title": "Emma"}
        assert all_given_back(shop)
    assert shop.seen == {"/releasing": 0, "/plain": 1}


def test_an_override_is_released_and_a_session_within_a_test_s_transaction_is_left_to_it(shop: Shop) -> None:
    def original() -> Iterator[Session]:
        raise AssertionError("overridden")
        yield

    app = install(FastAPI())
    reading_route(shop, app, "/overridden", original)
    app.dependency_overrides[original] = get_db_of(shop)
    with serve(app) as address, connect(address) as client:
        assert client.get("/overridden").json() == {"title": "Emma"}
        assert shop.seen == {"/overridden": 0}

        with shop.engine.connect() as connection, connection.begin() as outer:
            app.dependency_overrides[original] = lambda: Session(connection, join_transaction_mode="create_savepoint")
            connection.execute(text("update book set title = 'Persuasion'"))
            assert client.get("/overridden").json() == {"title": "Persuasion"}
            assert client.get("/overridden").json() == {"title": "Persuasion"}
            outer.rollback()


def test_an_endpoint_that_is_kept_open_holds_as_before(shop: Shop) -> None:
    app = install(FastAPI())

    @app.get("/")
    @keep_open("reads from a cursor of the server while it streams")
    def endpoint(db: Session = Depends(get_db_of(shop))) -> StreamingResponse:
        rows = db.scalars(select(Book.title).execution_options(yield_per=1))

        def lines() -> Iterator[str]:
            shop.look("stream")
            yield from rows

        return StreamingResponse(lines())

    with serve(app) as address, connect(address) as client:
        if not (0, 106) <= VERSION < (0, 118):  # these end the dependency before the stream, and so its cursor
            assert client.get("/").text == "Emma"
            assert shop.seen == {"stream": 1}
            assert all_given_back(shop)
    with pytest.raises(ValueError, match="needs a reason"):
        keep_open("  ")


def test_what_a_dependency_has_set_for_the_transaction_is_there_in_the_endpoint(shop: Shop) -> None:
    get_db = get_db_of(shop)

    def tenant(db: Session = Depends(get_db)) -> None:
        db.execute(select(func.set_config("app.tenant", "austen", True)))

    app = install(FastAPI())

    @app.get("/", dependencies=[Depends(tenant)])
    def endpoint(db: Session = Depends(get_db)) -> str:
        return db.scalars(text("select current_setting('app.tenant')")).one()

    with serve(app) as address, connect(address) as client:
        assert client.get("/").json() == "austen"
        assert all_given_back(shop)


def test_what_is_copied_in_with_the_driver_s_own_cursor_is_left_to_its_dependency(shop: Shop) -> None:
    def get_db() -> Iterator[Session]:
        with shop.sessions() as db:
            yield db
            db.commit()

    app = install(FastAPI())

    @app.post("/")
    def endpoint(db: Session = Depends(get_db)) -> int:
        driver = db.connection().connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor().copy("copy book (title, author_id) from stdin") as copy:
            copy.write_row(("Sanditon", 1))
        return 1

    with serve(app) as address, connect(address) as client:
        assert client.post("/").json() == 1
        assert shop.titles() == {"Emma", "Sanditon"}
        assert all_given_back(shop)


def test_reads_that_belong_to_one_snapshot_are_not_taken_apart(shop: Shop) -> None:
    get_db = get_db_of(shop)

    def first(db: Session = Depends(get_db)) -> str:
        db.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        title = db.scalars(select(Book.title)).one()
        with shop.sessions.begin() as other:
            other.execute(text("update book set title = 'Persuasion'"))
        return title

    app = install(FastAPI())

    @app.get("/")
    def endpoint(first: str = Depends(first), db: Session = Depends(get_db)) -> list[str]:
        return [first, db.scalars(select(Book.title)).one()]

    with serve(app) as address, connect(address) as client:
        assert client.get("/").json() == ["Emma", "Emma"]
        assert all_given_back(shop)


def test_a_task_beside_the_request_keeps_its_transaction(shop: Shop) -> None:
    app = install(FastAPI(lifespan=shop.lifespan))
    go_on, finished = threading.Event(), threading.Event()
    found: list[object] = []

    def in_thread() -> None:
        with shop.sessions() as db:
            started = db.scalar(select(func.now()))
            go_on.wait(5)
            found.append(db.scalar(select(func.now())) == started)

    async def beside() -> None:
        async with shop.async_sessions() as db:
            started = await db.scalar(select(func.now()))
            await run_in_threadpool(in_thread)
            found.append(await db.scalar(select(func.now())) == started)
        finished.set()

    @app.get("/")
    async def endpoint() -> str:
        app.state.task = asyncio.create_task(beside())
        await asyncio.sleep(0.1)
        return "begun"

    with serve(app) as address, connect(address) as client:
        assert client.get("/").json() == "begun"
        assert soon(lambda: shop.idle() == 2)
        go_on.set()
        assert finished.wait(5)
        assert found == [True, True]
        assert all_given_back(shop)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_client_that_goes_away_leaves_no_connection_behind(shop: Shop, asynchronous: bool) -> None:
    app = install(FastAPI(lifespan=shop.lifespan))

    @app.get("/False")
    def endless(db: Session = Depends(get_db_of(shop))) -> StreamingResponse:
        db.scalars(select(Book.title)).all()

        def lines() -> Iterator[str]:
            with shop.sessions() as own:
                while True:
                    yield own.scalars(select(Book.title)).one() * 1000

        return StreamingResponse(lines())

    @app.get("/True")
    async def endless_async() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            async with shop.async_sessions() as own:
                while True:
                    yield (await own.scalars(select(Book.title))).one() * 1000

        return StreamingResponse(lines())

    with serve(app) as address:
        for _ in range(3):
            host, port = address.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as client:
                client.sendall(f"GET /{asynchronous} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                assert b"Emma" in client.recv(4096) + client.recv(4096)
        assert all_given_back(shop)


def test_what_a_sync_stream_opens_in_its_own_with_is_given_back_when_it_ends_or_breaks(shop: Shop) -> None:
    app = install(FastAPI())

    @app.get("/{breaks}")
    def endpoint(breaks: bool) -> StreamingResponse:
        with shop.sessions() as db:  # which ends before the stream begins: the generator begins again with it
            book = db.scalars(select(Book)).one()

            def lines() -> Iterator[str]:
                yield db.scalars(select(Book.title)).one()
                if breaks:
                    raise RuntimeError("in mid-stream")
                yield book.title

            return StreamingResponse(lines())

    with serve(app) as address, connect(address) as client:
        assert client.get("/false").text == "EmmaEmma"
        assert all_given_back(shop)
        with suppress(httpx.RemoteProtocolError):
            client.get("/true")
        assert all_given_back(shop)


def test_a_template_renders_within_the_handler_and_what_it_reads_ends_with_that(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "book").write_text("{{ look() }}{{ book.author.name }}")
    templates = Jinja2Templates(tmp_path)
    app = install(FastAPI())

    @app.get("/")
    def endpoint(request: Request, db: Session = Depends(get_db_of(shop))) -> Any:
        book = db.scalars(select(Book)).one()
        data = {"book": book, "look": lambda: shop.look("render") or "", "request": request}
        return templates.TemplateResponse(name="book", context=data, **asked(request))

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        async def look(message: Any) -> None:
            if message["type"] == "http.response.start":
                shop.look("start")
            await send(message)

        await app(scope, receive, look)

    with serve(looking) as address, connect(address) as client:
        assert client.get("/").text == "Austen"
        assert all_given_back(shop)
    assert shop.seen == {
        "render": 1,
        "start": 0,
    }  # what renders reads on, so only a render after a commit holds nothing


def asked(request: Request) -> dict[str, Any]:
    """Starlette takes the request as an argument of its own since 0.29."""
    return {"request": request} if "request" in inspect.signature(Jinja2Templates.TemplateResponse).parameters else {}


def test_a_use_after_the_release_is_an_error_that_says_what_to_do(shop: Shop) -> None:
    app = FastAPI()
    errors: list[BaseException] = []

    async def recording(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except BaseException as error:
            errors.append(error)
            raise

    get_db = session_dependency(shop.sessions)
    install(app)

    @app.get("/lazy")
    def lazy(db: Session = Depends(get_db)) -> StreamingResponse:
        book = db.scalars(select(Book)).one()
        return StreamingResponse(iter(lambda: book.author.name, None))

    @app.get("/query")
    def query(db: Session = Depends(get_db)) -> StreamingResponse:
        return StreamingResponse(iter(lambda: db.scalars(select(Book.title)).one(), None))

    with serve(recording) as address, connect(address) as client:
        for path in ("/lazy", "/query"):
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(path)
        assert all_given_back(shop)
    notes = ["\n".join(getattr(error, "__notes__", ())) for error in errors]
    assert "Book.author was not loaded" in notes[0]
    assert "lazy returned" in notes[0]
    assert "selectinload(Book.author)" in notes[0]
    assert "fresh_session" in notes[1]
    assert "query returned" in notes[1]


def test_a_websocket_holds_nothing_while_it_waits_for_the_client(shop: Shop) -> None:
    app = install(FastAPI())

    @app.websocket("/")
    async def socket_(websocket: WebSocket, db: Session = Depends(get_db_of(shop))) -> None:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                author = db.scalars(select(Author.name)).one()
                shop.look("queried")
                await websocket.send_text(author)
                await websocket.receive_text()

    waiting: list[int] = []
    sent: list[Any] = []

    async def receive() -> Any:
        waiting.append(shop.idle())
        messages = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "more"}]
        return messages[len(waiting) - 1] if len(waiting) < 3 else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "subprotocols": []}
    asyncio.run(app({**scope, "asgi": {}, "root_path": ""}, receive, send))
    assert [message.get("text") for message in sent] == [None, "Austen", "Austen"]
    assert shop.seen == {"queried": 1}
    assert waiting == [0, 0, 0]
    assert all_given_back(shop)


@pytest.mark.skipif(VERSION < (0, 134), reason="FastAPI has generator endpoints since 0.134")
def test_a_generator_endpoint_starts_with_what_its_dependencies_read_given_back(shop: Shop) -> None:
    app = install(FastAPI())
    get_db = get_db_of(shop)

    def reader(db: Session = Depends(get_db)) -> str:
        return db.scalars(select(Book.title)).one()

    async def endpoint(title: str = Depends(reader)) -> AsyncIterator[Titled]:
        shop.look("stream")
        yield Titled(title=title)

    endpoint.__annotations__["return"] = AsyncIterator[Titled]
    app.get("/")(endpoint)
    with serve(app) as address, connect(address) as client:
        assert client.get("/").json() == {"title": "Emma"}
        assert all_given_back(shop)
    assert shop.seen == {"stream": 0}


def test_starlette_s_endpoints_let_go_before_the_status_goes_out(shop: Shop) -> None:
    def hand_made(engine: Engine) -> Session:
        return Session(engine)  # and never closed: the request's end is the end of it

    def sync(request: Request) -> JSONResponse:
        return JSONResponse(hand_made(shop.engine).scalars(select(Book.title)).one())

    async def asynchronous(request: Request) -> StreamingResponse:
        db = shop.async_sessions()
        title = (await db.scalars(select(Book.title))).one()

        async def lines() -> AsyncIterator[str]:
            shop.look("stream")
            yield title

        return StreamingResponse(lines())

    async def writes(request: Request) -> JSONResponse:
        request.state.db = shop.async_sessions()
        request.state.db.add(Book(title="Sanditon", author_id=1))
        return JSONResponse(None)

    inner = [Route("/sync", sync)]
    routes = [Mount("/inner", routes=inner), Route("/async", asynchronous), Route("/writes", writes)]
    app = install(Starlette(routes=routes, lifespan=shop.lifespan), unsaved="commit")
    with serve(app) as address, connect(address) as client:
        assert client.get("/inner/sync").json() == "Emma"
        assert all_given_back(shop)
        assert client.get("/async").text == "Emma"
        assert all_given_back(shop)
        assert client.get("/writes").status_code == 200
        assert shop.titles() == {"Emma", "Sanditon"}
        assert all_given_back(shop)
    assert shop.seen == {"stream": 0}


def test_any_asgi_app_can_be_served_so(shop: Shop) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        Session(shop.engine).scalars(select(Book.title)).one()
        shop.look("before the start")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        shop.look("after the start")
        with fresh_session(shop.sessions) as db:
            db.add(Book(title="Sanditon", author_id=1))
        await send({"type": "http.response.body", "body": b"ok"})

    with serve(install(app)) as address, connect(address) as client:
        assert client.get("/").text == "ok"
    assert shop.seen == {"before the start": 1, "after the start": 0}
    assert shop.titles() == {"Emma", "Sanditon"}


def test_installing_twice_is_a_mistake() -> None:
    app = install(FastAPI())
    with pytest.raises(RuntimeError, match="installed in this app already"):
        install(app)
