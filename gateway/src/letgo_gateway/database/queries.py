"""Queries that every room needs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from sqlalchemy import RowMapping, Select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from letgo_gateway.errors import Conflict, Invalid
from letgo_gateway.schemas import cursor_of, position_of

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = Select[*tuple[Any, ...]]


@contextmanager
def told_as_conflict(message: str) -> Iterator[None]:
    """Around a flush: what the constraints of the tables refuse is a `Conflict`."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(message) from error


def inserting(db: AsyncSession, table: type[Any]) -> Any:
    """An insert that can say what to do on a conflict, which both databases know in the same words."""
    dialect = postgresql if db.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def plain(row: RowMapping) -> Row:
    return dict(row)


async def read_page(
    db: AsyncSession,
    rows: Rows,
    order: Sequence[InstrumentedAttribute[str]],
    limit: int,
    cursor: str | None,
) -> tuple[list[Row], str | None]:
    """At most `limit` rows after `cursor`, in the order of two or more text columns, of which the last is unique.

    Returns the cursor for what follows, None at the end. Raises `Invalid`.
    """
    if cursor is not None:
        try:
            position = position_of(cursor, len(order))
        except ValueError as error:
            raise Invalid(f"cursor: {error}") from None
        rows = rows.where(tuple_(*order) > tuple_(*position))
    found = [plain(row) for row in (await db.execute(rows.order_by(*order).limit(limit + 1))).mappings()]
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], cursor_of(*(last[column.key] for column in order))
