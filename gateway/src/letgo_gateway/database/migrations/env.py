"""How Alembic reaches the database: by the connection it is given (`letgo_gateway.database.migrating`)."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON

from letgo_gateway.database.metadata import metadata
from letgo_gateway.database.types import JsonAsWritten, Moment


def as_code(_: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Our own types by their names."""
    match item:
        case Moment() | JsonAsWritten():
            name = type(item).__name__
        case JSON():
            name = "Json"
        case _:
            return False
    autogenerate.imports.add(f"from letgo_gateway.database.types import {name}")
    return name if name == "Json" else f"{name}()"


connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_item=as_code)
with context.begin_transaction():
    context.run_migrations()
