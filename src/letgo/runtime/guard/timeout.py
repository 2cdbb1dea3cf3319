"""A hard backstop in Postgres: `idle_in_transaction_session_timeout`, for the transactions of a request, only lowered.

It is set with the first statement of each transaction and ends with it (`SET LOCAL`), so it is safe behind PgBouncer in
transaction mode. It costs one short query for each transaction.
https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-IN-TRANSACTION-SESSION-TIMEOUT
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from letgo.runtime.guard.tracking import open_on, safely

NAME = "idle_in_transaction_session_timeout"
LOWER = (
    f"SELECT set_config('{NAME}', '{{0}}', true) FROM pg_settings "
    f"WHERE name = '{NAME}' AND (setting = '0' OR setting::bigint > {{0}})"
)


def listen() -> None:
    if not event.contains(Engine, "before_cursor_execute", _lower):
        event.listen(Engine, "before_cursor_execute", _lower)


@safely
def _lower(connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
    if connection.dialect.name != "postgresql":
        return
    found = open_on(connection)
    if found is None or found.lowered or found.watch.settings.idle_timeout is None:
        return
    found.lowered = True
    first = connection.connection.cursor()
    try:
        first.execute(LOWER.format(round(found.watch.settings.idle_timeout * 1000)))
    finally:
        first.close()
