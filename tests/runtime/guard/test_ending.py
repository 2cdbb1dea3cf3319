"""What begins and ends a transaction: to end one takes time too, and is no hold."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import URL, Engine, create_engine, event, insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.testclient import TestClient

from letgo.runtime import Guard, fresh_session
from letgo.runtime.guard import Seen
from letgo.runtime.guard.tracking import opened

SELECT = text("select 1")
Guarding = Callable[..., Guard]
WAIT = 0.3
LONG = 3 * WAIT
"""However busy the machine is, it goes on within `WAIT`."""


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
def engine(tmp_path: Any) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def ask(guarded: Guarding, endpoint: Callable[..., Any]) -> Guard:
    app = FastAPI()
    app.get("/")(endpoint)
    guard = guarded(app, rate=None, wait=WAIT)
    TestClient(guard, raise_server_exceptions=False).get("/")
    assert not opened
    return guard


def codes(seen: list[Seen]) -> list[str]:
    return [one.finding.code for one in seen]


def test_a_slow_commit_is_no_hold(engine: Engine, guarded: Guarding, seen: list[Seen]) -> None:
    def do_commit(connection: Any, commit: Callable[[Any], None] = engine.dialect.do_commit) -> None:
        time.sleep(LONG)
        commit(connection)

    engine.dialect.do_commit = do_commit  # type: ignore[method-assign]

    def endpoint() -> None:
        with Session(engine) as db:
            db.execute(SELECT)
            db.commit()
            db.add(Book())
            db.commit()

    guard = ask(guarded, endpoint)
    assert codes(seen) == []
    assert guard.recorder.routes["GET /"].transactions == 2


def test_the_end_of_a_savepoint_ends_nothing(engine: Engine, guarded: Guarding, seen: list[Seen]) -> None:
    def endpoint() -> None:
        with Session(engine) as db:
            with db.begin_nested():
                db.add(Book())
            db.begin_nested().rollback()
            time.sleep(LONG)
            db.commit()

    guard = ask(guarded, endpoint)
    assert codes(seen) == ["LG202"]
    assert guard.recorder.routes["GET /"].transactions == 1


def test_a_session_that_is_closed_while_the_loop_is_busy_is_no_hold(
    database: URL, guarded: Guarding, seen: list[Seen]
) -> None:
    """An AsyncSession closes in a task of its own, which has to wait its turn."""
    engine = create_async_engine(database.set(drivername="postgresql+psycopg"))

    async def endpoint() -> None:
        try:
            async with fresh_session(async_sessionmaker(engine)) as db:
                await db.execute(SELECT)
                asyncio.get_running_loop().call_soon(time.sleep, LONG)
                raise ValueError
        finally:
            await engine.dispose()

    ask(guarded, endpoint)
    assert codes(seen) == []


def test_the_transactions_of_one_connection_follow_each_other(
    engine: Engine, guarded: Guarding, seen: list[Seen]
) -> None:
    def endpoint() -> None:
        with engine.connect() as connection:
            connection.execute(SELECT)
            connection.commit()
            time.sleep(LONG)  # nothing is open
            connection.execute(insert(Book), [{"id": 1}, {"id": 2}])
            connection.rollback()
            time.sleep(LONG)
            connection.execute(insert(Book).returning(Book.id), [{"id": 1}, {"id": 2}])
            time.sleep(LONG)  # the third is

    guard = ask(guarded, endpoint)
    assert codes(seen) == ["LG202"]
    assert seen[0].statement.startswith("INSERT") and "RETURNING" in seen[0].statement
    assert guard.recorder.routes["GET /"].transactions == 3


def test_who_executes_statements_in_sqlalchemys_place_is_still_asked(engine: Engine, guarded: Guarding) -> None:
    asked: list[str] = []

    def before(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
        asked.append("before")

    def instead(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        asked.append("instead")
        cursor.execute("select 2")
        return True

    read: list[Any] = []

    def endpoint() -> None:
        with Session(engine) as db:
            read.append(db.scalar(SELECT))

    event.listen(engine, "do_execute", before)
    guard = guarded(FastAPI(), rate=None)
    event.listen(engine, "do_execute", instead)
    app = guard.app
    assert isinstance(app, FastAPI)
    app.get("/")(endpoint)
    TestClient(guard).get("/")
    assert (asked, read) == (["before", "instead"], [2])


def test_a_statement_that_fails_leaves_its_transaction_idle(
    engine: Engine, guarded: Guarding, seen: list[Seen]
) -> None:
    def endpoint() -> None:
        with Session(engine) as db:
            with pytest.raises(Exception, match="no such table"):
                db.execute(text("select * from nowhere"))
            time.sleep(LONG)

    ask(guarded, endpoint)
    assert codes(seen) == ["LG202"]


def test_a_flush_that_fails_has_rolled_back(engine: Engine, guarded: Guarding, seen: list[Seen]) -> None:
    def endpoint() -> None:
        with Session(engine) as db:
            db.add_all([Book(id=1)])
            db.flush()
            db.expunge_all()
            db.add(Book(id=1))
            with pytest.raises(IntegrityError):
                db.commit()
            time.sleep(LONG)

    guard = ask(guarded, endpoint)
    assert codes(seen) == []
    assert guard.recorder.routes["GET /"].transactions == 1
