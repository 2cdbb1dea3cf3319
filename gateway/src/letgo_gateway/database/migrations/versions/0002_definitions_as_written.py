"""Definitions keep the order of their keys, on Postgres too; on SQLite they always have."""

from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = (("tool", "definition"), ("resource", "definition"), ("prompt", "definition"), ("prompt", "messages"))


def upgrade() -> None:
    _change("json")


def downgrade() -> None:
    _change("jsonb")


def _change(kind: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, column in COLUMNS:
            op.execute(f"alter table {table} alter column {column} type {kind} using {column}::{kind}")
