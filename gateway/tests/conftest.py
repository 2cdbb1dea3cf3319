"""A gateway for each test, on SQLite and on a real Postgres, under letgo's guard.

`gateway` is one that runs; `gateway.admin` and `gateway.user("ann")` ask it things. Databases are copies of one that
was prepared for the whole run, so that a test does not pay for the migrations.
"""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from fastapi.testclient import TestClient
from gateway.tests.serving import Caller, Prepared, RunningGateway, StartGateway, change_password, of_server, quick

from letgo.prove.postgres import embedded_postgres
from letgo.testing import GuardedTest
from letgo_gateway.app import create_app
from letgo_gateway.preparing import Administrator, prepare
from letgo_gateway.settings import Settings

hypothesis.settings.register_profile("letgo", deadline=None)  # how fast it is, a busy machine decides
hypothesis.settings.load_profile("letgo")


@pytest.fixture(autouse=True)
def guarded(letgo_guard: GuardedTest) -> GuardedTest:
    """Every request of every test, in mode `raise`."""
    return letgo_guard


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if given := os.environ.get("LETGO_TEST_DSN"):
        yield given
        return
    with embedded_postgres() as server:
        yield server.dsn


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    made = tmp_path_factory.mktemp("prepared") / "gateway.db"
    administrator = run(quick(f"sqlite:///{made}"))

    @contextmanager
    def copy() -> Iterator[str]:
        directory = tmp_path_factory.mktemp("gateway")
        shutil.copy(made, directory / "gateway.db")
        yield f"sqlite:///{directory / 'gateway.db'}"

    return Prepared(administrator, copy)


@pytest.fixture(scope="session")
def on_postgres(postgres_server: str) -> Prepared:
    template = f"gateway_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"create database {template}")
    administrator = run(quick(of_server(postgres_server, template)))

    @contextmanager
    def copy() -> Iterator[str]:
        name = f"gateway_{uuid4().hex[:12]}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}")
            try:
                yield of_server(postgres_server, name)
            finally:
                connection.execute(f"drop database {name} with (force)")

    return Prepared(administrator, copy)


def run(settings: Settings) -> Administrator:
    """Prepare a database; its administrator has a password of their own."""
    administrator = asyncio.run(prepare(settings))
    assert administrator is not None
    with TestClient(create_app(settings)) as client:
        change_password(client, administrator.email, administrator.password)
    return administrator


@pytest.fixture(params=["sqlite", "postgres"])
def prepared(request: pytest.FixtureRequest) -> Prepared:
    """Each test that asks for it runs on both."""
    found: Prepared = request.getfixturevalue(f"on_{request.param}")
    return found


@pytest.fixture
def database_url(prepared: Prepared) -> Iterator[str]:
    with prepared.copy() as url:
        yield url


@pytest.fixture
def start(prepared: Prepared, database_url: str) -> Iterator[StartGateway]:
    """Starts gateways on the test's database, with the settings given: each is a worker of its own."""
    with ExitStack() as stack:

        def started(**changed: object) -> RunningGateway:
            settings = quick(database_url, **changed)
            client = stack.enter_context(TestClient(create_app(settings)))
            gateway = RunningGateway(client, settings, Caller(client, None))
            gateway.admin = gateway.log_in(prepared.administrator.email)
            return gateway

        yield started


@pytest.fixture
def gateway(start: StartGateway) -> RunningGateway:
    return start()
