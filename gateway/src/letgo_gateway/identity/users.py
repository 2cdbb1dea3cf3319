"""Users, for themselves and for administrators."""

import secrets
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import ClientAddress, Cursor, Limit, LoggedIn, Shared
from letgo_gateway.database.changes import TOPICS
from letgo_gateway.database.queries import Row, Rows, plain, read_page, told_as_conflict
from letgo_gateway.errors import Conflict, Forbidden, NotFound
from letgo_gateway.identity.events import Action, event, read_events, record
from letgo_gateway.identity.login import Password, check_password, unlock
from letgo_gateway.identity.permissions import PERMISSIONS
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.tables import LoginFailures, Role, User, UserRole
from letgo_gateway.schemas import Email, EntryId, Input, Output, Page

MANAGE = "users.manage"
LISTED = (
    User.id,
    User.email,
    User.name,
    User.admin,
    User.active,
    User.must_change,
    LoginFailures.locked_until,
    User.created_at,
    User.last_login_at,
)
router = APIRouter(prefix="/auth/email", tags=["users"])


class Account(Output):
    id: str
    email: str
    name: str
    admin: bool
    active: bool
    must_change: bool
    locked_until: datetime | None
    created_at: datetime
    last_login_at: datetime | None


class Me(Output):
    """`teams`: the permissions in each team."""

    id: str
    email: str
    admin: bool
    permissions: list[str]
    teams: dict[str, list[str]]


class Registration(Input):
    email: Email
    password: Password
    name: Annotated[str, Field(max_length=255)] = ""


class NewUser(Input):
    email: Email
    name: Annotated[str, Field(max_length=255)] = ""
    admin: bool = False


class UserChange(Input):
    """`reset_password`: give the user a new one-time password, end all sessions and unlock the account."""

    name: Annotated[str | None, Field(max_length=255)] = None
    admin: bool | None = None
    active: bool | None = None
    reset_password: bool = False


class EventView(Output):
    """`user_id` None: nobody had this address, or they are gone. `address` is the client's."""

    id: str
    at: datetime
    action: Action
    user_id: str | None
    email: str | None
    address: str | None
    correlation_id: str | None


class Given(Output):
    """`password` is told this once, and must be changed at the first login; None if it has not been set anew."""

    user: Account
    password: str | None


@router.get("/me")
async def read_me(principal: LoggedIn) -> Me:
    return Me(
        id=principal.user or "",
        email=principal.email or "",
        admin=principal.admin,
        permissions=sorted(principal.permissions),
        teams={team: sorted(permissions) for team, permissions in principal.teams.items()},
    )


@router.post("/register", status_code=201)
async def register(asked: Registration, rooms: Shared, address: ClientAddress) -> Account:
    """Only where the settings let everybody register."""
    if not rooms.settings.registration:
        raise Forbidden("nobody can register here; ask an administrator for an account")
    check_password(asked.password, rooms.settings)
    hashed = await rooms.passwords.hash(asked.password)
    values = {"email": asked.email, "name": asked.name, "password_hash": hashed}
    return Account.model_validate(await rooms.database.write(write_registration, values, address))


@router.get("/users")
async def list_users(
    rooms: Shared, principal: LoggedIn, limit: Limit = 50, cursor: Cursor = None, email: Email | None = None
) -> Page[Account]:
    principal.require(MANAGE)
    items, after = await rooms.database.read(read_users, email, limit, cursor)
    return Page[Account].model_validate({"items": items, "next_cursor": after})


@router.post("/users", status_code=201)
async def create_user(asked: NewUser, rooms: Shared, principal: LoggedIn) -> Given:
    principal.require(MANAGE)
    if asked.admin:
        principal.require_all(PERMISSIONS)
    password = secrets.token_urlsafe(12)
    hashed = await rooms.passwords.hash(password)
    values = asked.model_dump() | {"password_hash": hashed, "must_change": True}
    user = await rooms.database.write(write_user, values)
    return Given(user=Account.model_validate(user), password=password)


@router.get("/users/{user_id}")
async def read_user(user_id: EntryId, rooms: Shared, principal: LoggedIn) -> Account:
    principal.require(MANAGE)
    return Account.model_validate(await rooms.database.read(one_user, user_id))


@router.patch("/users/{user_id}")
async def change_user(
    user_id: EntryId, asked: UserChange, rooms: Shared, principal: LoggedIn, address: ClientAddress
) -> Given:
    """Nobody changes who may do more than they may themselves."""
    principal.require(MANAGE)
    if asked.admin:
        principal.require_all(PERMISSIONS)
    values: Row = {name: value for name in ("name", "admin", "active") if (value := getattr(asked, name)) is not None}
    password = secrets.token_urlsafe(12) if asked.reset_password else None
    if password is not None:
        values |= {"password_hash": await rooms.passwords.hash(password), "must_change": True}
    if password is not None or values.get("active") is False:
        values["epoch"] = User.epoch + 1
    user = await rooms.changes.write(["identity"], write_user_change, user_id, values, principal, address)
    return Given(user=Account.model_validate(user), password=password)


@router.delete("/users/{user_id}", status_code=204)
async def delete_user(user_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
    """Their entries in the registries stay, and belong to nobody: administrators see them."""
    principal.require(MANAGE)
    await rooms.changes.write(TOPICS, remove_user, user_id, principal)


@router.get("/events")
async def list_events(
    rooms: Shared,
    principal: LoggedIn,
    limit: Limit = 50,
    cursor: Cursor = None,
    everybody: bool = False,
    email: Email | None = None,
) -> Page[EventView]:
    """What happened to one's own account, the newest first; for who manages users, to `everybody`'s, or to `email`,
    which need not be anybody's.
    """
    principal.require("events.read")
    others = everybody or email is not None
    if others:
        principal.require(MANAGE)
    items, after = await rooms.database.read(read_events, None if others else principal.user, email, limit, cursor)
    return Page[EventView].model_validate({"items": items, "next_cursor": after})


def _users() -> Rows:
    return select(*LISTED).outerjoin(LoginFailures, LoginFailures.email == User.email)


async def read_users(
    db: AsyncSession, email: str | None, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    rows = _users() if email is None else _users().where(User.email == email)
    return await read_page(db, rows, (User.email, User.id), limit, cursor)


async def one_user(db: AsyncSession, user_id: str) -> Row:
    row = (await db.execute(_users().where(User.id == user_id))).mappings().one_or_none()
    if row is None:
        raise NotFound("user")
    return plain(row)


async def write_user(db: AsyncSession, values: Row) -> Row:
    user = User(**values)
    db.add(user)
    with told_as_conflict("there is a user with this e-mail address already"):
        await db.flush()
    return await one_user(db, user.id)


async def write_registration(db: AsyncSession, values: Row, address: str | None) -> Row:
    user = await write_user(db, values)
    await record(db, event("registered", user["id"], user["email"], address))
    return user


async def write_user_change(
    db: AsyncSession, user_id: str, values: Row, principal: Principal, address: str | None
) -> Row:
    before = await _weaker(db, user_id, principal)
    if "password_hash" in values:
        await unlock(db, before["email"])
        await record(db, event("password_reset", user_id, before["email"], address))
    if values:
        await db.execute(update(User).where(User.id == user_id).values(**values))
    user = await one_user(db, user_id)
    await _keep_an_administrator(db)
    return user


async def _weaker(db: AsyncSession, user_id: str, principal: Principal) -> Row:
    """A user who may no more than the principal. Raises `NotFound`, `Forbidden`."""
    user = await one_user(db, user_id)
    theirs = PERMISSIONS if user["admin"] else frozenset()
    everywhere = select(Role.permissions).join(UserRole, UserRole.role_id == Role.id).where(UserRole.team_id.is_(None))
    given = await db.scalars(everywhere.where(UserRole.user_id == user_id))
    principal.require_all(theirs.union(*given))
    return user


async def remove_user(db: AsyncSession, user_id: str, principal: Principal) -> None:
    await _weaker(db, user_id, principal)
    await db.execute(delete(User).where(User.id == user_id))
    await _keep_an_administrator(db)


async def _keep_an_administrator(db: AsyncSession) -> None:
    """Two who remove each other at the same time wait for one another here."""
    await db.execute(select(User.id).where(User.admin, User.active).with_for_update())
    if not await db.scalar(select(func.count()).select_from(User).where(User.admin, User.active)):
        raise Conflict("this is the last administrator")
