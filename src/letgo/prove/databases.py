"""The database of a run: the one that was named, or an embedded one that is gone afterwards."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from letgo.prove.postgres import PostgresUnavailable, embedded_postgres
from letgo.source.errors import UserError

CONNECTIONS = 1000
"""So many an embedded server takes: its limit is not to be what a run measures."""


def plain(dsn: str) -> str:
    """A DSN as libpq knows it: without SQLAlchemy's driver. Raises UserError for what is not Postgres."""
    found = re.fullmatch(r"(postgres(?:ql)?)(?:\+\w+)?(://.*)", dsn, re.S)
    if found is None and "://" in dsn:
        scheme = dsn.partition("://")[0]
        raise UserError(
            f"{scheme} is not Postgres, whose sessions letgo prove watches",
            "Name a Postgres with --dsn, or leave it out for an embedded one.",
        )
    return f"postgresql{found[2]}" if found else dsn


def for_app(dsn: str, scheme: str) -> str:
    """A plain DSN with the scheme that the app wants (`postgresql+asyncpg`)."""
    return re.sub(r"^postgresql://", f"{scheme}://", dsn)


def shown(dsn: str) -> str:
    """A DSN without its password."""
    return re.sub(r"(//[^:/@]*):[^@]*@", r"\1@", re.sub(r"(password=)\S+", r"\1...", dsn))


@contextmanager
def database(dsn: str | None) -> Iterator[tuple[str, str]]:
    """The plain DSN, and what to call the database in a report."""
    if dsn is not None:
        yield plain(dsn), shown(plain(dsn))
        return
    try:
        with embedded_postgres({"max_connections": str(CONNECTIONS), "track_activity_query_size": "8kB"}) as server:
            yield server.dsn, "embedded, without durability"
    except PostgresUnavailable as error:
        raise UserError(f"no embedded Postgres: {error}", "Name a running one with --dsn.") from error
