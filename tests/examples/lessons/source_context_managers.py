"""A4, A13: whatever opens a session in a `with` block closes it at the block's end."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, sessionmaker

from shop import NewSession, NewSyncSession, Order, get_db, get_sync_db, sync_engine

NewReadSession = sessionmaker(sync_engine.execution_options(isolation_level="AUTOCOMMIT"))


@contextmanager
def session_scope() -> Iterator[Session]:
    db = NewSyncSession()
    try:
        yield db
        db.commit()
    except Exception:
        db.rollback()
        raise
    finally:
        db.close()


def waits_inside(order_id: int) -> None:
    with session_scope() as db:
        db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201


def waits_after(order_id: int) -> None:
    with session_scope() as db:
        db.get_one(Order, order_id)
    httpx.post("https://partner.example/orders")


def several_items_in_one_with(order_id: int) -> None:
    with session_scope() as db, httpx.Client() as client:
        order = db.get_one(Order, order_id)
        client.post("https://partner.example/orders", json={"id": order.id})  # expect: LG201


def the_client_outside(order_id: int) -> None:
    with httpx.Client() as client:
        with session_scope() as db:
            number = db.get_one(Order, order_id).id
        client.post("https://partner.example/orders", json={"id": number})


sync_scope = contextmanager(get_sync_db)
async_scope = asynccontextmanager(get_db)


def a_dependency_made_a_context_manager(order_id: int) -> None:
    with sync_scope() as db:
        db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201


async def an_async_one(order_id: int) -> None:
    async with async_scope() as db, httpx.AsyncClient() as client:
        await db.get_one(Order, order_id)
        await client.post("https://partner.example/orders")  # expect: LG201


def made_on_the_spot(order_id: int) -> None:
    with contextlib.contextmanager(get_sync_db)() as db:
        db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201


class SessionScope:
    """The protocol by hand."""

    def __enter__(self) -> Session:
        self.db = NewSyncSession()
        return self.db

    def __exit__(self, *error: object) -> None:
        self.db.close()


def a_class_with_the_protocol(order_id: int) -> None:
    with SessionScope() as db:
        db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
    httpx.post("https://partner.example/done")


class Unit:
    """The session is an attribute of what `with` gives."""

    def __enter__(self) -> "Unit":
        self.session = NewSyncSession()
        return self

    def __exit__(self, *error: object) -> None:
        self.session.rollback()
        self.session.close()


def a_unit_of_work(order_id: int) -> None:
    with Unit() as unit:
        unit.session.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
    httpx.post("https://partner.example/done")


class Registry:
    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with NewSession() as db:
            yield db


registry = Registry()


async def a_method_that_opens(order_id: int) -> None:
    async with registry.session() as db, httpx.AsyncClient() as client:
        await db.get_one(Order, order_id)
        await client.post("https://partner.example/orders")  # expect: LG201


def begin_commits_at_its_end(order_id: int) -> None:
    with NewSyncSession() as db:
        with db.begin():
            db.get_one(Order, order_id).state = "sent"
        httpx.post("https://partner.example/orders")


def begin_on_the_factory(order_id: int) -> None:
    with NewSyncSession.begin() as db:
        db.get_one(Order, order_id).state = "sent"
        httpx.post("https://partner.example/orders")  # expect: LG201


def a_savepoint_ends_nothing(order_id: int) -> None:
    with NewSyncSession() as db:
        with db.begin_nested():
            db.get_one(Order, order_id).state = "sent"
        httpx.post("https://partner.example/orders")  # expect: LG201
        db.commit()


def nested_with_blocks(order_id: int) -> None:
    with NewSyncSession() as first:
        first.get_one(Order, order_id)
        with NewSyncSession() as second:
            second.get_one(Order, order_id)  # expect: LG504
        httpx.post("https://partner.example/orders")  # expect: LG201
    httpx.post("https://partner.example/done")


async def by_an_async_exit_stack(order_id: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient())
        db = await stack.enter_async_context(NewSession())
        await db.get_one(Order, order_id)
        await client.post("https://partner.example/orders")  # expect: LG201
    httpx.post("https://partner.example/done")


@contextmanager
def queue() -> Iterator[list[int]]:
    jobs: list[int] = []
    yield jobs
    httpx.post("https://partner.example/jobs", json=jobs)


def what_is_left_for_the_end_does_not_wait_at_the_beginning(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        with queue() as jobs:
            jobs.append(order_id)
            db.commit()


def it_waits_at_the_end(order_id: int) -> None:
    with NewSyncSession() as db, queue() as jobs:  # expect: LG201
        jobs.append(db.get_one(Order, order_id).id)


@contextmanager
def a_session_of_its_own(order_id: int) -> Iterator[int]:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        yield order_id
        httpx.post("https://partner.example/orders")  # expect: LG201


def enters_it(order_id: int) -> None:
    with a_session_of_its_own(order_id):
        pass


class NoSession:
    def execute(self, statement: object) -> None: ...


class NoDatabase:
    @contextmanager
    def session(self) -> Iterator[NoSession]:
        yield NoSession()


SERVICES: dict[str, object] = {}


@contextmanager
def what_the_signature_says() -> Iterator[Session]:
    database = SERVICES.get("database")
    with (NoDatabase() if database is None else database).session() as session:
        yield session


def counts_for_more_than_the_one_kind_that_was_seen(order_id: int) -> None:
    with what_the_signature_says() as db:
        db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201


class SearchHere:
    async def __aenter__(self) -> "SearchHere":
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def index(self, order: Order) -> None:
        return None


class SearchElsewhere(SearchHere):
    async def __aenter__(self) -> "SearchElsewhere":
        self.client = httpx.AsyncClient()
        return self

    async def index(self, order: Order) -> None:
        await self.client.post("https://search.example/orders")


def search(kind: str) -> SearchHere:
    return SearchHere() if kind == "here" else SearchElsewhere()


async def any_of_what_may_be_entered(order_id: int, kind: str) -> None:
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
        async with search(kind) as index:
            await index.index(order)  # expect: LG201


@contextmanager
def one_of_two(read_only: bool) -> Iterator[Session]:
    db = (NewReadSession if read_only else NewSyncSession)()
    try:
        yield db
    finally:
        db.close()


def of_a_factory_that_was_chosen(order_id: int) -> None:
    with one_of_two(read_only=True) as db:
        db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders")  # expect: LG201
    httpx.post("https://partner.example/orders")


def made_by_one_or_the_other(order_id: int, read_only: bool) -> None:
    db = NewReadSession() if read_only else NewSyncSession()
    try:
        db.get_one(Order, order_id)
    finally:
        db.close()
    httpx.post("https://partner.example/orders")


@asynccontextmanager
async def begun_by_the_opener() -> AsyncIterator[AsyncSession]:
    async with NewSession() as db:
        await db.execute(text("SET statement_timeout = 1000"))
        yield db


async def an_opener_that_fails_has_closed(order_id: int) -> Order:
    async with begun_by_the_opener() as db:
        return await db.get_one(Order, order_id)


async def current_order(order_id: int) -> Order:
    return await an_opener_that_fails_has_closed(order_id)


app = FastAPI()


@app.get("/state")
async def of_what_it_has_given(order: Order = Depends(current_order)):
    return {"state": order.state}
