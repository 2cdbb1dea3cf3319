"""What the guard sees: on every driver, from threads, tasks and streams, and what it must not take for a hold."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from tests.runtime.serving import soon

import letgo
from letgo.holds import Origin, WaitKind
from letgo.runtime import Guard
from letgo.runtime.guard import Seen, TransactionHeld
from letgo.runtime.guard.tracking import opened

SELECT = text("select 1")
Guarding = Callable[..., Guard]


def codes(seen: list[Seen]) -> list[str]:
    return [one.finding.code for one in seen]


@pytest.fixture(params=["sqlite", "psycopg", "psycopg2"])
def engine(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path}/shop.db"
    if request.param != "sqlite":
        url = request.getfixturevalue("database").set(drivername=f"postgresql+{request.param}")
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["aiosqlite", "psycopg", "asyncpg"])
def async_url(request: pytest.FixtureRequest, tmp_path: Any) -> str | URL:
    if request.param == "aiosqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/shop.db"
    url: URL = request.getfixturevalue("database")
    return url.set(drivername=f"postgresql+{request.param}")


def test_a_thread_that_blocks_is_seen_on_every_driver(engine: Engine, guarded: Guarding, seen: list[Seen]) -> None:
    app = FastAPI()

    @app.get("/session")
    def session() -> int:
        with Session(engine) as db:
            db.execute(SELECT)
            time.sleep(0.5)
        return 1

    @app.get("/core")
    def core() -> int:
        with engine.connect() as connection:
            connection.execute(SELECT)
            threading.Event().wait(0.5)
        return 1

    client = TestClient(guarded(app))
    client.get("/session")
    client.get("/core")
    assert codes(seen) == ["LG202", "LG202"]
    sleeping, waiting = seen
    assert sleeping.hold is not None and waiting.hold is not None
    assert sleeping.hold.waits[0].what == "time.sleep"
    assert (sleeping.hold.session.origin, sleeping.hold.session.name) == (Origin.CONTEXT, "Session")
    assert 0.25 < (sleeping.hold.waits[0].seconds or 0) <= sleeping.idle <= sleeping.held
    assert waiting.hold.waits[0].what == "threading.Event.wait"
    assert not opened


def test_a_task_that_waits_is_seen_on_every_driver(async_url: URL, guarded: Guarding, seen: list[Seen]) -> None:
    app = FastAPI()

    async def get_db() -> AsyncIterator[AsyncSession]:
        engine = create_async_engine(async_url)
        async with AsyncSession(engine) as db:
            yield db
        await engine.dispose()

    Db = Annotated[AsyncSession, Depends(get_db)]

    @app.get("/held")
    async def held(db: Db) -> int:
        await db.execute(SELECT)
        await asyncio.sleep(0.5)
        await db.commit()
        return 1

    @app.get("/gathered")
    async def gathered(db: Db) -> int:
        async def load() -> None:
            await db.execute(SELECT)
            await asyncio.sleep(0.5)

        await asyncio.gather(load())
        await db.commit()
        return 1

    @app.get("/clean")
    async def clean(db: Db) -> int:
        await db.execute(SELECT)
        await db.commit()
        await asyncio.sleep(0.5)
        return 1

    @app.get("/blocking")
    async def blocking(db: Db) -> int:
        await db.execute(SELECT)
        time.sleep(0.5)
        await db.commit()
        return 1

    client = TestClient(guarded(app, wait=0.2))
    client.get("/clean")
    assert seen == []
    for path in ("/held", "/gathered", "/blocking"):
        client.get(path)
    assert [(one.finding.code, one.finding.handler.function.rpartition(".")[2]) for one in seen] == [
        ("LG202", "held"),
        ("LG202", "gathered"),
        ("LG202", "blocking"),
    ]
    hold = seen[0].hold
    assert hold is not None
    assert (hold.waits[0].kind, hold.waits[0].what) == (WaitKind.SLEEP, "asyncio.sleep")
    assert (hold.session.origin, hold.session.name) == (Origin.DEPENDENCY, "get_db")
    assert hold.opened.line == hold.function.line + 1
    assert hold.released is not None and hold.released.line == hold.function.line + 3


def test_a_slow_statement_and_a_pause_before_the_first_are_no_holds(
    database: URL, guarded: Guarding, seen: list[Seen]
) -> None:
    engine = create_engine(database)
    app = FastAPI()

    @app.get("/")
    def read() -> int:
        with Session(engine) as db:
            time.sleep(0.3)
            for _ in range(3):
                db.execute(text("select pg_sleep(0.3)"))
        time.sleep(0.3)
        return 1

    TestClient(guarded(app, wait=0.2)).get("/")
    assert seen == []
    engine.dispose()


def test_transactions_of_several_engines_are_told_apart(
    database: URL, tmp_path: Any, guarded: Guarding, seen: list[Seen]
) -> None:
    engines = [create_engine(database), create_engine(f"sqlite:///{tmp_path}/shop.db")]
    app = FastAPI()

    @app.get("/")
    def read() -> int:
        with Session(engines[0]) as first, Session(engines[1]) as second:
            first.execute(SELECT)
            second.execute(text("select 2"))
            soon(lambda: all(found.pending for found in list(opened.values())))
        return 1

    TestClient(guarded(app)).get("/")
    assert codes(seen) == ["LG202", "LG202"]  # and no session nested in another: each has a pool of its own
    assert {one.statement for one in seen} == {"select 1", "select 2"}
    for engine in engines:
        engine.dispose()


@pytest.fixture
def shop(database: URL) -> Iterator[FastAPI]:
    """Endpoints under a middleware of the old kind, in a router, in a mounted app."""
    engine = create_engine(database)
    app = FastAPI()

    def get_db() -> Iterator[Session]:
        with Session(engine) as db:
            yield db

    Db = Annotated[Session, Depends(get_db)]

    @app.get("/books/{book_id}")
    def read(book_id: int, db: Db) -> int:
        return db.execute(SELECT).scalar_one()

    @app.get("/allowed")
    async def allowed(db: Db) -> int:
        with letgo.allow("measured: it takes 20 ms"):
            db.execute(SELECT)
            await asyncio.sleep(0.05)
        return 1

    @app.get("/stream")
    def stream(db: Db) -> StreamingResponse:
        db.execute(SELECT)
        return StreamingResponse(str(n) for n in range(3))

    async def plain(request: Request) -> PlainTextResponse:
        with Session(engine) as db:
            db.execute(SELECT)
            await asyncio.sleep(0.5)
        return PlainTextResponse("1")

    app.mount("/v1", Starlette(routes=[Mount("/old", routes=[Route("/{key}", plain)])]))
    yield app
    engine.dispose()


def test_routes_are_told_by_their_templates_and_places_are_counted(
    shop: FastAPI, guarded: Guarding, seen: list[Seen]
) -> None:
    guard = guarded(shop)
    client = TestClient(guard)
    for number in range(5):
        client.get(f"/books/{number}")
    client.get("/v1/old/7")
    client.get("/nowhere/8")
    assert {one.route for one in seen} == {"GET /books/{book_id}", "GET /v1/old/{key}"}
    assert sorted(place.count for place in guard.recorder.places.values()) == [1, 5]
    assert guard.recorder.routes["GET /books/{book_id}"].requests == 5
    assert guard.recorder.routes["GET (no route)"].requests == 1


def test_below_a_base_http_middleware_it_sees_the_same(shop: FastAPI, guarded: Guarding, seen: list[Seen]) -> None:
    async def passing(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    shop.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    client = TestClient(guarded(shop))
    client.get("/v1/old/7")
    client.get("/stream")
    assert codes(seen) == ["LG202", "LG301"]


def test_what_is_allowed_in_code_is_not_told(shop: FastAPI, guarded: Guarding, seen: list[Seen]) -> None:
    TestClient(guarded(shop)).get("/allowed")
    assert seen == []
    with pytest.raises(ValueError, match="needs a reason"), letgo.allow(" "):
        pass


def test_raising_comes_after_the_request_and_carries_the_picture(shop: FastAPI, guarded: Guarding) -> None:
    client = TestClient(guarded(shop, mode="raise"))
    with pytest.raises(TransactionHeld, match=r"GET /books/\{book_id\}.*LG101.*\n.*· .*read\n.*○ session injected by"):
        client.get("/books/1")


def test_a_sampled_guard_watches_only_its_share(shop: FastAPI, guarded: Guarding, seen: list[Seen]) -> None:
    guard = guarded(shop, sample=0)
    TestClient(guard).get("/books/1")
    assert seen == [] and guard.recorder.routes == {} and not opened


def test_under_load_it_watches_so_many_requests_a_second(
    shop: FastAPI, guarded: Guarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    from letgo.runtime.guard import guard as module

    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    guard = guarded(shop, rate=2)
    client = TestClient(guard)
    for _ in range(3):
        for _ in range(4):
            client.get("/books/1")
        now[0] += 1
    assert guard.recorder.routes["GET /books/{book_id}"].requests == 6
    assert not opened


def test_a_middleware_added_twice_is_one(shop: FastAPI, guarded: Guarding, seen: list[Seen]) -> None:
    TestClient(guarded(guarded(shop))).get("/books/1")
    assert codes(seen) == ["LG101"]


def test_places_are_bounded(shop: FastAPI, guarded: Guarding) -> None:
    guard = guarded(shop, most_places=1)
    client = TestClient(guard)
    client.get("/books/1")
    client.get("/v1/old/7")
    assert len(guard.recorder.places) == 1 and guard.recorder.unplaced == 1
    assert len(guard.recorder.routes) <= 2


def test_a_defect_of_the_guard_is_logged_and_the_request_goes_on(
    shop: FastAPI, guarded: Guarding, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from letgo.runtime.guard import watch

    def broken(*arguments: Any) -> None:
        raise RuntimeError("a defect")

    for method in ("began", "ended", "session_began", "started", "abandoned", "route"):
        monkeypatch.setattr(watch.Watch, method, broken)
    assert TestClient(guarded(shop, mode="raise")).get("/books/1").json() == 1
    assert {record.getMessage().partition(";")[0] for record in caplog.records} >= {"the guard failed in begin"}


@pytest.mark.parametrize(
    ("option", "value"),
    [("mode", "shout"), ("sample", 2), ("wait", -1), ("tick", 0), ("idle_timeout", 0)],
)
def test_a_setting_out_of_range_is_named(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=option):
        Guard(FastAPI(), **{option: value})
