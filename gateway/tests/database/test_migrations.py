"""The migrations make the tables that the code knows, on both databases."""

import asyncio
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from gateway.tests.serving import quick
from sqlalchemy import Connection, select, text

from letgo_gateway.database.engine import make_engine
from letgo_gateway.database.metadata import metadata
from letgo_gateway.database.migrating import configured, migrate
from letgo_gateway.registry.tables import Prompt

OF_FIRST = """
insert into prompt (id, name, created_at, updated_at, visibility, enabled, version, tags, definition)
values ('a', 'greet', current_timestamp, current_timestamp, 'private', true, 1, '[]', '{"name": "greet"}')
"""


def differences(connection: Connection) -> Any:
    return compare_metadata(MigrationContext.configure(connection), metadata)


def test_nothing_differs_and_migrating_again_changes_nothing(database_url: str) -> None:
    async def run() -> Any:
        engine = make_engine(quick(database_url))
        try:
            await migrate(engine)
            async with engine.connect() as connection:
                return await connection.run_sync(differences)
        finally:
            await engine.dispose()

    assert asyncio.run(run()) == []


def test_a_database_of_the_first_version_is_brought_up_with_what_is_in_it(database_url: str) -> None:
    def at_first(connection: Connection) -> None:
        command.downgrade(configured(connection), "0001")
        connection.execute(text(OF_FIRST))

    async def run() -> Any:
        engine = make_engine(quick(database_url))
        try:
            async with engine.begin() as connection:
                await connection.run_sync(at_first)
            await migrate(engine)
            async with engine.connect() as connection:
                return (await connection.execute(select(Prompt.definition, Prompt.messages))).one()
        finally:
            await engine.dispose()

    assert tuple(asyncio.run(run())) == ({"name": "greet"}, None)
