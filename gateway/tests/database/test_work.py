"""Units of work: plain data, nothing open afterwards, and quick answers when there is no connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gateway.tests.serving import RunningGateway, StartGateway, quick
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.database.engine import make_engine
from letgo_gateway.database.work import Database, DatabaseBusy, TransactionOpen, nothing_open
from letgo_gateway.identity.tables import Team


@asynccontextmanager
async def opened(url: str, **settings: object) -> AsyncIterator[Database]:
    made = quick(url, **settings)
    database = Database(make_engine(made), made.pool_waiting, made.pool_timeout)
    try:
        yield database
    finally:
        await database.close()


async def add_team(db: AsyncSession, name: str) -> str:
    team = Team(name=name)
    db.add(team)
    await db.flush()
    return team.id


async def teams(db: AsyncSession) -> list[str]:
    return list(await db.scalars(select(Team.name).order_by(Team.name)))


def in_loop(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


def test_a_unit_has_committed_and_given_its_connection_back_when_it_returns(database_url: str) -> None:
    async def run() -> None:
        async with opened(database_url) as database:
            assert len(await database.write(add_team, "books")) == 32
            assert (database.checked_out, database.running) == (0, 0)
            assert await database.read(teams) == ["books"]
            assert (database.checked_out, database.running) == (0, 0)

    in_loop(run)


def test_nothing_is_kept_of_a_unit_that_fails_or_is_cancelled(database_url: str) -> None:
    async def fails(db: AsyncSession) -> None:
        await add_team(db, "lost")
        raise RuntimeError

    async def hangs(db: AsyncSession, begun: asyncio.Event) -> None:
        await add_team(db, "lost")
        begun.set()
        await asyncio.Event().wait()

    async def run() -> None:
        async with opened(database_url) as database:
            with pytest.raises(RuntimeError):
                await database.write(fails)
            begun = asyncio.Event()
            task = asyncio.create_task(database.write(hangs, begun))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await database.read(teams) == []
            assert (database.checked_out, database.running) == (0, 0)

    in_loop(run)


def test_a_unit_returns_no_rows_of_the_orm_and_then_keeps_nothing(database_url: str) -> None:
    async def row(db: AsyncSession) -> Team:
        await add_team(db, "lost")
        return (await db.scalars(select(Team))).one()

    async def rows(db: AsyncSession) -> list[Team]:
        await add_team(db, "lost")
        return list(await db.scalars(select(Team)))

    async def result(db: AsyncSession) -> Any:
        return await db.execute(select(Team))

    async def run() -> None:
        async with opened(database_url) as database:
            for work in (row, rows, result):
                with pytest.raises(TypeError, match="not plain data"):
                    await database.write(work)
            assert await database.read(teams) == []

    in_loop(run)


def test_nothing_goes_outside_and_no_unit_begins_within_a_unit(database_url: str) -> None:
    async def run() -> None:
        async with opened(database_url) as database:

            async def calls(db: AsyncSession) -> None:
                nothing_open("calling the weather")

            async def nests(db: AsyncSession) -> None:
                await database.read(teams)

            for work in (calls, nests):
                with pytest.raises(TransactionOpen):
                    await database.read(work)
            nothing_open("calling the weather")

    in_loop(run)


def test_a_unit_that_reads_can_not_write_on_postgres(database_url: str) -> None:
    async def run() -> None:
        async with opened(database_url) as database:
            if database.engine.dialect.name != "postgresql":
                return
            with pytest.raises(Exception, match="read-only transaction"):
                await database.read(add_team, "books")

    in_loop(run)


def test_a_full_pool_refuses_in_its_time_and_more_waiters_than_allowed_at_once(database_url: str) -> None:
    async def hold(db: AsyncSession, release: asyncio.Event, held: asyncio.Semaphore) -> None:
        await db.execute(select(func.count()).select_from(Team))
        held.release()
        await release.wait()

    async def run() -> None:
        async with opened(database_url, pool_size=2, pool_timeout=0.3, pool_waiting=3) as database:
            release, held = asyncio.Event(), asyncio.Semaphore(0)
            holders = [asyncio.create_task(database.read(hold, release, held)) for _ in range(2)]
            for _ in holders:
                await held.acquire()
            waiters = [asyncio.create_task(database.read(teams)) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(DatabaseBusy, match="too many requests"):
                await database.read(teams)
            assert not any(waiter.done() for waiter in waiters), "refused at once, while the others still wait"
            for answer in await asyncio.gather(*waiters, return_exceptions=True):
                assert isinstance(answer, DatabaseBusy)
            release.set()
            await asyncio.gather(*holders)
            assert await database.read(teams) == []

    in_loop(run)


def test_connections_come_in_the_order_in_which_they_were_asked_for(database_url: str) -> None:
    order: list[str] = []

    async def note(db: AsyncSession, name: str) -> None:
        await db.execute(select(func.count()).select_from(Team))
        order.append(name)

    async def run() -> None:
        async with opened(database_url, pool_size=1) as database:

            async def often(name: str) -> None:
                for _ in range(3):
                    await database.read(note, name)

            await asyncio.gather(*map(often, "abcd"))

    in_loop(run)
    assert "".join(order) == "abcd" * 3


def test_a_full_pool_answers_503_while_kept_lists_and_the_loop_go_on(start: StartGateway) -> None:
    gateway: RunningGateway = start(pool_size=1, pool_timeout=1, changes_interval=600)
    gateway.admin.get("/tools")
    database = gateway.rooms.database
    portal = gateway.client.portal
    assert portal is not None
    with portal.wrap_async_context_manager(database.reached("somebody else")):
        refused = gateway.admin.raw("GET", "/servers")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert gateway.anybody.raw("GET", "/health").status_code == 503
        assert gateway.admin.get("/tools")["items"] == []
    assert gateway.admin.get("/servers")["items"] == []


def test_a_database_that_was_gone_is_asked_again(start: StartGateway, database_url: str) -> None:
    if not database_url.startswith("postgresql"):
        return
    import psycopg

    gateway = start()
    gateway.admin.get("/teams")
    with psycopg.connect(database_url, autocommit=True) as other:
        ours = "pid <> pg_backend_pid() and datname = current_database()"
        other.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where {ours}")
    statuses = {gateway.admin.raw("GET", "/teams").status_code for _ in range(10)}
    assert statuses <= {200, 503}
    gateway.admin.get("/teams")
    gateway.anybody.get("/health")
