"""What the guard keeps is bounded: for each open transaction, for each place, and for each request that is over."""

import gc
import logging
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from starlette.testclient import TestClient

import letgo.runtime.guard
from letgo.holds import Site, Wait, WaitKind
from letgo.runtime import Guard
from letgo.runtime.guard.tracking import opened

SELECT = text("select 1")
GUARD = letgo.runtime.guard.__path__[0]


@pytest.fixture
def engine(tmp_path: Any) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def kept() -> Iterator[Callable[[], int]]:
    """How many bytes code of the guard has allocated, and not given back, since the test began."""
    tracemalloc.start()

    def of_ours() -> int:
        gc.collect()
        traces = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, f"{GUARD}/*")])
        return sum(found.size for found in traces.statistics("filename"))

    yield of_ours
    tracemalloc.stop()


def test_an_open_transaction_costs_a_few_kilobytes_whatever_it_does(
    engine: Engine, guarded: Callable[..., Guard], kept: Callable[[], int]
) -> None:
    guarded(FastAPI(), mode="observe")  # follows what runs outside of requests, too
    sessions = [Session(engine) for _ in range(50)]
    before = kept()
    for session in sessions:
        session.execute(SELECT)
    after_begin = kept()
    assert len(opened) == 50
    assert (after_begin - before) / 50 < 3_000
    for session in sessions:
        for _ in range(10):
            session.execute(SELECT)
    for found in list(opened.values()):
        for line in range(100):
            found.watch.noted(found, Wait(WaitKind.SLEEP, "time.sleep", Site("shop.py", line, "wait")), 1.0)
    assert (kept() - before) / 50 < 12_000
    for session in sessions:
        session.close()
    assert not opened


def test_places_and_routes_cost_so_much_each_and_no_more_than_the_most(
    engine: Engine, guarded: Callable[..., Guard], kept: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "letgo.guard")  # pytest keeps all that is logged
    app = FastAPI()

    def get_db() -> Iterator[Session]:
        with Session(engine) as db:
            yield db

    def add(number: int) -> None:
        @app.get(f"/books/{number}")
        def read(db: Session = Depends(get_db)) -> int:
            db.execute(SELECT)
            return number

    for number in range(30):
        add(number)
    guard = guarded(app, most_places=10, rate=None, on_finding=None, wait=60)
    client = TestClient(guard)

    def ask(numbers: range) -> int:
        for number in numbers:
            assert client.get(f"/books/{number}").json() == number
        return kept()

    ask(range(1))
    before = kept()
    full = ask(range(1, 10))
    more = ask(range(10, 30))
    again = ask(range(30))
    assert len(guard.recorder.places) == 10 and len(guard.recorder.routes) <= 11
    assert (full - before) / 9 < 8_000
    assert (more - full) / 20 < 2_000  # an endpoint that was seen once is known from then on
    assert (again - more) / 30 < 200  # nothing remains of a request that is over
    assert not opened
