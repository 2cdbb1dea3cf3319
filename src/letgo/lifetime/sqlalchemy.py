"""What SQLAlchemy's and SQLModel's names mean for a connection.

A session checks a connection out with its first statement and gives it back with commit, rollback or close
(https://docs.sqlalchemy.org/en/20/orm/session_basics.html). Everything here is by dotted name, so that one table can
be read through.
"""

from typing import Literal, TypeAlias

Effect: TypeAlias = Literal[
    "query", "build", "touch", "commit", "rollback", "close", "begin", "savepoint", "run", "none"
]

SYNC_SESSIONS = frozenset(
    {
        "sqlalchemy.orm.Session",
        "sqlalchemy.orm.session.Session",
        "sqlalchemy.orm.scoped_session",
        "sqlalchemy.orm.scoping.scoped_session",
        "sqlmodel.Session",
        "sqlmodel.orm.session.Session",
        "flask_sqlalchemy.session.Session",
    }
)
ASYNC_SESSIONS = frozenset(
    {
        "sqlalchemy.ext.asyncio.AsyncSession",
        "sqlalchemy.ext.asyncio.session.AsyncSession",
        "sqlalchemy.ext.asyncio.async_scoped_session",
        "sqlalchemy.ext.asyncio.scoping.async_scoped_session",
        "sqlmodel.ext.asyncio.session.AsyncSession",
    }
)
CONNECTIONS = frozenset(
    {
        "sqlalchemy.engine.Connection",
        "sqlalchemy.engine.base.Connection",
        "sqlalchemy.Connection",
        "sqlalchemy.ext.asyncio.AsyncConnection",
    }
)
SESSIONS = SYNC_SESSIONS | ASYNC_SESSIONS

FACTORIES = frozenset(
    {
        "sqlalchemy.orm.sessionmaker",
        "sqlalchemy.orm.session.sessionmaker",
        "sqlalchemy.ext.asyncio.async_sessionmaker",
        "sqlalchemy.ext.asyncio.session.async_sessionmaker",
    }
)
REGISTRIES = frozenset(
    {
        "sqlalchemy.orm.scoped_session",
        "sqlalchemy.orm.scoping.scoped_session",
        "sqlalchemy.ext.asyncio.async_scoped_session",
        "sqlalchemy.ext.asyncio.scoping.async_scoped_session",
    }
)
ENGINE_MAKERS = frozenset(
    {
        "sqlalchemy.create_engine",
        "sqlalchemy.engine.create_engine",
        "sqlmodel.create_engine",
        "sqlalchemy.ext.asyncio.create_async_engine",
        "sqlalchemy.engine_from_config",
        "sqlalchemy.ext.asyncio.async_engine_from_config",
    }
)
ENGINES = frozenset(
    {
        "sqlalchemy.Engine",
        "sqlalchemy.engine.Engine",
        "sqlalchemy.engine.base.Engine",
        "sqlalchemy.future.Engine",
        "sqlalchemy.ext.asyncio.AsyncEngine",
        "sqlalchemy.ext.asyncio.engine.AsyncEngine",
    }
)
MODEL_BASES = frozenset(
    {
        "sqlalchemy.orm.DeclarativeBase",
        "sqlalchemy.orm.MappedAsDataclass",
        "sqlalchemy.orm.declarative_base",
        "sqlalchemy.ext.declarative.declarative_base",
        "sqlmodel.SQLModel",
        "flask_sqlalchemy.SQLAlchemy.Model",
    }
)
STATEMENTS = frozenset(
    f"{module}.{name}"
    for module in (
        "sqlalchemy",
        "sqlalchemy.future",
        "sqlalchemy.sql",
        "sqlalchemy.orm",
        "sqlmodel",
        "sqlalchemy.sql.expression",
    )
    for name in ("select", "update", "delete", "insert")
)
FLASK_EXTENSIONS = frozenset({"flask_sqlalchemy.SQLAlchemy", "flask_sqlalchemy.extension.SQLAlchemy"})
FLASK_QUERIES = {"get_or_404": "get", "first_or_404": "scalar", "one_or_404": "scalar", "paginate": "execute"}
"""What Flask-SQLAlchemy's extension runs on its session, and which of the session's methods does the like:
https://flask-sqlalchemy.palletsprojects.com/en/stable/queries/"""

_QUERIES = (
    "execute scalar scalars exec get get_one refresh merge flush connection stream stream_scalars bulk_save_objects "
    "bulk_insert_mappings bulk_update_mappings exec_driver_sql enable_relationship_loading"
)
SESSION_METHODS: dict[str, Effect] = {
    **dict.fromkeys(_QUERIES.split(), "query"),
    **dict.fromkeys(("add", "add_all", "delete", "expire", "expire_all"), "touch"),
    "query": "build",
    "commit": "commit",
    "rollback": "rollback",
    **dict.fromkeys(("close", "aclose", "remove", "reset", "invalidate", "close_all", "shutdown_session"), "close"),
    "begin": "begin",
    "begin_nested": "savepoint",
    "run_sync": "run",
    **dict.fromkeys(
        (
            "expunge expunge_all in_transaction in_nested_transaction is_modified get_bind bind info identity_map "
            "dirty new deleted is_active no_autoflush sync_session registry object_session get_transaction "
            "execution_options autoflush expire_on_commit get_nested_transaction configure has session_factory prepare"
        ).split(),
        "none",
    ),
}
WRITES = frozenset(
    {"add", "add_all", "delete", "merge", "flush", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"}
)

QUERY_ROWS = frozenset({"first", "one", "one_or_none", "get", "first_or_404", "one_or_404", "get_or_404"})
QUERY_TERMINALS = QUERY_ROWS | frozenset(
    {"all", "scalar", "scalars", "count", "delete", "update", "paginate", "slice_all", "values", "value", "iterator"}
)

RESULT_SCALARS = frozenset({"scalar", "scalar_one", "scalar_one_or_none", "first", "one", "one_or_none", "fetchone"})
RESULT_LISTS = frozenset({"all", "fetchall", "fetchmany", "partitions"})


def is_session(dotted: str) -> bool:
    return dotted in SESSIONS


METHODS_OF_ALL = frozenset(
    "add add_all begin begin_nested close commit delete execute expire expire_all expunge expunge_all flush get_bind "
    "in_transaction merge refresh rollback scalar".split()
)
"""The methods that every Session and AsyncSession has."""

OF_NO_SESSION = frozenset({"closed", "is_closed"})
"""What connections have, SQLAlchemy's and the drivers', and no session: it can be used again once it was closed."""


def is_async(dotted: str) -> bool:
    return dotted in ASYNC_SESSIONS or ".asyncio." in dotted
