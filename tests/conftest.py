"""A real Postgres for the tests that need one.

`database` gives a test the DSN of an empty database of its own, on the server named by `LETGO_TEST_DSN` or else on
one that each process of the run starts for itself when the first test asks.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from sqlalchemy import URL, make_url

from letgo.prove.postgres import embedded_postgres

hypothesis.settings.register_profile("letgo", deadline=None)  # how fast it is, a busy machine decides
hypothesis.settings.load_profile("letgo")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a server on which databases can be made; shared by the tests of a process, so leave it running."""
    if given := os.environ.get("LETGO_TEST_DSN"):
        yield given
        return
    with embedded_postgres() as server:
        yield server.dsn


@pytest.fixture
def database(postgres: str) -> Iterator[URL]:
    """An empty database of the test's own, as an SQLAlchemy URL for psycopg."""
    with temporary_database(postgres) as url:
        yield url


@contextmanager
def temporary_database(server: str) -> Iterator[URL]:
    name = f"letgo_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        try:
            yield make_url(server).set(drivername="postgresql+psycopg", database=name)
        finally:
            connection.execute(f"drop database {name} with (force)")
