"""Engines for Postgres (asyncpg) and SQLite (aiosqlite)."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from letgo_gateway.settings import Settings, WrongSetting

WRITES = "letgo_gateway_writes"
"""The execution option of connections that are going to write; SQLite must know when a transaction begins."""


def make_engine(settings: Settings) -> AsyncEngine:
    """An engine whose pool has `pool_size` connections and no more; `Database` waits for them.

    Raises `WrongSetting`.
    """
    url = settings.database
    if url.get_backend_name() == "sqlite" and not (directory := Path(url.database or "").absolute().parent).is_dir():
        raise WrongSetting(f"DATABASE_URL: there is no directory {directory}")
    pool: dict[str, Any] = {"pool_size": settings.pool_size, "max_overflow": 0}
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, connect_args={"timeout": 5}, **pool)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    return create_async_engine(url, connect_args={"timeout": 5, "command_timeout": 30}, **pool)


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transactions of its own; `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes then fails at once in SQLite when another has written in between
    # (https://www.sqlite.org/lang_transaction.html, "BUSY_SNAPSHOT"); one that is immediate waits its turn.
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
