"""The pytest plugin, run on suites of an app that holds."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]

SHOP = """
import asyncio, time
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

engine = create_engine("sqlite:///shop.db")
SessionLocal = sessionmaker(engine)
app = FastAPI()

def get_db():
    with SessionLocal() as db:
        yield db

@app.get("/clean")
def clean(db: Session = Depends(get_db)):
    found = db.execute(text("select 1")).scalar()
    db.commit()
    return found

@app.get("/books/{book_id}")
def held(book_id: int, db: Session = Depends(get_db)):
    return db.execute(text("select 1")).scalar()

@app.get("/waits")
async def waits(db: Session = Depends(get_db)):
    db.execute(text("select 1"))
    await asyncio.sleep(0.9)
    db.commit()
    return 1

def importer(wait=0.0, leave=False):
    db = SessionLocal()
    db.execute(text("select 1"))
    time.sleep(wait)
    if not leave:
        db.close()
    return db
"""


WAIT = "letgo_wait = 0.3\n"
"""A busy machine may make any line wait for some milliseconds; nothing waits for so long but what is to be found."""


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(shop=SHOP)
    pytester.makeini(f"[pytest]\naddopts = -p no:cacheprovider\n{WAIT}")
    return pytester


def run(shop: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return shop.runpytest_subprocess("-p", "no:randomly", *arguments)


LIVE = """
import threading, time, pytest, uvicorn
from shop import app

@pytest.fixture(scope="module")
def live():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started: time.sleep(0.01)
    yield "http://127.0.0.1:%d" % server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()
"""

CLIENTS = (
    LIVE
    + """
import asyncio, httpx
from fastapi.testclient import TestClient
from shop import app

def test_clean(): assert TestClient(app).get("/clean").json() == 1
def test_held(): assert TestClient(app).get("/books/3").json() == 1
def test_waits(): TestClient(app).get("/waits")
def test_held_quietly(): TestClient(app, raise_server_exceptions=False).get("/books/3")

def over_asgi(path):
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            return await client.get(path)
    return asyncio.run(ask())

def test_asgi_clean(): over_asgi("/clean")
def test_asgi_held(): over_asgi("/books/3")

def test_live_clean(live): assert httpx.get(live + "/clean").status_code == 200
def test_live_held(live): httpx.get(live + "/books/3")

@pytest.mark.anyio
async def test_anyio_held():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        await client.get("/books/3")

@pytest.mark.letgo_allow("this one is known")
def test_allowed(): TestClient(app).get("/books/3")

def test_failing_for_another_reason():
    TestClient(app, raise_server_exceptions=False).get("/books/3")
    assert 1 == 2

@pytest.fixture
def anyio_backend(): return "asyncio"
"""
)

HELD = {"held", "waits", "held_quietly", "asgi_held", "live_held", "anyio_held", "failing_for_another_reason"}


def failed(result: pytest.RunResult) -> set[str]:
    return {name for line in result.outlines for name in re.findall(r"^FAILED \S+::test_(\w+)", line)}


def test_a_hold_fails_the_test_that_caused_it_whatever_the_client(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_shop=CLIENTS)
    result = run(shop, "--letgo", "-rf", "--junit-xml=out.xml")
    assert failed(result) == HELD
    result.stdout.fnmatch_lines(
        [
            "*GET /books/{book_id}: shop.py:* LG101 transaction open since line * while the return value is *",
            "*shop.py · held*",
            "*┏ return db.execute*the transaction begins*",
            "*GET /waits: shop.py:* LG202 *`asyncio.sleep` makes it wait*",
            "*= letgo =*",
            "* requests to 3 routes, * findings",
            "*x, idle for up to * ms: shop.py:*",
        ]
    )
    properties = ElementTree.parse(shop.path / "out.xml").iterfind(".//testcase[@name='test_held']//property")
    assert [found.get("value", "").split()[0] for found in properties] == ["LG101"]


ASYNCIO = """
import asyncio
import httpx, pytest, pytest_asyncio, uvicorn
from fastapi import Depends
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from shop import app, get_db

@pytest_asyncio.fixture
async def client():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        yield client

async def test_clean(client): assert (await client.get("/clean")).json() == 1
async def test_clean_many(client): await asyncio.gather(*(client.get("/clean") for _ in range(5)))
async def test_held(client): await client.get("/books/3")
async def test_waits(client): await client.get("/waits")

async def test_live_held():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started: await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client: await client.get("/books/3")
    server.should_exit = True
    await serving

@pytest_asyncio.fixture(params=["create_savepoint", "conditional_savepoint", "rollback_only"])
async def outer(request, client):
    engine = create_async_engine("sqlite+aiosqlite:///shop.db")
    async with engine.connect() as connection:
        transaction = await connection.begin()
        session = AsyncSession(connection, join_transaction_mode=request.param)
        yield session
        await session.close()
        await transaction.rollback()
    app.dependency_overrides.clear()
    await engine.dispose()

@app.get("/async/clean")
async def clean(db = Depends(get_db)):
    await db.execute(text("select 1"))
    await db.commit()
    return 1

@app.get("/async/waits")
async def waits(db = Depends(get_db)):
    await db.execute(text("select 1"))
    await asyncio.sleep(0.9)
    await db.commit()
    return 1

async def test_outer_clean(outer, client):
    app.dependency_overrides[get_db] = lambda: outer
    await outer.execute(text("select 1"))
    for _ in range(2): assert (await client.get("/async/clean")).json() == 1
async def test_outer_waits(outer, client):
    app.dependency_overrides[get_db] = lambda: outer
    await client.get("/async/waits")
"""


def test_with_pytest_asyncio_it_sees_the_same_and_no_outer_transaction(shop: pytest.Pytester) -> None:
    shop.makeini(f"[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n{WAIT}")
    shop.makepyfile(test_shop=ASYNCIO)
    result = run(shop, "--letgo", "-rf")
    assert failed(result) == {"held", "waits", "live_held", "outer_waits"}
    result.assert_outcomes(passed=5, failed=6)


def test_without_being_asked_it_is_silent_and_imports_nothing(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        test_shop="import sys, letgo.testing\ndef test_it():\n    assert 'letgo.runtime' not in sys.modules\n"
    )
    result = run(shop)
    result.assert_outcomes(passed=1)
    assert (
        "letgo"
        not in result.stdout.str().replace(str(Path.cwd()), "").replace("plugins:", "").partition("collected")[2]
    )


def test_an_ini_line_asks_and_names_codes_that_fail_nothing(shop: pytest.Pytester) -> None:
    shop.makeini(f"[pytest]\nletgo = true\nletgo_ignore = LG202\n{WAIT}")
    shop.makepyfile(test_shop=CLIENTS)
    assert failed(run(shop, "-rf")) == HELD - {"waits"}


def test_the_allowlist_of_check_is_heard(shop: pytest.Pytester) -> None:
    shop.makefile(
        ".json",
        **{
            "letgo-allowlist": '[{"path": "shop.py", "function": "held", "codes": ["LG101"], "reason": "known"},'
            ' {"path": "shop.py", "function": "waits", "codes": ["LG202"], "reason": "known"}]'
        },
    )
    shop.makepyfile(test_shop=CLIENTS)
    assert failed(run(shop, "--letgo", "-rf")) == {"failing_for_another_reason"}


def test_a_broken_allowlist_is_told_without_a_traceback(shop: pytest.Pytester) -> None:
    shop.makefile(".json", **{"letgo-allowlist": "[{"})
    shop.makepyfile(test_shop="def test_it(): pass")
    result = run(shop, "--letgo")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "letgo-allowlist.json" in result.stderr.str() and "Traceback" not in result.stderr.str()


def test_a_marker_without_a_reason_is_refused(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_shop="import pytest\n@pytest.mark.letgo_allow\ndef test_it(): pass\n")
    result = run(shop)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "needs a reason" in result.stderr.str()


def test_workers_of_xdist_guard_and_their_findings_are_added_up(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        test_shop=LIVE
        + "import httpx\nfrom fastapi.testclient import TestClient\n"
        + "@pytest.mark.parametrize('n', range(4))\ndef test_held(n): TestClient(app).get('/books/3')\n"
        + "@pytest.mark.parametrize('n', range(2))\ndef test_live(n, live): httpx.get(live + '/books/3')\n"
    )
    result = run(shop, "--letgo", "-n", "2")
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines(["6 requests to 1 routes, 6 findings", "*   6 x, *"])


FIXTURES = """
import pytest
from fastapi.testclient import TestClient
from shop import app, importer

def test_lets_go(assert_lets_go):
    with assert_lets_go(): importer()
def test_waits(assert_lets_go):
    with assert_lets_go(): importer(wait=0.9)
def test_leaves(assert_lets_go):
    with assert_lets_go(): importer(leave=True)
def test_before(assert_lets_go):
    db = importer(leave=True)
    with assert_lets_go(): pass
    db.close()
def test_pool_kept(pool_baseline): importer()
def test_pool_leaks(pool_baseline): test_pool_leaks.db = importer(leave=True)
def test_guarded(letgo_guard): TestClient(app).get("/books/3")
def test_guarded_and_allowed(letgo_guard):
    with letgo_guard.allow("known"): TestClient(app).get("/books/3")
def test_not_guarded(): TestClient(app).get("/books/3")
"""


def test_the_fixtures_work_without_the_option(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_shop=FIXTURES)
    result = run(shop, "-rfE")
    assert failed(result) == {"waits", "leaves", "guarded"}
    result.assert_outcomes(passed=6, failed=3, errors=1)
    result.stdout.fnmatch_lines(["*1 connections have not come back to their pools: shop.py:*"])
    result.stdout.fnmatch_lines(["*shop.py:* LG202 *while `time.sleep` makes it wait*"])


OUTER = """
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from shop import app, engine, get_db

@pytest.fixture(params=["create_savepoint", "conditional_savepoint", "rollback_only"])
def client(request):
    with engine.connect() as connection:
        outer = connection.begin()
        session = Session(connection, join_transaction_mode=request.param)
        app.dependency_overrides[get_db] = lambda: session
        yield TestClient(app)
        session.close()
        outer.rollback()
    app.dependency_overrides.clear()

@pytest.fixture
def row(client):
    app.dependency_overrides[get_db]().execute(text("select 1"))

def test_clean(client): assert client.get("/clean").json() == 1
def test_clean_after_the_test_has_used_the_session(client, row): assert client.get("/clean").json() == 1
def test_clean_twice(client):
    client.get("/clean")
    client.get("/clean")
def test_held(client): client.get("/books/3")
"""


def test_an_outer_transaction_is_nobodys_hold_but_what_the_handler_does_inside_is(shop: pytest.Pytester) -> None:
    shop.makepyfile(test_shop=OUTER)
    result = run(shop, "--letgo", "-rf")
    result.assert_outcomes(passed=9, failed=3)
    assert failed(result) == {"held"}
