"""Logging in with a password, choosing a new one, and ending sessions.

A password is checked and hashed while nothing is open: read, then hash, then write.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import delete, not_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import ClientAddress, InSession, Shared
from letgo_gateway.database.queries import Row, inserting, plain
from letgo_gateway.database.types import now
from letgo_gateway.errors import Invalid, TooMany, Unauthenticated
from letgo_gateway.identity import sessions
from letgo_gateway.identity.events import Action, event, record
from letgo_gateway.identity.tables import LoginFailures, User
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
async def log_in(login: Login, rooms: Shared, address: ClientAddress) -> Begun:
    """An address that nobody has is refused, and locked, like any other."""
    return _begin(rooms, await _checked(rooms, login.email, login.password, address, "login"))


@router.post("/logout", status_code=204)
async def log_out(rooms: Shared, principal: InSession, address: ClientAddress) -> None:
    """Ends all sessions of this user, everywhere. API tokens stay."""
    told = event("logout", principal.user, principal.email, address)
    await rooms.changes.write(["identity"], end_sessions, principal.user, told)


@router.post("/email/change-password")
async def change_password(asked: NewPassword, rooms: Shared, principal: InSession, address: ClientAddress) -> Begun:
    """Ends all sessions, and begins a new one."""
    check_password(asked.new, rooms.settings)
    user = await _checked(rooms, principal.email or "", asked.old, address)
    if asked.new == asked.old:
        raise Invalid("the new password is the old one")
    hashed = await rooms.passwords.hash(asked.new)
    told = event("password_changed", principal.user, principal.email, address)
    changed = await rooms.changes.write(["identity"], write_password, principal.user, hashed, user["epoch"], told)
    if changed is None:
        raise Unauthenticated("the password has been changed meanwhile")
    return _begin(rooms, user | changed)


def check_password(password: str, settings: Settings) -> None:
    """Raises `Invalid` for one that may not be chosen."""
    if len(password) < settings.password_length:
        raise Invalid(f"a password has at least {settings.password_length} characters")


async def _checked(rooms: Rooms, email: str, password: str, address: str | None, action: Action | None = None) -> Row:
    """The user with this address, if it is their password, and then `action` is recorded.

    Raises `Unauthenticated`, `TooMany`. An address that nobody has costs the same and leads to the same as a wrong
    password.
    """
    user, failures = await rooms.database.read(read_account, email)
    locked_until = failures["locked_until"] if failures is not None else None
    if locked_until is not None and (left := locked_until - now()) > timedelta():
        raise TooMany("too many wrong passwords; try again later", after=left.total_seconds())
    right = await rooms.passwords.verify(None if user is None else user["password_hash"], password)
    id = None if user is None else user["id"]
    if user is None or not right:
        until = now() + timedelta(seconds=rooms.settings.lockout_seconds)
        told = [event(one, id, email, address) for one in ("login_failed", "locked")]
        await rooms.database.write(write_failure, email, rooms.settings.login_attempts, until, told)
        raise Unauthenticated(WRONG)
    told = [event(action, id, email, address)] if action is not None else []
    if not await rooms.database.write(write_success, user["id"], email, failures is not None, told):
        raise Unauthenticated(WRONG)
    return user


def _begin(rooms: Rooms, user: Row) -> Begun:
    seconds = rooms.settings.session_seconds
    token = sessions.issue(rooms.keys.sessions, user["id"], user["epoch"], seconds)
    return Begun(access_token=token, expires_in=seconds, must_change=user["must_change"])


async def read_account(db: AsyncSession, email: str) -> tuple[Row | None, Row | None]:
    """The user with this address, and the wrong passwords that were given for it."""
    columns = select(User.id, User.password_hash, User.epoch, User.must_change)
    user = (await db.execute(columns.where(User.email == email, User.active))).mappings().one_or_none()
    counted = select(LoginFailures.count, LoginFailures.locked_until).where(LoginFailures.email == email)
    failures = (await db.execute(counted)).mappings().one_or_none()
    return None if user is None else plain(user), None if failures is None else plain(failures)


async def write_failure(db: AsyncSession, email: str, attempts: int, until: datetime, told: Sequence[Row]) -> None:
    """Count a wrong password; the last one that is allowed locks the address, and the count begins anew."""
    counted = inserting(db, LoginFailures).values(email=email, count=1, at=now())
    more = {"count": LoginFailures.count + 1, "at": now()}
    counted = counted.on_conflict_do_update(index_elements=["email"], set_=more)
    failed = (await db.execute(counted.returning(LoginFailures.count))).scalar_one()
    locks = failed >= attempts
    if locks:
        lock = update(LoginFailures).where(LoginFailures.email == email).values(count=0, locked_until=until)
        await db.execute(lock)
    await record(db, *(told if locks else told[:1]))


async def write_success(db: AsyncSession, user: str, email: str, failures: bool, told: Sequence[Row]) -> bool:
    """False if it was locked while the password was checked: others were guessing at the same time."""
    locked = select(LoginFailures.email).where(LoginFailures.email == email, LoginFailures.locked_until > now())
    done = update(User).where(User.id == user, User.active, not_(locked.exists())).values(last_login_at=now())
    if (await db.execute(done.returning(User.id))).one_or_none() is None:
        return False
    if failures:
        await unlock(db, email)
    if told:
        await record(db, *told)
    return True


async def unlock(db: AsyncSession, email: str) -> None:
    await db.execute(delete(LoginFailures).where(LoginFailures.email == email))


async def end_sessions(db: AsyncSession, user: str | None, told: Row) -> None:
    await db.execute(update(User).where(User.id == user).values(epoch=User.epoch + 1))
    await record(db, told)


async def write_password(db: AsyncSession, user: str | None, hashed: str, epoch: int, told: Row) -> Row | None:
    """What has changed; None if the sessions that this began from have ended."""
    changed = update(User).where(User.id == user, User.epoch == epoch)
    values = {"password_hash": hashed, "must_change": False, "epoch": epoch + 1}
    if (await db.execute(changed.values(**values).returning(User.id))).one_or_none() is None:
        return None
    await record(db, told)
    return values
