"""API tokens: for programs, with no more rights than they need."""

import secrets
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import ClientAddress, Cursor, InSession, Limit, LoggedIn, Shared
from letgo_gateway.database.queries import Row, Rows, plain, read_page, told_as_conflict
from letgo_gateway.database.types import now
from letgo_gateway.errors import Forbidden, Invalid, NotFound
from letgo_gateway.identity.authenticating import API_TOKEN, digest_of
from letgo_gateway.identity.events import event, record
from letgo_gateway.identity.permissions import PERMISSIONS
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.tables import ApiToken, User
from letgo_gateway.identity.visibility import reach
from letgo_gateway.registry.tables import Server
from letgo_gateway.schemas import EntryId, Input, Name, Output, Page, Reference

MANAGE = "tokens.manage"
COLUMNS = (
    ApiToken.id,
    ApiToken.name,
    ApiToken.scopes,
    ApiToken.server_id,
    ApiToken.created_at,
    ApiToken.expires_at,
    ApiToken.revoked_at,
    ApiToken.last_used_at,
)
router = APIRouter(prefix="/tokens", tags=["tokens"])


class NewToken(Input):
    """`scopes` None: all that the user may, now and later. `server_id`: for that virtual server alone."""

    name: Name
    scopes: Annotated[list[str] | None, Field(max_length=100)] = None
    server_id: Reference | None = None
    expires_in_days: Annotated[float | None, Field(gt=0, le=3650)] = 90


class TokenView(Output):
    """`last_used_at` is written every few seconds."""

    id: str
    name: str
    scopes: list[str] | None
    server_id: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class GivenToken(Output):
    """`secret` is told this once."""

    token: TokenView
    secret: str


@router.get("")
async def list_tokens(rooms: Shared, principal: LoggedIn, limit: Limit = 50, cursor: Cursor = None) -> Page[TokenView]:
    principal.require(MANAGE)
    items, after = await rooms.database.read(read_tokens, principal.user, limit, cursor)
    return Page[TokenView].model_validate({"items": items, "next_cursor": after})


@router.post("", status_code=201)
async def create_token(asked: NewToken, rooms: Shared, principal: InSession, address: ClientAddress) -> GivenToken:
    """Who holds a token can't make another one with it: it could outlive the first."""
    if principal.must_change:
        raise Forbidden("choose a password of your own first")
    principal.require(MANAGE)
    if unknown := set(asked.scopes or ()) - PERMISSIONS:
        raise Invalid(f"scopes: no such permission: {', '.join(sorted(unknown))}")
    secret = API_TOKEN + secrets.token_urlsafe(32)
    days = asked.expires_in_days
    values = asked.model_dump(exclude={"expires_in_days"}) | {
        "digest": digest_of(secret),
        "expires_at": None if days is None else now() + timedelta(days=days),
    }
    told = event("token_created", principal.user, principal.email, address)
    token = await rooms.database.write(write_token, values, principal, told)
    return GivenToken(token=TokenView.model_validate(token), secret=secret)


@router.delete("/{token_id}", status_code=204)
async def revoke_token(token_id: EntryId, rooms: Shared, principal: LoggedIn, address: ClientAddress) -> None:
    """At once, on all workers. Administrators revoke anybody's."""
    principal.require(MANAGE)
    await rooms.changes.write(["identity"], write_revocation, token_id, principal, address)


def _tokens() -> Rows:
    return select(*COLUMNS)


async def read_tokens(
    db: AsyncSession, user: str | None, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    return await read_page(db, _tokens().where(ApiToken.user_id == user), (ApiToken.name, ApiToken.id), limit, cursor)


async def write_token(db: AsyncSession, values: Row, principal: Principal, told: Row) -> Row:
    server = values["server_id"]
    if server is not None:
        visible = select(Server.id).where(Server.id == server, reach(Server, principal, "servers.read"))
        if await db.scalar(visible) is None:
            raise NotFound("server")
    token = ApiToken(user_id=principal.user, **values)
    db.add(token)
    with told_as_conflict("there is a token with this name already"):
        await db.flush()
    await record(db, told)
    return plain((await db.execute(_tokens().where(ApiToken.id == token.id))).mappings().one())


async def write_revocation(db: AsyncSession, token_id: str, principal: Principal, address: str | None) -> None:
    ours = [ApiToken.id == token_id, ApiToken.revoked_at.is_(None)]
    if not principal.may("users.manage"):
        ours.append(ApiToken.user_id == principal.user)
    revoked = update(ApiToken).where(*ours).values(revoked_at=now())
    user = (await db.execute(revoked.returning(ApiToken.user_id))).scalar_one_or_none()
    if user is None:
        raise NotFound("token")
    email = await db.scalar(select(User.email).where(User.id == user))
    await record(db, event("token_revoked", user, email, address))
