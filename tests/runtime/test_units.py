"""Short units of work, and letting go by hand."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import URL, Engine, create_engine, func, select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from tests.runtime.bookshop import Author, Base

from letgo.runtime import UnsavedWork, fresh_session, install, release, session_dependency
from letgo.runtime.transactions import end_reads

Engines = tuple[Engine, AsyncEngine]


@pytest.fixture
def engine(database: URL) -> Iterator[Engine]:
    engine = create_engine(database)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def names(engine: Engine) -> list[str]:
    with Session(engine) as db:
        return sorted(db.scalars(select(Author.name)))


def checked_out(engine: Engine | AsyncEngine) -> int:
    return engine.pool.checkedout()  # type: ignore[attr-defined, no-any-return]


def in_loop(database: URL, use: object) -> None:
    async def run() -> None:
        engine = create_async_engine(database.set(drivername="postgresql+asyncpg"))
        try:
            await use(async_sessionmaker(engine), engine)  # type: ignore[operator]
        finally:
            await engine.dispose()

    asyncio.run(run())


def test_a_fresh_session_commits_when_its_body_ends(engine: Engine) -> None:
    with fresh_session(sessionmaker(engine)) as db:
        db.add(Author(name="Austen"))
    assert names(engine) == ["Austen"]
    assert checked_out(engine) == 0


def test_a_fresh_session_rolls_back_on_an_exception_and_when_its_generator_is_closed(engine: Engine) -> None:
    def chunks() -> Iterator[int]:
        with fresh_session(sessionmaker(engine)) as db:
            db.add(Author(name="Austen"))
            db.flush()
            yield 1

    with pytest.raises(ZeroDivisionError), fresh_session(lambda: Session(engine)) as db:
        db.add(Author(name="Austen"))
        db.flush()
        _ = 1 / 0
    generator = chunks()
    next(generator)
    assert checked_out(engine) == 1
    generator.close()  # type: ignore[attr-defined]
    assert checked_out(engine) == 0
    assert names(engine) == []


def test_a_fresh_async_session_commits_and_a_cancelled_one_does_not(engine: Engine, database: URL) -> None:
    async def use(sessions: async_sessionmaker[AsyncSession], pool: AsyncEngine) -> None:
        async with fresh_session(sessions) as db:
            db.add(Author(name="Austen"))

        async def slow() -> None:
            async with fresh_session(sessions) as db:
                db.add(Author(name="Lost"))
                await db.flush()
                await db.execute(select(func.pg_sleep(10)))

        for seconds in (0.05, 0.1):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(slow(), seconds)
        assert checked_out(pool) == 0

    in_loop(database, use)
    assert names(engine) == ["Austen"]


def test_releasing_twice_is_no_harm_and_the_objects_keep_what_is_loaded(engine: Engine) -> None:
    db = Session(engine)
    db.add(Author(name="Austen"))
    db.commit()
    author = db.scalars(select(Author)).one()
    assert checked_out(engine) == 1
    release(db)
    release(db)
    assert checked_out(engine) == 0
    assert author.name == "Austen"


def test_a_session_with_unsaved_work_is_not_released_before_somebody_says_what_becomes_of_it(engine: Engine) -> None:
    db = Session(engine)
    db.add(Author(name="Austen"))
    with pytest.raises(UnsavedWork, match="unsaved Author"):
        release(db)
    db.flush()
    with pytest.raises(UnsavedWork, match="INSERT INTO author"):
        release(db)
    release(db, unsaved="rollback")
    assert names(engine) == []
    db.add(Author(name="Woolf"))
    release(db, unsaved="commit")
    assert names(engine) == ["Woolf"]
    db.execute(text("select set_config('app.tenant', '1', true)"))
    with pytest.raises(UnsavedWork, match="set_config"):
        release(db)
    release(db, unsaved="rollback")


def test_an_async_session_is_released_alike(engine: Engine, database: URL) -> None:
    async def use(sessions: async_sessionmaker[AsyncSession], pool: AsyncEngine) -> None:
        db = sessions()
        await db.execute(select(Author))
        await release(db)
        assert checked_out(pool) == 0
        db.add(Author(name="Austen"))
        with pytest.raises(UnsavedWork):
            await release(db)
        await release(db, unsaved="commit")
        await release(db)
        assert checked_out(pool) == 0

    in_loop(database, use)
    assert names(engine) == ["Austen"]


def test_a_session_of_session_dependency_can_not_be_used_again_once_it_is_released(
    engine: Engine, database: URL
) -> None:
    dependency = session_dependency(sessionmaker(engine))()
    db = next(dependency)
    db.add(Author(name="Austen"))
    assert next(dependency, None) is None
    assert names(engine) == ["Austen"]
    with pytest.raises(InvalidRequestError, match="permanently closed"):
        db.execute(select(Author))

    async def use(sessions: async_sessionmaker[AsyncSession], pool: AsyncEngine) -> None:
        dependency: AsyncIterator[AsyncSession] = session_dependency(sessions, unsaved="rollback")()
        db = await anext(dependency)
        db.add(Author(name="Lost"))
        await db.flush()
        assert await anext(dependency, None) is None
        with pytest.raises(InvalidRequestError, match="permanently closed"):
            await db.execute(select(Author))

    in_loop(database, use)
    assert names(engine) == ["Austen"]


def test_a_result_can_be_read_to_its_end_after_its_transaction_has_ended(engine: Engine, database: URL) -> None:
    five = select(func.generate_series(1, 5))
    with Session(engine) as db:
        result = db.scalars(five)
        end_reads(db)
        assert checked_out(engine) == 0
        assert result.all() == [1, 2, 3, 4, 5]

    async def use(sessions: async_sessionmaker[AsyncSession], pool: AsyncEngine) -> None:
        async with sessions() as db:
            result = await db.scalars(five)
            await db.run_sync(end_reads)
            assert checked_out(pool) == 0
            assert result.all() == [1, 2, 3, 4, 5]

    in_loop(database, use)


def test_the_end_of_a_connection_that_the_server_has_closed_is_no_error_to_who_has_read(engine: Engine) -> None:
    with Session(engine) as db:
        backend = db.scalar(select(func.pg_backend_pid()))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            other.execute(select(func.pg_terminate_backend(backend, 5000)))
        end_reads(db)
        assert checked_out(engine) == 0
        assert db.scalar(select(func.pg_backend_pid())) != backend


def test_a_misspelt_choice_is_an_error_at_once(engine: Engine) -> None:
    for misspelt in (
        lambda: install(FastAPI(), unsaved="rollback"),  # type: ignore[arg-type]
        lambda: session_dependency(sessionmaker(engine), unsaved="comit"),  # type: ignore[call-overload]
        lambda: release(Session(engine), unsaved="comit"),  # type: ignore[call-overload]
    ):
        with pytest.raises(ValueError, match="unsaved must be one of"):
            misspelt()


@pytest.mark.parametrize(("unsaved", "left"), [("commit", ["Austen"]), ("rollback", []), ("refuse", [])])
def test_session_dependency_does_with_unsaved_work_what_it_was_told(
    engine: Engine, unsaved: str, left: list[str]
) -> None:
    dependency = session_dependency(sessionmaker(engine), unsaved=unsaved)()  # type: ignore[call-overload]
    next(dependency).add(Author(name="Austen"))
    if unsaved == "refuse":
        with pytest.raises(UnsavedWork):
            next(dependency)
    else:
        next(dependency, None)
    assert names(engine) == left
    assert checked_out(engine) == 0
