"""The migrations make the tables that the code knows, on both databases."""

import asyncio
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from gateway.tests.serving import quick
from sqlalchemy import Connection

from letgo_gateway.database.engine import make_engine
from letgo_gateway.database.metadata import metadata
from letgo_gateway.database.migrating import migrate


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
