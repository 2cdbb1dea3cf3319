"""Roles and permissions."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import LoggedIn, Shared
from letgo_gateway.database.queries import Row, Rows, plain, told_as_conflict
from letgo_gateway.errors import Conflict, Invalid, NotFound
from letgo_gateway.identity.permissions import PERMISSIONS
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.tables import Role, Team, TeamInvite, TeamMember, User, UserRole
from letgo_gateway.schemas import EntryId, Input, Name, Output, Reference

MANAGE = "roles.manage"
COLUMNS = (Role.id, Role.name, Role.description, Role.permissions, Role.builtin)
router = APIRouter(prefix="/rbac", tags=["rbac"])
Permissions = Annotated[list[str], Field(max_length=200)]


class NewRole(Input):
    name: Annotated[Name, Field(max_length=64)]
    description: Annotated[str | None, Field(max_length=2000)] = None
    permissions: Permissions


class RoleChange(Input):
    description: Annotated[str | None, Field(max_length=2000)] = None
    permissions: Permissions | None = None


class RoleView(Output):
    id: str
    name: str
    description: str | None
    permissions: list[str]
    builtin: bool


class Grant(Input):
    """`team_id` None: everywhere."""

    role_id: Reference
    team_id: Reference | None = None


class GrantView(Output):
    id: str
    role: str
    role_id: str
    team_id: str | None


@router.get("/permissions")
async def list_permissions(principal: LoggedIn) -> list[str]:
    return sorted(PERMISSIONS)


@router.get("/roles")
async def list_roles(rooms: Shared, principal: LoggedIn) -> list[RoleView]:
    return [RoleView.model_validate(role) for role in await rooms.database.read(read_roles)]


@router.post("/roles", status_code=201)
async def create_role(asked: NewRole, rooms: Shared, principal: LoggedIn) -> RoleView:
    principal.require(MANAGE)
    _check(asked.permissions)
    principal.require_all(asked.permissions)
    return RoleView.model_validate(await rooms.database.write(write_role, asked.model_dump()))


@router.patch("/roles/{role_id}")
async def change_role(role_id: EntryId, asked: RoleChange, rooms: Shared, principal: LoggedIn) -> RoleView:
    principal.require(MANAGE)
    _check(asked.permissions or [])
    principal.require_all(asked.permissions or [])
    values = {name: value for name, value in asked.model_dump(exclude_unset=True).items() if value is not None}
    role = await rooms.changes.write(["identity"], write_role_change, role_id, values)
    return RoleView.model_validate(role)


@router.delete("/roles/{role_id}", status_code=204)
async def delete_role(role_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
    """Who was given it has it no more; a role that members of teams have can't be deleted."""
    principal.require(MANAGE)
    await rooms.changes.write(["identity"], remove_role, role_id)


@router.get("/users/{user_id}/roles")
async def list_grants(user_id: EntryId, rooms: Shared, principal: LoggedIn) -> list[GrantView]:
    """One's own, and for administrators anybody's."""
    if user_id != principal.user:
        principal.require(MANAGE)
    return [GrantView.model_validate(grant) for grant in await rooms.database.read(read_grants, user_id)]


@router.post("/users/{user_id}/roles", status_code=201)
async def grant(user_id: EntryId, asked: Grant, rooms: Shared, principal: LoggedIn) -> GrantView:
    principal.require(MANAGE)
    made = await rooms.changes.write(["identity"], write_grant, user_id, asked, principal)
    return GrantView.model_validate(made)


@router.delete("/users/{user_id}/roles/{grant_id}", status_code=204)
async def take_back(user_id: EntryId, grant_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
    principal.require(MANAGE)
    await rooms.changes.write(["identity"], remove_grant, user_id, grant_id)


def _check(permissions: list[str]) -> None:
    if unknown := set(permissions) - PERMISSIONS:
        raise Invalid(f"no such permission: {', '.join(sorted(unknown))}")


async def read_roles(db: AsyncSession) -> list[Row]:
    return [plain(row) for row in (await db.execute(select(*COLUMNS).order_by(Role.name))).mappings()]


async def write_role(db: AsyncSession, values: Row) -> Row:
    role = Role(**values)
    db.add(role)
    with told_as_conflict("there is a role with this name already"):
        await db.flush()
    return {column.key: getattr(role, column.key) for column in COLUMNS}


async def one_of_ours(db: AsyncSession, role_id: str) -> Row:
    """A role that can be changed."""
    row = (await db.execute(select(*COLUMNS).where(Role.id == role_id).with_for_update())).mappings().one_or_none()
    if row is None:
        raise NotFound("role")
    if row["builtin"]:
        raise Conflict(f"{row['name']} comes with the gateway and stays as it is; make a role of your own")
    return plain(row)


async def write_role_change(db: AsyncSession, role_id: str, values: Row) -> Row:
    role = await one_of_ours(db, role_id)
    if values:
        await db.execute(update(Role).where(Role.id == role_id).values(**values))
    return role | values


async def remove_role(db: AsyncSession, role_id: str) -> None:
    role = await one_of_ours(db, role_id)
    for table in (TeamMember, TeamInvite):
        if await db.scalar(select(table.team_id).where(table.role == role["name"]).limit(1)) is not None:
            raise Conflict("members of teams have this role, or are invited to it")
    await db.execute(delete(Role).where(Role.id == role_id))


def _grants(user_id: str) -> Rows:
    columns = (UserRole.id, Role.name.label("role"), UserRole.role_id, UserRole.team_id)
    return select(*columns).join(Role, Role.id == UserRole.role_id).where(UserRole.user_id == user_id)


async def read_grants(db: AsyncSession, user_id: str) -> list[Row]:
    rows = await db.execute(_grants(user_id).order_by(Role.name, UserRole.id))
    return [plain(row) for row in rows.mappings()]


async def write_grant(db: AsyncSession, user_id: str, asked: Grant, principal: Principal) -> Row:
    role_id, team_id = asked.role_id, asked.team_id
    for table, key, what in ((User, user_id, "user"), (Role, role_id, "role"), (Team, team_id, "team")):
        if key is not None and await db.scalar(select(table.id).where(table.id == key).with_for_update()) is None:
            raise NotFound(what)
    principal.require_all(await db.scalar(select(Role.permissions).where(Role.id == role_id)) or [])
    same = _grants(user_id).where(UserRole.role_id == role_id, UserRole.team_id.is_not_distinct_from(team_id))
    if (await db.execute(same)).first() is not None:
        raise Conflict("the user has this role there already")
    made = UserRole(user_id=user_id, role_id=role_id, team_id=team_id)
    db.add(made)
    await db.flush()
    return plain((await db.execute(_grants(user_id).where(UserRole.id == made.id))).mappings().one())


async def remove_grant(db: AsyncSession, user_id: str, grant_id: str) -> None:
    ours = (UserRole.id == grant_id, UserRole.user_id == user_id)
    if (await db.execute(delete(UserRole).where(*ours).returning(UserRole.id))).one_or_none() is None:
        raise NotFound("role of this user")
