"""What the sampler sees of sessions that are held for known times, in known numbers, by known routes."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter

import psycopg
import pytest
from sqlalchemy import URL
from tests.prove.conftest import TIMED

from letgo.prove.databases import plain
from letgo.prove.measuring import database_metrics, holders, seen_share
from letgo.prove.postgres import embedded_postgres
from letgo.prove.sampler import Sampler, Seen
from letgo.prove.statements import origin_of
from letgo.source.errors import UserError

pytestmark = TIMED

STEP = 0.15
"""Seconds: a step of the sampler, and something for a busy machine."""


@pytest.fixture
def dsn(database: URL) -> str:
    return plain(database.render_as_string(hide_password=False))


@contextmanager
def held(dsn: str, statement: str = "select 1", application: str = "shop") -> Iterator[psycopg.Connection]:
    """A session that idles in a transaction after `statement`."""
    with psycopg.connect(dsn, application_name=application) as connection:
        connection.execute(statement)
        yield connection
        connection.rollback()


def watch(dsn: str, act: Callable[[], None]) -> Seen:
    with Sampler(dsn) as sampler:
        time.sleep(0.25)
        act()
        time.sleep(0.15)
    return sampler.seen


@pytest.mark.parametrize("count", [0, 1, 37])
def test_as_many_are_seen_as_are_held(dsn: str, count: int) -> None:
    def hold() -> None:
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(held(dsn))
            time.sleep(0.4)

    seen = watch(dsn, hold)
    metrics = database_metrics(seen, 0)
    assert metrics["idle_in_transaction.max"] == count
    assert metrics["connections.max"] == count
    assert seen.samples[0].idle == seen.samples[-1].idle == 0
    assert sum(holder.transactions for holder in holders(seen)) == count


def test_ages_are_those_of_the_hold_within_a_step(dsn: str) -> None:
    def hold() -> None:
        with held(dsn, "select 'long'"), ExitStack() as short:
            short.enter_context(held(dsn, "select 'short'"))
            time.sleep(0.2)
            short.close()
            time.sleep(6.8)

    seen = watch(dsn, hold)
    found = {holder.statement: holder for holder in holders(seen)}
    assert found["select 'short'"].age_max == pytest.approx(0.2, abs=STEP)
    assert found["select 'long'"].age_max == pytest.approx(7.0, abs=STEP)
    assert database_metrics(seen, 0)["idle_in_transaction.age.max"] == found["select 'long'"].age_max


def test_the_age_of_the_state_begins_again_with_each_statement_and_that_of_the_transaction_does_not(dsn: str) -> None:
    def hold() -> None:
        with held(dsn) as connection:
            time.sleep(0.6)
            connection.execute("select 2")
            time.sleep(0.3)

    metrics = database_metrics(watch(dsn, hold), 0)
    assert metrics["idle_in_transaction.age.max"] == pytest.approx(0.6, abs=STEP)
    assert metrics["idle_in_transaction.transaction_age.max"] == pytest.approx(0.9, abs=STEP)


def test_an_aborted_transaction_holds_as_well(dsn: str) -> None:
    def hold() -> None:
        with held(dsn) as connection:
            with pytest.raises(psycopg.Error):
                connection.execute("select 1 / 0")
            time.sleep(0.4)

    seen = watch(dsn, hold)
    assert max(sample.aborted for sample in seen.samples) == max(sample.idle for sample in seen.samples) == 1


def test_a_session_that_works_or_waits_for_a_lock_is_not_idle(dsn: str) -> None:
    def hold() -> None:
        with held(dsn) as owner, psycopg.connect(dsn) as other:
            owner.execute("create table books ()")
            owner.commit()
            owner.execute("lock table books")
            with pytest.raises(psycopg.errors.QueryCanceled):
                other.execute("set statement_timeout = 500; lock table books")

    seen = watch(dsn, hold)
    waiting = [sample for sample in seen.samples if sample.waiting]
    assert waiting
    assert {(sample.waiting, sample.active, sample.idle) for sample in waiting} == {(1, 1, 1)}


@pytest.mark.parametrize(
    ("statement", "application", "route", "shown"),
    [
        ("/*route='GET /books/{id}'*/ select 1", "shop", "GET /books/{id}", "select 1"),
        ("select 1 /*action='x',route='%2Fbooks%2F%7Bid%7D'*/", "shop", "/books/{id}", "select 1"),
        ('select 1 /* route:"GET /x" */', "shop", "GET /x", "select 1"),
        ("select 1 /* route=GET /x/{id} handler=Shop.read */", "shop", "GET /x/{id}", "select 1"),
        ("select  1\n from books", "GET /books", "GET /books", "select 1 from books"),
        ("select 1", "shop", "", "select 1"),
        ("select 1 /*route='/cut", "shop", "/cut", "select 1"),
    ],
)
def test_a_holder_is_named_by_its_comment_or_by_its_connection(
    statement: str, application: str, route: str, shown: str
) -> None:
    assert origin_of(statement, application) == (route, application, shown)


def test_holders_are_counted_by_their_route(dsn: str) -> None:
    def hold() -> None:
        for route in ("/a", "/b", "/b"):
            with held(dsn, f"/*route='{route}'*/ select 1"):
                time.sleep(0.3)

    found = {holder.route: holder.transactions for holder in holders(watch(dsn, hold))}
    assert found == {"/a": 1, "/b": 2}


def test_a_transaction_is_named_by_whichever_of_its_statements_has_a_name(dsn: str) -> None:
    def hold() -> None:
        with psycopg.connect(dsn, application_name="shop") as connection:
            connection.execute("set local work_mem = '1MB'")  # stands for the BEGIN of a driver
            time.sleep(0.6)
            connection.execute("/*route='/a'*/ select 1")
            time.sleep(0.3)

    assert [(each.route, each.statement) for each in holders(watch(dsn, hold))] == [
        ("/a", "set local work_mem = '1MB'")
    ]


def test_commits_and_rollbacks_are_counted_without_those_of_the_sampler(dsn: str) -> None:
    def work() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for _ in range(1000):
                connection.execute("select 1")
        time.sleep(2.2)  # a session tells its counts when it ends, the sampler asks once a second

    seen = watch(dsn, work)
    assert seen.counters[-1].commits - seen.counters[0].commits == pytest.approx(1000, abs=30)


def test_it_still_sees_when_no_connection_is_left() -> None:
    with (
        embedded_postgres({"max_connections": "8", "superuser_reserved_connections": "0"}) as server,
        ExitStack() as stack,
    ):

        def take_them_all() -> None:
            with pytest.raises(psycopg.OperationalError, match="too many clients"):
                for _ in range(8):
                    stack.enter_context(held(server.dsn))
            time.sleep(0.5)

        seen = watch(server.dsn, take_them_all)
        stack.close()
    assert not seen.blind
    assert database_metrics(seen, 0)["idle_in_transaction.max"] == 7


def test_it_says_when_it_could_not_see_and_goes_on_afterwards() -> None:
    with embedded_postgres() as server:

        def restart() -> None:
            server.stop()
            time.sleep(0.5)
            server.start()
            time.sleep(0.6)

        started = perf_counter()
        seen = watch(server.dsn, restart)
        ended = perf_counter()
    assert len(seen.blind) == 1
    assert seen.blind[0].end - seen.blind[0].start > 0.5
    assert seen.samples[-1].at > seen.blind[0].end - 0.01
    assert 0.1 < seen_share(seen, started, ended) < 0.9


def test_a_role_that_may_not_see_others_sees_nothing_for_sure(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("drop role if exists letgo_nosy")
        owner.execute("create role letgo_nosy login")
        try:
            with held(dsn):
                seen = watch(dsn.replace("postgres@", "letgo_nosy@"), lambda: time.sleep(0.3))
        finally:
            owner.execute("drop role letgo_nosy")
    assert max(sample.unseen for sample in seen.samples) >= 1
    assert seen_share(seen, seen.samples[0].at, seen.samples[-1].at) < 0.5


def test_a_database_that_refuses_is_told_at_once() -> None:
    with pytest.raises(UserError, match="the database can't be reached"):
        Sampler("postgresql://nobody@127.0.0.1:1/none")
