"""A bookshop with one endpoint for each way to get and release a session and each kind of response.

Each endpoint reads one book (`/read/WAY/RESPONSE`) or writes one (`/write/WAY`), and asks Postgres at every later
phase how many of the shop's connections are idle in transaction.
"""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import psycopg
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, field_serializer
from sqlalchemy import URL, ForeignKey, UniqueConstraint, create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload, sessionmaker
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import BaseHTTPMiddleware

from letgo.runtime import session_dependency

IDLE = """
    select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'shop' and state like 'idle in transaction%'
"""


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    __tablename__ = "book"
    __table_args__ = (UniqueConstraint("title", deferrable=True, initially="DEFERRED"),)  # only a commit can fail
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id))
    author: Mapped[Author] = relationship()


@dataclass
class Shop:
    """The database and what was seen: `seen` has the idle transactions at each phase, by the name of the phase."""

    url: URL
    seen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watcher = psycopg.connect(self.url.set(drivername="postgresql").render_as_string(False), autocommit=True)
        self._lock = threading.Lock()
        options = {"pool_size": 3, "max_overflow": 0, "pool_timeout": 3}
        self.engine = create_engine(self.url, connect_args={"application_name": "shop"}, **options)
        self.async_engine = create_async_engine(
            self.url.set(drivername="postgresql+asyncpg"),
            connect_args={"server_settings": {"application_name": "shop"}},
            **options,
        )
        self.sessions = sessionmaker(self.engine)
        self.async_sessions = async_sessionmaker(self.async_engine)
        Base.metadata.create_all(self.engine)
        with self.sessions() as db:
            db.add(Book(title="Emma", author=Author(name="Austen")))
            db.commit()

    def idle(self) -> int:
        with self._lock:
            row = self._watcher.execute(IDLE).fetchone()
        assert row is not None
        return int(row[0])

    def look(self, phase: str) -> None:
        self.seen[phase] = self.idle()

    def checked_out(self) -> int:
        return self.engine.pool.checkedout() + self.async_engine.pool.checkedout()  # type: ignore[attr-defined]

    def titles(self) -> set[str]:
        with self._lock:
            return {title for (title,) in self._watcher.execute("select title from book")}

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        yield
        await self.async_engine.dispose()

    def close(self) -> None:
        self._watcher.close()
        self.engine.dispose()


@contextmanager
def opened(url: URL) -> Iterator[Shop]:
    shop = Shop(url)
    try:
        yield shop
    finally:
        shop.close()


class AuthorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str


def book_model(shop: Shop) -> type[BaseModel]:
    class BookOut(BaseModel):
        model_config = ConfigDict(from_attributes=True)
        title: str
        author: AuthorOut

        @field_serializer("title")
        def look(self, title: str) -> str:
            shop.look("serialise")
            return title

    return BookOut


@dataclass(frozen=True)
class Way:
    """How a handler comes by its session, and what it does before it returns."""

    name: str
    dependency: Callable[..., Any]
    ends: Callable[[Any, Any], Any]
    saves: bool = True  # whether what was written is in the database afterwards
    scope: str | None = None
    reader_scope: str | None = None  # of the same dependency, where another dependency asks for it

    @property
    def commits_itself(self) -> bool:
        return self.name in ("commit", "commit_and_refresh", "commit_and_close")

    def depends(self) -> Any:
        return _depends(self.dependency, self.scope)

    def depends_in_reader(self) -> Any:
        return _depends(self.dependency, self.reader_scope or self.scope)


def _depends(dependency: Callable[..., Any], scope: str | None) -> Any:
    return Depends(dependency, scope=scope) if scope else Depends(dependency)


def nothing(db: Any, book: Any) -> None:
    pass


HAS_SCOPE = "scope" in signature(Depends).parameters


def sync_ways(shop: Shop) -> list[Way]:
    def closes() -> Iterator[Session]:
        db = shop.sessions()
        try:
            yield db
        finally:
            db.close()

    def commits() -> Iterator[Session]:
        with shop.sessions() as db:
            yield db
            db.commit()

    def begins() -> Iterator[Session]:
        with shop.sessions.begin() as db:
            yield db

    def nested(db: Session = Depends(closes)) -> Iterator[Session]:
        yield db
        db.commit()

    def from_middleware(request: Request) -> Session:
        db: Session = request.state.db
        return db

    def commit_and_refresh(db: Session, book: Book) -> None:
        db.commit()
        db.refresh(book)

    def commit_and_close(db: Session, book: Book) -> None:
        book.author  # noqa: B018
        db.commit()
        db.refresh(book, ["title", "author"])
        book.author.name  # noqa: B018
        db.close()

    ways = [
        Way("teardown", closes, nothing, saves=False),
        Way("commits_after_yield", commits, nothing),
        Way("begin_block", begins, nothing),
        Way("commits_in_outer_dependency", nested, nothing),
        Way("middleware", from_middleware, nothing),
        Way("commit", closes, lambda db, book: db.commit()),
        Way("commit_and_refresh", closes, commit_and_refresh),
        Way("rollback", closes, lambda db, book: db.rollback(), saves=False),
        Way("commit_and_close", closes, commit_and_close),
        Way("session_dependency", session_dependency(shop.sessions), nothing),
    ]
    if HAS_SCOPE:
        ways.append(Way("function_scope", commits, nothing, scope="function"))
        ways.append(Way("mixed_scopes", commits, nothing, scope="function", reader_scope="request"))
    return ways


def async_ways(shop: Shop) -> list[Way]:
    async def closes() -> AsyncIterator[AsyncSession]:
        async with shop.async_sessions() as db:
            yield db

    async def commits() -> AsyncIterator[AsyncSession]:
        async with shop.async_sessions() as db:
            yield db
            await db.commit()

    async def begins() -> AsyncIterator[AsyncSession]:
        async with shop.async_sessions.begin() as db:
            yield db

    async def nested(db: AsyncSession = Depends(closes)) -> AsyncIterator[AsyncSession]:
        yield db
        await db.commit()

    async def commit(db: AsyncSession, book: Book) -> None:
        await db.commit()
        await db.refresh(book, ["title", "author"])

    async def rollback(db: AsyncSession, book: Book) -> None:
        db.expunge_all()
        await db.rollback()

    async def commit_and_close(db: AsyncSession, book: Book) -> None:
        await commit(db, book)
        await db.close()

    ways = [
        Way("teardown", closes, nothing, saves=False),
        Way("commits_after_yield", commits, nothing),
        Way("begin_block", begins, nothing),
        Way("commits_in_outer_dependency", nested, nothing),
        Way("commit_and_refresh", closes, commit),
        Way("rollback", closes, rollback, saves=False),
        Way("commit_and_close", closes, commit_and_close),
        Way("session_dependency", session_dependency(shop.async_sessions), nothing),
    ]
    if HAS_SCOPE:
        ways.append(Way("function_scope", commits, nothing, scope="function"))
        ways.append(Way("mixed_scopes", commits, nothing, scope="function", reader_scope="request"))
    return ways


RESPONSES = [
    "orm", "dict", "json", "redirect", "stream", "stream_using_session", "background", "background_using_session",
    "error", "crash",
]  # fmt: skip


def sync_app(shop: Shop) -> FastAPI:
    app = FastAPI(lifespan=shop.lifespan)
    for way in sync_ways(shop):
        app.post(f"/write/{way.name}", response_model=book_model(shop))(_sync_write(way))
        for response in RESPONSES:
            model = book_model(shop) if response in ("orm", "dict") else None
            app.get(f"/read/{way.name}/{response}", response_model=model)(_sync_read(shop, way, response))
    app.add_middleware(BaseHTTPMiddleware, dispatch=_commit_in_middleware(shop))
    return app


def _commit_in_middleware(shop: Shop) -> Any:
    async def dispatch(request: Request, call_next: Any) -> Any:
        with shop.sessions() as request.state.db:
            response = await call_next(request)
            if response.status_code < 400:
                await run_in_threadpool(request.state.db.commit)
        return response

    return dispatch


def _sync_read(shop: Shop, way: Way, response: str) -> Callable[..., Any]:
    def query(db: Session) -> Book:
        return db.scalars(select(Book).where(Book.title == "Emma")).one()

    def reader(db: Session = way.depends_in_reader()) -> str:
        return query(db).title

    def endpoint(db: Session = way.depends(), seen_by_dependency: str = Depends(reader)) -> Any:
        shop.look("entry")
        book = query(db)
        answer = {"title": book.title, "author": {"name": book.author.name}}
        way.ends(db, book)

        def stream(using: bool) -> Iterator[str]:
            shop.look("stream")
            yield query(db).title if using else "Emma"

        def task(using: bool) -> None:
            shop.look("background")
            if using:
                query(db)

        return _respond(response, book, answer, stream, task)

    return endpoint


def _sync_write(way: Way) -> Callable[..., Any]:
    def endpoint(title: str, db: Session = way.depends(), fail: str | None = None) -> Any:
        author = db.scalars(select(Author)).one()
        book = Book(title=title, author_id=author.id)
        db.add(book)
        db.flush()
        if fail == "raise":
            raise HTTPException(409)
        answer = {"title": title, "author": {"name": author.name} if fail != "answer" else None}
        way.ends(db, book)
        return answer

    return endpoint


def async_app(shop: Shop) -> FastAPI:
    app = FastAPI(lifespan=shop.lifespan)
    for way in async_ways(shop):
        app.post(f"/write/{way.name}", response_model=book_model(shop))(_async_write(way))
        for response in RESPONSES:
            model = book_model(shop) if response in ("orm", "dict") else None
            app.get(f"/read/{way.name}/{response}", response_model=model)(_async_read(shop, way, response))
    return app


def _async_read(shop: Shop, way: Way, response: str) -> Callable[..., Any]:
    async def query(db: AsyncSession) -> Book:
        books = await db.scalars(select(Book).where(Book.title == "Emma").options(selectinload(Book.author)))
        return books.one()

    async def reader(db: AsyncSession = way.depends_in_reader()) -> str:
        return (await query(db)).title

    async def endpoint(db: AsyncSession = way.depends(), seen_by_dependency: str = Depends(reader)) -> Any:
        book = await query(db)
        answer = {"title": book.title, "author": {"name": book.author.name}}
        ended = way.ends(db, book)
        if ended is not None:
            await ended

        async def stream(using: bool) -> AsyncIterator[str]:
            shop.look("stream")
            yield (await query(db)).title if using else "Emma"

        async def task(using: bool) -> None:
            shop.look("background")
            if using:
                await query(db)

        return _respond(response, book, answer, stream, task)

    return endpoint


def _async_write(way: Way) -> Callable[..., Any]:
    async def endpoint(title: str, db: AsyncSession = way.depends(), fail: str | None = None) -> Any:
        author = (await db.scalars(select(Author))).one()
        book = Book(title=title, author_id=author.id)
        db.add(book)
        await db.flush()
        if fail == "raise":
            raise HTTPException(409)
        answer = {"title": title, "author": {"name": author.name} if fail != "answer" else None}
        ended = way.ends(db, book)
        if ended is not None:
            await ended
        return answer

    return endpoint


def _respond(kind: str, book: Book, answer: Any, stream: Any, task: Any) -> Any:
    match kind:
        case "orm":
            return book
        case "dict":
            return answer
        case "json":
            return JSONResponse(answer)
        case "redirect":
            return RedirectResponse("/elsewhere")
        case "stream" | "stream_using_session":
            return StreamingResponse(stream(kind.endswith("session")))
        case "background" | "background_using_session":
            return JSONResponse(answer, background=BackgroundTask(task, kind.endswith("session")))
        case "error":
            raise HTTPException(418)
    raise RuntimeError("crash")


App = Callable[[Shop], FastAPI]
Ways = Callable[[Shop], list[Way]]
KINDS = pytest.mark.parametrize(
    ("app", "ways"), [(sync_app, sync_ways), (async_app, async_ways)], ids=["sync", "async"]
)
