"""The guard and letting go in servers of their own, with several workers, as they are deployed."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.serving import serving
from sqlalchemy import URL
from tests.runtime.serving import soon

SHOP = """
import logging, os, time
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from letgo.runtime import Guard, install

logging.basicConfig(filename=os.environ["SHOP_LOG"], format="%(process)d %(message)s")
logging.getLogger("uvicorn.error").addHandler(logging.FileHandler(os.environ["SHOP_LOG"]))
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
engine = create_engine(os.environ["DATABASE_URL"])
app = FastAPI()
if os.environ["SHOP_MODE"] == "install":
    install(app)
else:
    app.add_middleware(Guard, mode=os.environ["SHOP_MODE"], page="/letgo", rate=None)

def get_db():
    with Session(engine) as db:
        yield db

@app.get("/books/{book_id}")
def read(book_id: int, db: Session = Depends(get_db)) -> int:
    return db.execute(text("select 1")).scalar_one()

@app.get("/ready")
async def ready() -> int:
    time.sleep(0.05)  # so that another worker accepts, too
    return os.getpid()
"""


@pytest.fixture
def environment(database: URL, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "shop.py").write_text(SHOP)
    return {
        "DATABASE_URL": database.render_as_string(hide_password=False),
        "SHOP_LOG": str(tmp_path / "shop.log"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    }


def get(port: int, path: str) -> Any:
    """What is answered; None for an error."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError:
        return None


def pages(port: int) -> dict[int, Any]:
    """What each of two workers shows, by its process: asked until both have answered."""
    found: dict[int, Any] = {}

    def both() -> bool:
        for _ in range(10):
            page = get(port, "/letgo/json")
            found[page["process"]] = page
        return len(found) == 2

    assert soon(both)
    return found


def counted(shown: dict[int, Any]) -> dict[int, int]:
    """How many requests for books each process has counted."""
    return {
        process: sum(route["requests"] for route in page["routes"] if route["route"] == "GET /books/{book_id}")
        for process, page in shown.items()
    }


def test_each_of_several_workers_tells_and_counts_its_own(environment: dict[str, str]) -> None:
    with serving("shop:app", environment | {"SHOP_MODE": "observe"}, "--workers", "2") as server:
        pages(server.port)
        for number in range(20):
            assert get(server.port, f"/books/{number}") == 1
        assert soon(lambda: sum(counted(pages(server.port)).values()) == 20)
        shown = pages(server.port)
    counts = counted(shown)
    for process, page in shown.items():
        assert [place["count"] for place in page["places"]] == ([counts[process]] if counts[process] else [])
    told = Path(environment["SHOP_LOG"]).read_text()
    told_by = {process for process in counts if f"{process} GET /books/{{book_id}}: " in told}
    assert told_by == {process for process, count in counts.items() if count}


def test_in_mode_raise_a_hold_is_an_error_of_the_server(environment: dict[str, str]) -> None:
    with serving("shop:app", environment | {"SHOP_MODE": "raise"}) as server:
        get(server.port, "/books/1")
        log = Path(environment["SHOP_LOG"])
        assert soon(lambda: "letgo.runtime.guard.recorder.TransactionHeld: GET /books/{book_id}: " in log.read_text())
        assert "LG101" in log.read_text()


def test_install_holds_nothing_in_each_of_several_workers(environment: dict[str, str], idle: Callable[[], int]) -> None:
    with serving("shop:app", environment | {"SHOP_MODE": "install"}, "--workers", "2") as server:
        workers = set()
        assert soon(lambda: workers.add(get(server.port, "/ready")) or len(workers) == 2)
        assert {get(server.port, f"/books/{number}") for number in range(20)} == {1}
        assert soon(lambda: idle() == 0)
