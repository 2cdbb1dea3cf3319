"""From a request to who asks: nearly always a lookup in memory.

What a token stands for is kept until the database says that something about identity has changed, on whatever worker:
a token revoked, a user switched off, a team left.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import time
from types import MappingProxyType

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.caching import Kept
from letgo_gateway.database.changes import Changes, versions_now
from letgo_gateway.database.types import now
from letgo_gateway.database.work import Database, DatabaseBusy
from letgo_gateway.errors import Forbidden, Unauthenticated
from letgo_gateway.identity import sessions
from letgo_gateway.identity.permissions import ANONYMOUS, EVERYBODY, PERMISSIONS
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.tables import ApiToken, Role, TeamMember, User, UserRole
from letgo_gateway.keys import Keys

API_TOKEN = "lgw_"
MOST_KNOWN = 20_000
USES_SECONDS = 5.0
log = logging.getLogger("letgo_gateway.identity")


@dataclass(frozen=True, slots=True)
class Known:
    """What a token stands for, until it `expires` (seconds since 1970). `principal` None: nobody."""

    principal: Principal | None
    expires: float


NOBODY = Known(None, float("inf"))


class Authenticator:
    def __init__(self, database: Database, changes: Changes, keys: Keys, anonymous: bool) -> None:
        self._database = database
        self._keys = keys
        self._anonymous = Principal(permissions=ANONYMOUS) if anonymous else None
        self._known: Kept[str, Known] = Kept(changes, frozenset({"identity"}), MOST_KNOWN)
        self._uses: dict[str, datetime] = {}

    async def __call__(self, headers: Mapping[str, str], must_change: bool = False) -> Principal:
        """Who asks, by the headers of a request, their names in lower case.

        With `must_change`, also somebody who has to choose a password first.

        Raises `Unauthenticated`, `Forbidden`, and `DatabaseBusy` if it has to ask the database and can't.
        """
        header = headers.get("authorization")
        if header is None:
            if self._anonymous is None:
                raise Unauthenticated("credentials are needed: Authorization: Bearer <token>")
            return self._anonymous
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("the only scheme is Bearer")
        principal = await self.who(token.strip())
        if principal.must_change and not must_change:
            raise Forbidden("choose a password of your own first: POST /auth/email/change-password")
        return principal

    async def who(self, token: str) -> Principal:
        """Who has this token. Raises `Unauthenticated`, `DatabaseBusy`."""
        digest = digest_of(token)
        known = self._known.get(digest)
        if known is None:
            known = await self._look_up(token, digest)
        if known.principal is None or known.expires <= time():
            raise Unauthenticated("this token is not known, has expired or was revoked")
        if known.principal.token is not None:
            self._uses[known.principal.token] = now()
        return known.principal

    async def _look_up(self, token: str, digest: str) -> Known:
        if token.startswith(API_TOKEN):
            return await self._known.get_or_make(digest, lambda: self._database.read(read_api_token, digest))
        session = sessions.read(self._keys.sessions, token)
        if session is None:
            return NOBODY
        return await self._known.get_or_make(digest, lambda: self._database.read(read_session, session))

    @asynccontextmanager
    async def noting_uses(self) -> AsyncIterator[None]:
        """Write meanwhile, and at the end, when tokens were last used: many at a time."""
        task = asyncio.create_task(self._note_often())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.note_uses()

    async def _note_often(self) -> None:
        while True:
            await asyncio.sleep(USES_SECONDS)
            await self.note_uses()

    async def note_uses(self) -> None:
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._database.write(write_uses, uses)
        except DatabaseBusy as error:
            self._uses = uses | self._uses
            log.warning("when tokens were used is not written yet: %s", error)


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def read_api_token(db: AsyncSession, digest: str) -> tuple[dict[str, int], Known]:
    versions = await versions_now(db)
    rows = await db.execute(select(ApiToken.__table__).where(ApiToken.digest == digest, ApiToken.revoked_at.is_(None)))
    token = rows.mappings().one_or_none()
    if token is None:
        return versions, NOBODY
    principal = await read_principal(db, token["user_id"], None)
    if principal is None:
        return versions, NOBODY
    expires = token["expires_at"].timestamp() if token["expires_at"] is not None else float("inf")
    return versions, Known(limited(principal, token["id"], token["scopes"], token["server_id"]), expires)


async def read_session(db: AsyncSession, session: sessions.Session) -> tuple[dict[str, int], Known]:
    versions = await versions_now(db)
    return versions, Known(await read_principal(db, session.user, session.epoch), session.expires)


async def read_principal(db: AsyncSession, user_id: str, epoch: int | None) -> Principal | None:
    """None if the user is not there, switched off, or in another epoch (None: any)."""
    columns = select(User.id, User.email, User.admin, User.must_change, User.epoch)
    user = (await db.execute(columns.where(User.id == user_id, User.active))).one_or_none()
    if user is None or (epoch is not None and user.epoch != epoch):
        return None
    if user.must_change:
        return Principal(user.id, user.email, must_change=True)
    roles = {row.name: frozenset(row.permissions) for row in await db.execute(select(Role.name, Role.permissions))}
    everywhere = select(Role.name, UserRole.team_id).join(UserRole, UserRole.role_id == Role.id)
    given = await db.execute(everywhere.where(UserRole.user_id == user_id))
    member = await db.execute(select(TeamMember.role, TeamMember.team_id).where(TeamMember.user_id == user_id))
    permissions = PERMISSIONS if user.admin else roles.get(EVERYBODY, frozenset())
    teams: dict[str, frozenset[str]] = {}
    for role, team in (*member, *given):
        if team is None:
            permissions |= roles[role]
        else:
            teams[team] = teams.get(team, frozenset()) | roles.get(role, frozenset())
    return Principal(user.id, user.email, permissions, MappingProxyType(teams), admin=user.admin)


def limited(principal: Principal, token: str, scopes: list[str] | None, server: str | None) -> Principal:
    """The principal with this API token: what the user may, and no more than the scopes."""
    permissions, teams = principal.permissions, principal.teams
    if scopes is not None:
        permissions = permissions.intersection(scopes)
        teams = MappingProxyType({team: allowed.intersection(scopes) for team, allowed in teams.items()})
    return Principal(
        principal.user,
        principal.email,
        permissions,
        teams,
        admin=principal.admin,
        token=token,
        server=server,
        must_change=principal.must_change,
    )


async def write_uses(db: AsyncSession, uses: Mapping[str, datetime]) -> None:
    used = update(ApiToken.__table__).where(ApiToken.__table__.c.id == bindparam("token"))  # type: ignore[arg-type]
    rows = [{"token": token, "at": at} for token, at in sorted(uses.items())]
    await db.execute(used.values(last_used_at=bindparam("at")), rows)
