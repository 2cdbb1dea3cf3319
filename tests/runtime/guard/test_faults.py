"""When things go wrong: afterwards nothing is left open, and the guard has said what happened."""

import asyncio
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool
from starlette.testclient import TestClient
from tests.runtime.serving import connect, serve, soon

from letgo.prove.postgres import embedded_postgres
from letgo.runtime import Guard
from letgo.runtime.guard import Seen
from letgo.runtime.guard.tracking import opened

SELECT = text("select 1")
Guarding = Callable[..., Guard]


QUERY = text("select query from pg_stat_activity where pid = pg_backend_pid() or 1 = :number")


def used(engine: Engine | AsyncEngine) -> int:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedout()


@pytest.fixture
def engine(database: URL) -> Iterator[Engine]:
    engine = create_engine(database, pool_size=2, max_overflow=0, pool_timeout=0.2)
    yield engine
    engine.dispose()


def hang_up(address: str, path: str) -> None:
    """Ask, read the first bytes of the answer, and go away."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode())
        client.recv(20)


def test_a_client_that_hangs_up_in_mid_stream_leaves_nothing_open(
    database: URL, engine: Engine, idle: Callable[[], int], guarded: Guarding, seen: list[Seen]
) -> None:
    async_engine = create_async_engine(database.set(drivername="postgresql+asyncpg"))
    kept = []
    app = FastAPI()

    @app.get("/sync")
    def stream() -> StreamingResponse:
        def lines() -> Iterator[str]:
            with Session(engine) as db:
                for number in range(200):
                    db.execute(SELECT)
                    yield f"{number}\n" * 1000
                    time.sleep(0.01)

        kept.append(lines())  # nothing collects it
        return StreamingResponse(kept[0])

    @app.get("/async")
    async def stream_async() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            db = AsyncSession(async_engine)
            for number in range(200):
                await db.execute(SELECT)
                yield f"{number}\n" * 1000
                await asyncio.sleep(0.01)

        return StreamingResponse(lines())

    with serve(guarded(app, mode="release")) as address:
        for path in ("/sync", "/async"):
            hang_up(address, path)
            assert soon(lambda: not opened and idle() == 0)
        assert soon(lambda: used(engine) == used(async_engine) == 0)
    assert "LG501" in {one.finding.code for one in seen}


def test_a_cancelled_task_leaves_nothing_open(
    database: URL, idle: Callable[[], int], guarded: Guarding, seen: list[Seen]
) -> None:
    engine = create_async_engine(database)
    app = FastAPI()

    @app.get("/")
    async def give_up() -> str:
        try:
            async with asyncio.timeout(0.5):
                db = AsyncSession(engine)
                await db.execute(SELECT)
                await asyncio.sleep(10)
        except TimeoutError:
            return "too late"
        return "in time"

    with TestClient(guarded(app, mode="release")) as client:
        assert client.get("/").json() == "too late"
        assert not opened and idle() == 0 and used(engine) == 0
    assert [one.finding.code for one in seen] == ["LG202"]  # told, and given back when the response started


def test_a_backend_that_is_killed_in_mid_transaction_is_told(
    engine: Engine, database: URL, guarded: Guarding, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()

    @app.get("/")
    def read() -> int:
        with Session(engine) as db:
            pid = db.execute(text("select pg_backend_pid()")).scalar_one()
            with psycopg.connect(database.set(drivername="postgresql").render_as_string(False)) as killer:
                killer.execute("select pg_terminate_backend(%s)", (pid,))
            return db.execute(SELECT).scalar_one()

    guard = guarded(app)
    assert TestClient(guard, raise_server_exceptions=False).get("/").status_code == 500
    assert not opened and used(engine) == 0
    assert guard.recorder.routes["GET /"].lost == 1
    assert "GET / lost its connection in mid-transaction" in caplog.text
    assert "select pg_backend_pid()" in caplog.text and "test_faults.py" in caplog.text


def test_a_restart_of_postgres_leaves_nothing_open_and_the_app_goes_on(
    guarded: Guarding, caplog: pytest.LogCaptureFixture
) -> None:
    with embedded_postgres() as server:
        engine = create_engine(server.dsn.replace("postgresql:", "postgresql+psycopg:"), pool_pre_ping=True)
        app = FastAPI()

        @app.get("/")
        def read(restart: bool = False) -> int:
            with Session(engine) as db:
                db.execute(SELECT)
                if restart:
                    server.stop()
                    server.start()
                return db.execute(SELECT).scalar_one()

        client = TestClient(guarded(app), raise_server_exceptions=False)
        assert client.get("/", params={"restart": True}).status_code == 500
        assert not opened and used(engine) == 0
        assert "GET / lost its connection in mid-transaction" in caplog.text
        assert client.get("/").json() == 1
        engine.dispose()


def test_when_the_pool_is_exhausted_it_tells_who_has_the_connections(
    engine: Engine, guarded: Guarding, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()
    app = FastAPI()

    @app.get("/slow")
    def slow() -> int:
        with Session(engine) as db:
            db.execute(SELECT)
            go_on.wait(5)
        return 1

    @app.get("/books")
    def read() -> int:
        with Session(engine) as db:
            return db.execute(SELECT).scalar_one()

    guard = guarded(app)
    with serve(guard) as address, connect(address) as client:
        slow_ones = [threading.Thread(target=httpx.get, args=(f"{address}/slow",)) for _ in range(2)]
        for one in slow_ones:
            one.start()
        assert soon(lambda: len([found for found in list(opened.values()) if not found.busy]) == 2)
        assert client.get("/books").status_code == 500
        go_on.set()
        for one in slow_ones:
            one.join()
        assert client.get("/books").json() == 1
    assert "GET /books got no connection: QueuePool limit of size 2" in caplog.text
    assert "2 GET /slow" in caplog.text
    assert soon(lambda: not opened and used(engine) == 0)


def test_a_handler_that_never_returns_is_told_while_it_waits_and_postgres_ends_its_transaction(
    database: URL, idle: Callable[[], int], guarded: Guarding, caplog: pytest.LogCaptureFixture
) -> None:
    engine = create_async_engine(database)
    go_on = asyncio.Event()
    app = FastAPI()

    @app.get("/")
    async def wait() -> int:
        async with AsyncSession(engine) as db:
            await db.execute(SELECT)
            await go_on.wait()
        return 1

    @app.get("/go-on")
    async def end() -> int:
        go_on.set()
        return 1

    with serve(guarded(app, held=0.1, idle_timeout=0.4)) as address:
        waiting = threading.Thread(target=httpx.get, args=(address,))
        waiting.start()
        assert soon(lambda: "GET / holds a transaction: idle for" in caplog.text)
        told = next(record.getMessage() for record in caplog.records if "holds a transaction" in record.getMessage())
        opening, now = told.split("now at")
        assert "await db.execute" not in told and "in " in opening and "test_faults.py" in opening
        assert "test_faults.py" in now and "in wait" in now
        assert soon(lambda: idle() == 0) and opened  # Postgres has ended it; the app does not know yet
        httpx.get(f"{address}/go-on")
        waiting.join(timeout=5)
        assert soon(lambda: not opened and used(engine) == 0)
    assert "GET / let go after" in caplog.text


def test_the_backstop_only_ever_lowers_the_timeout(database: URL, guarded: Guarding) -> None:
    app = FastAPI()
    engine = create_engine(database)
    show = text("show idle_in_transaction_session_timeout")

    @app.get("/")
    def read(before: str) -> str:
        with Session(engine) as db:
            db.connection().exec_driver_sql(f"set session idle_in_transaction_session_timeout = '{before}'")
            db.commit()
            return str(db.execute(show).scalar_one())

    client = TestClient(guarded(app, idle_timeout=5))
    assert client.get("/", params={"before": "0"}).json() == "5s"
    assert client.get("/", params={"before": "1min"}).json() == "5s"
    assert client.get("/", params={"before": "2s"}).json() == "2s"
    with Session(engine) as db:
        assert db.execute(show).scalar_one() == "2s"  # what the app has set; the guard's went with its transaction
    engine.dispose()


def test_the_route_is_named_to_postgres(database: URL, guarded: Guarding) -> None:
    engine = create_engine(database.set(drivername="postgresql+psycopg2"))
    app = FastAPI()

    @app.get("/books/{book_id:int}*/50%")
    def read(book_id: int) -> str:
        with Session(engine) as db:
            return str(db.execute(QUERY, {"number": 2}).scalar_one())

    query = TestClient(guarded(app, name_route=True)).get("/books/7*/50%25").json()
    assert query.endswith("/* route=GET /books/{book_id}_/50_ handler=" + query.rpartition("handler=")[2])
    assert query.count("*/") == 1 and query.endswith("read */")
    engine.dispose()


def test_release_never_ends_a_transaction_that_has_written(database: URL, engine: Engine, guarded: Guarding) -> None:
    with engine.begin() as connection:
        connection.execute(text("create table books (title text)"))
    app = FastAPI()

    def get_db(commit: bool) -> Iterator[Session]:
        with Session(engine) as db:
            yield db
            if commit:
                db.commit()

    @app.post("/books")
    def add(db: Session = Depends(get_db)) -> int:
        db.execute(text("insert into books values ('Emma')"))
        return 1

    client = TestClient(guarded(app, mode="release"))
    client.post("/books", params={"commit": True})
    client.post("/books", params={"commit": False})
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from books")).scalar_one() == 1


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "letgo.guard")


def test_garbage_that_is_collected_while_it_reads_the_frames_of_others_does_not_end_python() -> None:
    ran = subprocess.run([sys.executable, Path(__file__).with_name("collecting.py")], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
