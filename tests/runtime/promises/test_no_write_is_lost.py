"""Whatever an app does with its sessions, letting go leaves in the database what the app alone would have left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import fastapi
import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import URL, create_engine, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from letgo.runtime import install, session_dependency


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]


class Answer(BaseModel):
    count: int


# --- programs -------------------------------------------------------------------------------------------------------


def add(db: Session) -> None:
    db.add(Note(body="added"))


def change(db: Session) -> None:
    for note in db.scalars(select(Note)):
        note.body += "!"


def remove(db: Session) -> None:
    if (note := db.scalars(select(Note).order_by(Note.id.desc())).first()) is not None:
        db.delete(note)


def read(db: Session) -> None:
    db.scalars(select(Note)).all()


def read_locked(db: Session) -> None:
    db.scalars(select(Note).with_for_update()).all()


def write_in_core(db: Session) -> None:
    db.execute(delete(Note).where(Note.id == 1))


def write_in_text(db: Session) -> None:
    db.execute(text("insert into note (body) values ('in text')"))


def write_by_function(db: Session) -> None:
    db.execute(select(func.write_note()))


def add_in_savepoint(db: Session) -> None:
    with db.begin_nested():
        add(db)


def flush(db: Session) -> None:
    db.flush()


def commit(db: Session) -> None:
    db.commit()


def roll_back(db: Session) -> None:
    db.rollback()


def close(db: Session) -> None:
    db.close()


Step = tuple[int, Callable[[Session], None]]  # which session, and what is done with it
WITHIN = [
    add,
    change,
    remove,
    read,
    read_locked,
    write_in_core,
    write_in_text,
    write_by_function,
    add_in_savepoint,
    flush,
]
ENDING = [commit, roll_back, close]

# FastAPI 0.106 to 0.117 ends a dependency before a stream and a background task, where no app can use it well.
ENDS_EARLY = (0, 106) <= tuple(int(part) for part in fastapi.__version__.split(".")[:2]) < (0, 118)


@dataclass(frozen=True)
class Program:
    """What an app does: its dependencies' kinds, the steps before the endpoint, in it and after it, and its answer."""

    dependencies: tuple[str, ...]
    before: tuple[Step, ...]
    inside: tuple[Step, ...]
    after: tuple[Step, ...]
    answer: str
    asynchronous: bool


KINDS = ["closes", "commits", "commits_unless_raised", "commits_always", "begins", "committed_outside"]
ANSWERS = ["model", "plain", "response", "error_response", "http_error", "crash", "invalid", "stream", "task"]


@st.composite
def programs(
    draw: st.DrawFn, kinds: list[str] = KINDS, answers: list[str] = ANSWERS, sessions: int = 2, late: bool = True
) -> Program:
    dependencies = tuple(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=sessions)))
    answer = draw(st.sampled_from(answers))
    chosen = st.integers(0, len(dependencies) - 1)
    # A `with Session.begin()` ends its transaction itself: an app that does so within it gets an error.
    within = st.tuples(chosen, st.sampled_from(WITHIN))
    anything = within if "begins" in dependencies else st.tuples(chosen, st.sampled_from(WITHIN + ENDING))
    late = late and answer in ("stream", "task") and not ENDS_EARLY
    return Program(
        dependencies,
        tuple(draw(st.lists(within, max_size=3))),
        tuple(draw(st.lists(anything, max_size=5))),
        tuple(draw(st.lists(anything, max_size=3))) if late else (),
        answer,
        draw(st.booleans()),
    )


# --- the apps that run them -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    loop: asyncio.Runner
    sessions: sessionmaker[Session]
    async_sessions: async_sessionmaker[AsyncSession]

    def left_by(self, program: Program, change_app: Callable[[FastAPI], object]) -> tuple[int, list[str]]:
        """The status, and what is in the database after the request."""
        with self.sessions.begin() as db:
            db.execute(text("truncate note restart identity"))
            db.add_all([Note(body="first"), Note(body="second")])
        app = async_app(program, self.async_sessions) if program.asynchronous else sync_app(program, self.sessions)
        change_app(app)
        status = self.loop.run(self._requested(app))
        with self.sessions() as db:
            return status, sorted(db.scalars(select(Note.body)))

    async def _requested(self, app: FastAPI) -> int:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return (await client.get("/")).status_code


def unchanged(app: FastAPI) -> None:
    pass


@pytest.fixture
def world(database: URL) -> Iterator[World]:
    # Two sessions of one program may want the same row; then both apps give up soon, and in the same place.
    engine = create_engine(database, connect_args={"options": "-c lock_timeout=50"})
    async_engine = create_async_engine(
        database.set(drivername="postgresql+asyncpg"), connect_args={"server_settings": {"lock_timeout": "50"}}
    )
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(
            text(
                "create function write_note() returns int language sql as "
                "$$ insert into note (body) values ('by a function') returning id $$"
            )
        )
    with asyncio.Runner() as loop:
        yield World(loop, sessionmaker(engine), async_sessionmaker(async_engine))
        loop.run(async_engine.dispose())
    engine.dispose()


def sync_app(program: Program, sessions: sessionmaker[Session]) -> FastAPI:
    def take(databases: list[Session], steps: tuple[Step, ...]) -> None:
        for which, step in steps:
            step(databases[which])

    app = FastAPI()
    dependencies = [_sync_dependency(kind, sessions) for kind in program.dependencies]

    def first(db: Session = Depends(dependencies[0])) -> Session:
        return db

    def second(db: Session = Depends(dependencies[-1])) -> Session:
        return db

    def earlier(one: Session = Depends(first), two: Session = Depends(second)) -> list[Session]:
        take([one, two], program.before)
        return [one, two]

    @app.get("/", response_model=None if program.answer == "plain" else Answer)
    def endpoint(tasks: BackgroundTasks, databases: list[Session] = Depends(earlier)) -> Any:
        take(databases, program.inside)

        def chunks() -> Iterator[str]:
            yield "a"
            take(databases, program.after)
            yield "b"

        return _answer(program.answer, chunks, lambda: tasks.add_task(take, databases, program.after))

    return app


def async_app(program: Program, sessions: async_sessionmaker[AsyncSession]) -> FastAPI:
    async def take(databases: list[AsyncSession], steps: tuple[Step, ...]) -> None:
        for which, step in steps:
            await databases[which].run_sync(step)

    app = FastAPI()
    dependencies = [_async_dependency(kind, sessions) for kind in program.dependencies]

    async def earlier(
        one: AsyncSession = Depends(dependencies[0]), two: AsyncSession = Depends(dependencies[-1])
    ) -> list[AsyncSession]:
        await take([one, two], program.before)
        return [one, two]

    @app.get("/", response_model=None if program.answer == "plain" else Answer)
    async def endpoint(tasks: BackgroundTasks, databases: list[AsyncSession] = Depends(earlier)) -> Any:
        await take(databases, program.inside)

        async def chunks() -> AsyncIterator[str]:
            yield "a"
            await take(databases, program.after)
            yield "b"

        return _answer(program.answer, chunks, lambda: tasks.add_task(take, databases, program.after))

    return app


def _answer(kind: str, chunks: Callable[[], Any], add_task: Callable[[], None]) -> Any:
    match kind:
        case "response":
            return JSONResponse({})
        case "error_response":
            return JSONResponse({}, status_code=400)
        case "http_error":
            raise HTTPException(409)
        case "crash":
            raise RuntimeError("crash")
        case "invalid":
            return {"count": "not a number"}
        case "stream":
            return StreamingResponse(chunks())
        case "task":
            add_task()
    return {"count": 1}


def _sync_dependency(kind: str, sessions: sessionmaker[Session]) -> Callable[..., Any]:
    def closes() -> Iterator[Session]:
        with sessions() as db:
            yield db

    def commits() -> Iterator[Session]:
        with sessions() as db:
            yield db
            db.commit()

    def commits_unless_raised() -> Iterator[Session]:
        db = sessions()
        try:
            yield db
            db.commit()
        except BaseException:
            db.rollback()
            raise
        finally:
            db.close()

    def commits_always() -> Iterator[Session]:
        with sessions() as db:
            try:
                yield db
            finally:
                db.commit()

    def begins() -> Iterator[Session]:
        with sessions.begin() as db:
            yield db

    def committed_outside(db: Session = Depends(closes)) -> Iterator[Session]:
        yield db
        db.commit()

    return locals()[kind] if kind != "owned" else session_dependency(sessions)  # type: ignore[no-any-return]


def _async_dependency(kind: str, sessions: async_sessionmaker[AsyncSession]) -> Callable[..., Any]:
    async def closes() -> AsyncIterator[AsyncSession]:
        async with sessions() as db:
            yield db

    async def commits() -> AsyncIterator[AsyncSession]:
        async with sessions() as db:
            yield db
            await db.commit()

    async def commits_unless_raised() -> AsyncIterator[AsyncSession]:
        db = sessions()
        try:
            yield db
            await db.commit()
        except BaseException:
            await db.rollback()
            raise
        finally:
            await db.close()

    async def commits_always() -> AsyncIterator[AsyncSession]:
        async with sessions() as db:
            try:
                yield db
            finally:
                await db.commit()

    async def begins() -> AsyncIterator[AsyncSession]:
        async with sessions.begin() as db:
            yield db

    async def committed_outside(db: AsyncSession = Depends(closes)) -> AsyncIterator[AsyncSession]:
        yield db
        await db.commit()

    return locals()[kind] if kind != "owned" else session_dependency(sessions)  # type: ignore[no-any-return]


# --- the laws -------------------------------------------------------------------------------------------------------

thoroughly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
answered = [answer for answer in ANSWERS if answer not in ("error_response", "stream", "task")]


@thoroughly
@given(programs())
@example(Program(("commits",), (), ((0, add),), (), "model", False))
@example(Program(("commits",), (), ((0, add),), ((0, add),), "task", False))
@example(Program(("closes",), (), ((0, write_by_function),), (), "model", False))
@example(Program(("committed_outside",), (), ((0, add),), (), "invalid", True))
def test_letting_go_changes_nothing_that_is_saved(world: World, program: Program) -> None:
    status, saved = world.left_by(program, install)
    alone, saved_alone = world.left_by(program, unchanged)
    assert saved == saved_alone
    assert status in (alone, 500)  # what fails after the response is sent then fails before


@thoroughly
@given(programs(kinds=["closes"], answers=answered, sessions=1))
def test_with_a_policy_to_commit_an_app_saves_as_if_its_dependency_committed(world: World, program: Program) -> None:
    committing = replace(program, dependencies=("commits",) * len(program.dependencies))
    _, saved = world.left_by(program, lambda app: install(app, unsaved="commit"))
    assert saved == world.left_by(committing, unchanged)[1]


@thoroughly
@given(programs(kinds=["commits"], late=False))
def test_session_dependency_saves_what_a_commit_after_the_yield_would(world: World, program: Program) -> None:
    program = replace(program, inside=tuple(step for step in program.inside if step[1] is not close))
    owned = replace(program, dependencies=("owned",) * len(program.dependencies))
    _, expected = world.left_by(program, unchanged)
    assert world.left_by(owned, unchanged)[1] == expected
    assert world.left_by(owned, install)[1] == expected
