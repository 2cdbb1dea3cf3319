"""Teams: members, invitations and requests to join."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import Cursor, Limit, LoggedIn, Shared
from letgo_gateway.database.queries import Row, Rows, plain, read_page, told_as_conflict
from letgo_gateway.database.types import now
from letgo_gateway.errors import Conflict, Forbidden, Invalid, NotFound
from letgo_gateway.identity.authenticating import digest_of
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.tables import JoinRequest, Role, Team, TeamInvite, TeamMember, User
from letgo_gateway.schemas import Email, EntryId, Input, Name, Output, Page

MANAGE = "teams.manage"
READ = "teams.read"
JOIN = "teams.join"
"""Become a member, ask to, and leave."""
OWNER = "owner"
INVITED_FOR = timedelta(days=7)
Text = Annotated[str, Field(max_length=2000)]
RoleName = Annotated[str, Field(min_length=1, max_length=64)]
router = APIRouter(prefix="/teams", tags=["teams"])


class NewTeam(Input):
    """`listed`: everybody finds it, and may ask to join."""

    name: Name
    description: Text | None = None
    listed: bool = False


class TeamChange(Input):
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    name: Name | None = None
    description: Text | None = None
    listed: bool | None = None


class TeamView(Output):
    id: str
    name: str
    description: str | None
    listed: bool
    version: int
    created_at: datetime


class Member(Output):
    user_id: str
    email: str
    name: str
    role: str
    joined_at: datetime


class RoleChange(Input):
    role: RoleName


class NewInvitation(Input):
    email: Email
    role: RoleName = "member"


class Invitation(Output):
    """`code` is told once, to who has made the invitation; whom it is for shows it to join."""

    id: str
    email: str
    role: str
    expires_at: datetime
    code: str | None = None


class Acceptance(Input):
    code: Annotated[str, Field(min_length=1, max_length=200)]


class NewJoinRequest(Input):
    message: Annotated[str, Field(max_length=1000)] = ""


class JoinRequestView(Output):
    id: str
    user_id: str
    email: str
    message: str
    created_at: datetime


@router.get("")
async def list_teams(rooms: Shared, principal: LoggedIn, limit: Limit = 50, cursor: Cursor = None) -> Page[TeamView]:
    """One's own, and those that are listed."""
    principal.require(READ)
    items, after = await rooms.database.read(read_teams, principal, limit, cursor)
    return Page[TeamView].model_validate({"items": items, "next_cursor": after})


@router.post("", status_code=201)
async def create_team(asked: NewTeam, rooms: Shared, principal: LoggedIn) -> TeamView:
    """Who creates a team owns it."""
    principal.require("teams.create")
    team = await rooms.changes.write(["identity"], write_team, asked.model_dump(), principal.user)
    return TeamView.model_validate(team)


@router.post("/invitations/accept")
async def accept_invitation(asked: Acceptance, rooms: Shared, principal: LoggedIn) -> TeamView:
    principal.require(JOIN)
    team = await rooms.changes.write(["identity"], write_acceptance, digest_of(asked.code), principal)
    return TeamView.model_validate(team)


@router.get("/{team_id}")
async def read_team(team_id: EntryId, rooms: Shared, principal: LoggedIn) -> TeamView:
    principal.require(READ)
    return TeamView.model_validate(await rooms.database.read(one_team, team_id, principal))


@router.patch("/{team_id}")
async def change_team(team_id: EntryId, asked: TeamChange, rooms: Shared, principal: LoggedIn) -> TeamView:
    values = asked.model_dump(exclude_unset=True, exclude={"version"})
    team = await rooms.database.write(write_team_change, team_id, asked.version, values, principal)
    return TeamView.model_validate(team)


@router.delete("/{team_id}", status_code=204)
async def delete_team(team_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
    """Only when no entry of a registry belongs to it any more."""
    await rooms.changes.write(["identity"], remove_team, team_id, principal)


@router.get("/{team_id}/members")
async def list_members(
    team_id: EntryId, rooms: Shared, principal: LoggedIn, limit: Limit = 50, cursor: Cursor = None
) -> Page[Member]:
    """For members."""
    principal.require(READ)
    items, after = await rooms.database.read(read_members, team_id, principal, limit, cursor)
    return Page[Member].model_validate({"items": items, "next_cursor": after})


@router.put("/{team_id}/members/{user_id}")
async def change_member(
    team_id: EntryId, user_id: EntryId, asked: RoleChange, rooms: Shared, principal: LoggedIn
) -> Member:
    """Give a member another role. Administrators may add whom they want; others invite."""
    member = await rooms.changes.write(["identity"], write_member, team_id, user_id, asked.role, principal)
    return Member.model_validate(member)


@router.delete("/{team_id}/members/{user_id}", status_code=204)
async def remove_member(team_id: EntryId, user_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
    """Owners remove members; everybody may leave."""
    await rooms.changes.write(["identity"], delete_member, team_id, user_id, principal)


@router.get("/{team_id}/invitations")
async def list_invitations(team_id: EntryId, rooms: Shared, principal: LoggedIn) -> list[Invitation]:
    rows = await rooms.database.read(read_invitations, team_id, principal)
    return [Invitation.model_validate(row) for row in rows]


@router.post("/{team_id}/invitations", status_code=201)
async def invite(team_id: EntryId, asked: NewInvitation, rooms: Shared, principal: LoggedIn) -> Invitation:
    """Another invitation for the same address takes the place of the first."""
    code = secrets.token_urlsafe(24)
    values = asked.model_dump() | {"digest": digest_of(code), "expires_at": now() + INVITED_FOR}
    invitation = await rooms.database.write(write_invitation, team_id, values, principal)
    return Invitation.model_validate(invitation | {"code": code})


@router.delete("/{team_id}/invitations/{invitation_id}", status_code=204)
async def withdraw_invitation(team_id: EntryId, invitation_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
    await rooms.database.write(delete_invitation, team_id, invitation_id, principal)


@router.get("/{team_id}/join-requests")
async def list_join_requests(team_id: EntryId, rooms: Shared, principal: LoggedIn) -> list[JoinRequestView]:
    rows = await rooms.database.read(read_join_requests, team_id, principal)
    return [JoinRequestView.model_validate(row) for row in rows]


@router.post("/{team_id}/join-requests", status_code=204)
async def ask_to_join(team_id: EntryId, asked: NewJoinRequest, rooms: Shared, principal: LoggedIn) -> None:
    principal.require(JOIN)
    await rooms.database.write(write_join_request, team_id, asked.message, principal)


@router.post("/{team_id}/join-requests/{request_id}/approve", status_code=204)
async def approve(team_id: EntryId, request_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
    await rooms.changes.write(["identity"], settle_join_request, team_id, request_id, principal, True)


@router.delete("/{team_id}/join-requests/{request_id}", status_code=204)
async def decline(team_id: EntryId, request_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
    await rooms.database.write(settle_join_request, team_id, request_id, principal, False)


def known_teams(principal: Principal) -> Rows:
    """The teams that somebody knows of."""
    columns = (Team.id, Team.name, Team.description, Team.listed, Team.version, Team.created_at)
    rows = select(*columns)
    return rows if principal.admin else rows.where(or_(Team.listed, Team.id.in_(sorted(principal.teams))))


async def read_known_teams(db: AsyncSession, principal: Principal) -> list[Row]:
    return [plain(row) for row in (await db.execute(known_teams(principal))).mappings()]


async def read_teams(
    db: AsyncSession, principal: Principal, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    return await read_page(db, known_teams(principal), (Team.name, Team.id), limit, cursor)


async def one_team(db: AsyncSession, team_id: str, principal: Principal) -> Row:
    row = (await db.execute(known_teams(principal).where(Team.id == team_id))).mappings().one_or_none()
    if row is None:
        raise NotFound("team")
    return plain(row)


async def managed(db: AsyncSession, team_id: str, principal: Principal) -> Row:
    """The team, if the principal manages it. Raises `NotFound` if they can't see it, else `Forbidden`."""
    team = await one_team(db, team_id, principal)
    principal.require(MANAGE, team_id)
    return team


async def write_team(db: AsyncSession, values: Row, owner: str | None) -> Row:
    team = Team(**values)
    db.add(team)
    with told_as_conflict("there is a team with this name already"):
        await db.flush()
    db.add(TeamMember(team_id=team.id, user_id=owner, role=OWNER))
    return {name: getattr(team, name) for name in TeamView.model_fields}


async def write_team_change(db: AsyncSession, team_id: str, version: int, values: Row, principal: Principal) -> Row:
    await managed(db, team_id, principal)
    changed = update(Team).where(Team.id == team_id, Team.version == version)
    with told_as_conflict("there is a team with this name already"):
        rows = await db.execute(changed.values(**values, version=version + 1).returning(Team.id))
    if rows.one_or_none() is None:
        raise Conflict("somebody else has changed this team meanwhile; read it again")
    return await one_team(db, team_id, principal)


async def remove_team(db: AsyncSession, team_id: str, principal: Principal) -> None:
    await managed(db, team_id, principal)
    with told_as_conflict("entries of the registries belong to this team; give them away or delete them first"):
        await db.execute(delete(Team).where(Team.id == team_id))


def _members(team_id: str) -> Rows:
    columns = (TeamMember.user_id, User.email, User.name, TeamMember.role, TeamMember.joined_at)
    return select(*columns).join(User, User.id == TeamMember.user_id).where(TeamMember.team_id == team_id)


async def read_members(
    db: AsyncSession, team_id: str, principal: Principal, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    await one_team(db, team_id, principal)
    if not principal.admin and team_id not in principal.teams:
        raise Forbidden("only members see who is in a team")
    return await read_page(db, _members(team_id), (User.email, TeamMember.user_id), limit, cursor)


async def one_member(db: AsyncSession, team_id: str, user_id: str) -> Row | None:
    row = (await db.execute(_members(team_id).where(TeamMember.user_id == user_id))).mappings().one_or_none()
    return None if row is None else plain(row)


async def write_member(db: AsyncSession, team_id: str, user_id: str, role: str, principal: Principal) -> Row:
    await managed(db, team_id, principal)
    await _check_role(db, role)
    if await one_member(db, team_id, user_id) is not None:
        ours = (TeamMember.team_id == team_id, TeamMember.user_id == user_id)
        await db.execute(update(TeamMember).where(*ours).values(role=role))
        await _keep_an_owner(db, team_id)
    elif principal.admin and await db.scalar(select(User.id).where(User.id == user_id)) is not None:
        db.add(TeamMember(team_id=team_id, user_id=user_id, role=role))
        await db.flush()
    member = await one_member(db, team_id, user_id)
    if member is None:
        raise NotFound("member")
    return member


async def delete_member(db: AsyncSession, team_id: str, user_id: str, principal: Principal) -> None:
    await one_team(db, team_id, principal)
    if user_id != principal.user:
        principal.require(MANAGE, team_id)
    else:
        principal.require(JOIN)
    ours = (TeamMember.team_id == team_id, TeamMember.user_id == user_id)
    gone = await db.execute(delete(TeamMember).where(*ours).returning(TeamMember.user_id))
    if gone.one_or_none() is None:
        raise NotFound("member")
    await _keep_an_owner(db, team_id)


async def _keep_an_owner(db: AsyncSession, team_id: str) -> None:
    """Two owners who leave at the same time wait for one another at the row of their team."""
    await db.execute(select(Team.id).where(Team.id == team_id).with_for_update())
    owners = select(func.count()).where(TeamMember.team_id == team_id, TeamMember.role == OWNER)
    if not await db.scalar(owners):
        raise Conflict("a team keeps at least one owner")


async def _check_role(db: AsyncSession, role: str) -> None:
    if await db.scalar(select(Role.id).where(Role.name == role, Role.name.not_in(("administrator", "user")))) is None:
        raise Invalid(f"there is no role {role!r} for members of teams")


async def read_invitations(db: AsyncSession, team_id: str, principal: Principal) -> list[Row]:
    await managed(db, team_id, principal)
    columns = (TeamInvite.id, TeamInvite.email, TeamInvite.role, TeamInvite.expires_at)
    rows = select(*columns).where(TeamInvite.team_id == team_id).order_by(TeamInvite.email)
    return [plain(row) for row in (await db.execute(rows)).mappings()]


async def write_invitation(db: AsyncSession, team_id: str, values: Row, principal: Principal) -> Row:
    await managed(db, team_id, principal)
    await _check_role(db, values["role"])
    member = _members(team_id).where(User.email == values["email"])
    if (await db.execute(member)).first() is not None:
        raise Conflict("this user is a member already")
    ours = (TeamInvite.team_id == team_id, TeamInvite.email == values["email"])
    await db.execute(delete(TeamInvite).where(*ours))
    invitation = TeamInvite(team_id=team_id, invited_by=principal.user, **values)
    db.add(invitation)
    with told_as_conflict("somebody else has just invited this address"):
        await db.flush()
    return {name: getattr(invitation, name) for name in ("id", "email", "role", "expires_at")}


async def delete_invitation(db: AsyncSession, team_id: str, invitation_id: str, principal: Principal) -> None:
    await managed(db, team_id, principal)
    ours = (TeamInvite.id == invitation_id, TeamInvite.team_id == team_id)
    if (await db.execute(delete(TeamInvite).where(*ours).returning(TeamInvite.id))).one_or_none() is None:
        raise NotFound("invitation")


async def write_acceptance(db: AsyncSession, digest: str, principal: Principal) -> Mapping[str, Any]:
    """The code counts once, for whom it was made, and in its time."""
    valid = (TeamInvite.digest == digest, TeamInvite.email == principal.email, TeamInvite.expires_at > now())
    used = delete(TeamInvite).where(*valid).returning(TeamInvite.team_id, TeamInvite.role)
    invitation = (await db.execute(used)).one_or_none()
    if invitation is None:
        raise NotFound("invitation")
    await _join(db, invitation.team_id, principal.user, invitation.role)
    columns = (Team.id, Team.name, Team.description, Team.listed, Team.version, Team.created_at)
    return plain((await db.execute(select(*columns).where(Team.id == invitation.team_id))).mappings().one())


async def _join(db: AsyncSession, team_id: str, user_id: str | None, role: str) -> None:
    db.add(TeamMember(team_id=team_id, user_id=user_id, role=role))
    with told_as_conflict("this user is a member already"):
        await db.flush()


async def read_join_requests(db: AsyncSession, team_id: str, principal: Principal) -> list[Row]:
    await managed(db, team_id, principal)
    columns = (JoinRequest.id, JoinRequest.user_id, User.email, JoinRequest.message, JoinRequest.created_at)
    rows = select(*columns).join(User, User.id == JoinRequest.user_id).where(JoinRequest.team_id == team_id)
    return [plain(row) for row in (await db.execute(rows.order_by(JoinRequest.created_at, JoinRequest.id))).mappings()]


async def write_join_request(db: AsyncSession, team_id: str, message: str, principal: Principal) -> None:
    await one_team(db, team_id, principal)
    if team_id in principal.teams:
        raise Conflict("this user is a member already")
    db.add(JoinRequest(team_id=team_id, user_id=principal.user, message=message))
    with told_as_conflict("this user has asked already"):
        await db.flush()


async def settle_join_request(
    db: AsyncSession, team_id: str, request_id: str, principal: Principal, approved: bool
) -> None:
    await managed(db, team_id, principal)
    ours = (JoinRequest.id == request_id, JoinRequest.team_id == team_id)
    user_id = await db.scalar(delete(JoinRequest).where(*ours).returning(JoinRequest.user_id))
    if user_id is None:
        raise NotFound("request to join")
    if approved:
        await _join(db, team_id, user_id, "member")
