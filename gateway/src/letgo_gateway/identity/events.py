"""What happens to accounts: who logged in, who tried to, what was changed. For their users, and for administrators."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.database.queries import Row, plain
from letgo_gateway.database.types import new_id, now
from letgo_gateway.database.work import Database, DatabaseBusy
from letgo_gateway.errors import Invalid
from letgo_gateway.identity.tables import AuthEvent, LoginFailures
from letgo_gateway.observability.logs import correlation
from letgo_gateway.schemas import cursor_of, position_of

KEPT = timedelta(days=90)
FAILURES_KEPT = timedelta(days=1)
"""How long wrong passwords count together, and their lock at the most."""
FORGET_SECONDS = 3600.0
Action = Literal[
    "registered", "login", "login_failed", "locked", "logout",
    "password_changed", "password_reset", "token_created", "token_revoked",
]  # fmt: skip
log = logging.getLogger("letgo_gateway.identity")


def event(action: Action, user: str | None, email: str | None, address: str | None) -> Row:
    """What has happened, to be written by `record`: made before the transaction, which computes nothing."""
    values = {"action": action, "user_id": user, "email": email, "address": address}
    return values | {"id": new_id(), "at": now(), "correlation_id": correlation.get()}


async def record(db: AsyncSession, *events: Row) -> None:
    """In the transaction of what happens."""
    await db.execute(insert(AuthEvent), list(events))


async def read_events(
    db: AsyncSession, user: str | None, email: str | None, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    rows = select(AuthEvent.__table__)
    if user is not None:
        rows = rows.where(AuthEvent.user_id == user)
    if email is not None:
        rows = rows.where(AuthEvent.email == email)
    if cursor is not None:
        at, last = _position(cursor)
        rows = rows.where(or_(AuthEvent.at < at, and_(AuthEvent.at == at, AuthEvent.id < last)))
    newest = rows.order_by(AuthEvent.at.desc(), AuthEvent.id.desc()).limit(limit + 1)
    found = [plain(row) for row in (await db.execute(newest)).mappings()]
    if len(found) <= limit:
        return found, None
    return found[:limit], cursor_of(found[limit - 1]["at"].isoformat(), found[limit - 1]["id"])


def _position(cursor: str) -> tuple[datetime, str]:
    try:
        at, last = position_of(cursor, 2)
        return datetime.fromisoformat(at).astimezone(UTC), last
    except (ValueError, OverflowError):
        raise Invalid("cursor: not a cursor of this list") from None


@asynccontextmanager
async def forgetting(database: Database) -> AsyncIterator[None]:
    """Delete meanwhile, now and then, what is old."""
    task = asyncio.create_task(_forget_often(database))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _forget_often(database: Database) -> None:
    while True:
        await asyncio.sleep(FORGET_SECONDS)
        try:
            await database.write(forget, now())
        except DatabaseBusy as error:
            log.warning("old events are not deleted yet: %s", error)


async def forget(db: AsyncSession, today: datetime) -> None:
    await db.execute(delete(AuthEvent).where(AuthEvent.at < today - KEPT))
    unlocked = or_(LoginFailures.locked_until.is_(None), LoginFailures.locked_until < today)
    await db.execute(delete(LoginFailures).where(LoginFailures.at < today - FAILURES_KEPT, unlocked))
