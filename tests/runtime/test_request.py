"""Which sessions belong to the request whose code runs."""

import asyncio
import gc
from typing import Any

from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import URL, create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from starlette.testclient import TestClient

from letgo.runtime import install
from letgo.runtime.fastapi_hooks import Endpoint
from letgo.runtime.releasing import Handling
from letgo.runtime.request import MANY, Request, RequestLayer, current_request, entered


def sessions_seen() -> int:
    request = current_request()
    assert request is not None
    return len(request.sessions())


def test_every_session_that_begins_a_transaction_is_noted_wherever_it_does(database: URL) -> None:
    engine = create_engine(database)
    async_engine = create_async_engine(database.set(drivername="postgresql+asyncpg"))
    counted: list[int] = []

    def query() -> None:
        with Session(engine) as session:
            session.execute(select(1))

    async def query_async() -> None:
        async with AsyncSession(async_engine) as session:
            await session.execute(select(1))

    app = FastAPI()

    @app.get("/", dependencies=[Depends(query), Depends(query_async)])
    async def endpoint(tasks: BackgroundTasks) -> int:
        Session(engine)  # asked for and never used
        await asyncio.to_thread(query)
        await asyncio.create_task(query_async())
        tasks.add_task(query)
        tasks.add_task(lambda: counted.append(sessions_seen()))
        return sessions_seen()

    with TestClient(RequestLayer(RequestLayer(app))) as client:
        assert client.get("/").json() == 4
        assert counted == [5]
        assert client.get("/").json() == 4
        client.portal.call(async_engine.dispose)
    assert current_request() is None


def test_a_request_to_itself_is_a_request_of_its_own() -> None:
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_request())
        if scope["path"] == "/outer":
            await layered({**scope, "path": "/mounted"}, receive, send)
            await layered({"type": "http", "path": "/itself"}, receive, send)
            assert current_request() is seen[0]

    layered = RequestLayer(inner)
    asyncio.run(layered({"type": "http", "path": "/outer"}, None, None))  # type: ignore[arg-type]
    assert seen[0] is seen[1]
    assert seen[0] is not seen[2]


def test_a_session_that_another_request_has_taken_over_is_left_to_that_one(database: URL) -> None:
    engine = create_engine(database)
    shared = scoped_session(sessionmaker(engine))
    with entered({"type": "http"}) as first:
        shared.execute(select(1))
        assert [noted.session for noted in first.owned()] == [shared()]
        shared.rollback()
        with entered({"type": "http"}) as second:
            shared.execute(select(1))
            assert [noted.session for noted in second.owned()] == [shared()]
        assert first.owned() == []
    shared.remove()
    engine.dispose()


def test_a_request_leaves_nothing_for_the_garbage_collector_and_nothing_grows_in_a_long_one(database: URL) -> None:
    engine = create_engine(database)
    kept: list[int] = []
    app = FastAPI()

    @app.get("/", response_model=int)
    def endpoint(tasks: BackgroundTasks) -> int:
        for _ in range(2 * MANY):
            with Session(engine) as session:
                session.execute(select(1))
        tasks.add_task(lambda: kept.append(sessions_seen()))
        return 1

    def of_ours() -> int:
        return sum(type(each) in (Request, Handling, Endpoint) for each in gc.get_objects())

    with TestClient(install(app)) as client:
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                assert client.get("/").json() == 1
            assert of_ours() < 10  # an idle thread keeps the context of what it did last
        finally:
            gc.enable()
    assert kept[0] <= MANY
    engine.dispose()
