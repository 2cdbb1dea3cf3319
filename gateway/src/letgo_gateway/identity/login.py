"""Logging in with a password, choosing a new one, and ending sessions.

A password is checked and hashed while nothing is open: read, then hash, then write.
"""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import InSession, Shared
from letgo_gateway.database.queries import Row, plain
from letgo_gateway.database.types import now
from letgo_gateway.errors import Invalid, TooMany, Unauthenticated
from letgo_gateway.identity import sessions
from letgo_gateway.identity.tables import User
from letgo_gateway.rooms import Rooms
from letgo_gateway.schemas import Email, Input, Output
from letgo_gateway.settings import Settings

WRONG = "wrong e-mail address or password"
router = APIRouter(prefix="/auth", tags=["auth"])
Password = Annotated[str, Field(min_length=1, max_length=1000)]


class Login(Input):
    email: Email
    password: Password


class Begun(Output):
    """`expires_in` is in seconds. With `must_change`, nothing is allowed but to choose a new password."""

    access_token: str
    token_type: str = "bearer"
    expires_in: float
    must_change: bool


class NewPassword(Input):
    old: Password
    new: Password


@router.post("/login")
async def log_in(login: Login, rooms: Shared) -> Begun:
    return _begin(rooms, await _checked(rooms, login.email, login.password))


@router.post("/logout", status_code=204)
async def log_out(rooms: Shared, principal: InSession) -> None:
    """Ends all sessions of this user, everywhere. API tokens stay."""
    await rooms.changes.write(["identity"], end_sessions, principal.user)


@router.post("/email/change-password")
async def change_password(asked: NewPassword, rooms: Shared, principal: InSession) -> Begun:
    """Ends all sessions, and begins a new one."""
    check_password(asked.new, rooms.settings)
    user = await _checked(rooms, principal.email, asked.old)
    if asked.new == asked.old:
        raise Invalid("the new password is the old one")
    hashed = await rooms.passwords.hash(asked.new)
    changed = await rooms.changes.write(["identity"], write_password, principal.user, hashed, user["epoch"])
    if changed is None:
        raise Unauthenticated("the password has been changed meanwhile")
    return _begin(rooms, user | changed)


def check_password(password: str, settings: Settings) -> None:
    """Raises `Invalid` for one that may not be chosen."""
    if len(password) < settings.password_length:
        raise Invalid(f"a password has at least {settings.password_length} characters")


async def _checked(rooms: Rooms, email: str | None, password: str) -> Row:
    """The user with this address, if it is their password. Raises `Unauthenticated`, `TooMany`."""
    user = await rooms.database.read(read_account, email)
    if user is not None and user["locked_until"] is not None and (left := user["locked_until"] - now()) > timedelta():
        raise TooMany("too many wrong passwords; try again later", after=left.total_seconds())
    right = await rooms.passwords.verify(None if user is None else user["password_hash"], password)
    if user is None:
        raise Unauthenticated(WRONG)
    if not right:
        until = now() + timedelta(seconds=rooms.settings.lockout_seconds)
        await rooms.database.write(write_failure, user["id"], rooms.settings.login_attempts, until)
        raise Unauthenticated(WRONG)
    if not await rooms.database.write(write_success, user["id"]):
        raise Unauthenticated(WRONG)
    return user


def _begin(rooms: Rooms, user: Row) -> Begun:
    seconds = rooms.settings.session_seconds
    token = sessions.issue(rooms.keys.sessions, user["id"], user["epoch"], seconds)
    return Begun(access_token=token, expires_in=seconds, must_change=user["must_change"])


async def read_account(db: AsyncSession, email: str | None) -> Row | None:
    columns = select(User.id, User.password_hash, User.locked_until, User.epoch, User.must_change)
    row = (await db.execute(columns.where(User.email == email, User.active))).mappings().one_or_none()
    return None if row is None else plain(row)


async def write_failure(db: AsyncSession, user: str, attempts: int, until: datetime) -> None:
    """Count a wrong password; the last one that is allowed locks the account, and the count begins anew."""
    counted = update(User).where(User.id == user).values(failed_logins=User.failed_logins + 1)
    failed = await db.scalar(counted.returning(User.failed_logins))
    if failed is not None and failed >= attempts:
        await db.execute(update(User).where(User.id == user).values(failed_logins=0, locked_until=until))


async def write_success(db: AsyncSession, user: str) -> bool:
    """False if it was locked while the password was checked: others were guessing at the same time."""
    free = User.locked_until.is_(None) | (User.locked_until <= now())
    done = update(User).where(User.id == user, User.active, free)
    values = {"failed_logins": 0, "locked_until": None, "last_login_at": now()}
    return (await db.execute(done.values(**values).returning(User.id))).one_or_none() is not None


async def end_sessions(db: AsyncSession, user: str | None) -> None:
    await db.execute(update(User).where(User.id == user).values(epoch=User.epoch + 1))


async def write_password(db: AsyncSession, user: str | None, hashed: str, epoch: int) -> Row | None:
    """What has changed; None if the sessions that this began from have ended."""
    changed = update(User).where(User.id == user, User.epoch == epoch)
    values = {"password_hash": hashed, "must_change": False, "epoch": epoch + 1, "failed_logins": 0}
    done = (await db.execute(changed.values(**values).returning(User.id))).one_or_none()
    return None if done is None else values
