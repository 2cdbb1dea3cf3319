"""Column types and clauses that read the same on Postgres and SQLite."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, ColumnElement, DateTime, Dialect, SQLColumnExpression, TypeDecorator, column, exists
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class JsonAsWritten(JSON):
    """JSON whose keys keep their order and numbers their digits; Postgres's JSONB sorts and rewrites them."""

    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)


class Moment(TypeDecorator[datetime]):
    """A time with its zone: UTC in the database, and aware of it when it comes back, on SQLite too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class elements(GenericFunction[Any]):  # a function of SQL
    """The elements of an array in JSON, as rows of `value`."""

    inherit_cache = True


@compiles(elements, "postgresql")
def _elements_on_postgres(element: elements, compiler: Any, **options: Any) -> str:
    return f"jsonb_array_elements_text({compiler.process(element.clauses, **options)})"


@compiles(elements, "sqlite")
def _elements_on_sqlite(element: elements, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


def contains(array: SQLColumnExpression[Any], value: str) -> ColumnElement[bool]:
    """Whether an array of strings in JSON has this one."""
    found = elements(array).table_valued(column("value")).alias("element")
    return exists().select_from(found).where(found.c.value == value)


def new_id() -> str:
    return uuid4().hex


def now() -> datetime:
    return datetime.now(UTC)
