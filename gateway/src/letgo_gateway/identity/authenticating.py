"""From a request to who asks: nearly always a lookup in memory.

What a token stands for is kept until the database says that something about identity has changed, on whatever worker:
a token revoked, a user switched off, a team left.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import time
from types import MappingProxyType
from typing import Any

from sqlalchemy import RowMapping, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.caching import Kept, Versions
from letgo_gateway.database.changes import Changes, versions_now
from letgo_gateway.database.together import Together
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


@dataclass(frozen=True, slots=True)
class Shown:
    """A token that is not known here yet; `session` is what it says, if it is one of ours."""

    digest: str
    session: sessions.Session | None


NOBODY = Known(None, float("inf"))


class Authenticator:
    def __init__(self, database: Database, changes: Changes, keys: Keys, anonymous: bool) -> None:
        self._database = database
        self._keys = keys
        self._anonymous = Principal(permissions=ANONYMOUS) if anonymous else None
        self._known: Kept[str, Known] = Kept(changes, frozenset({"identity"}), MOST_KNOWN)
        self._together: Together[Shown, tuple[Versions, Known]] = Together(
            lambda shown: database.read(read_known, shown)
        )
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
        session = None
        if not token.startswith(API_TOKEN):
            session = sessions.read(self._keys.sessions, token)
            if session is None:
                return NOBODY
        return await self._known.get_or_make(digest, lambda: self._together(Shown(digest, session)))

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


async def read_known(db: AsyncSession, shown: Sequence[Shown]) -> dict[Shown, tuple[Versions, Known]]:
    """What each of these tokens stands for, and the versions that it is true for."""
    versions = await versions_now(db)
    digests = [one.digest for one in shown if one.session is None]
    tokens: Mapping[str, RowMapping] = {}
    if digests:
        rows = select(ApiToken.__table__).where(ApiToken.digest.in_(digests), ApiToken.revoked_at.is_(None))
        tokens = {row["digest"]: row for row in (await db.execute(rows)).mappings()}
    users = {row["user_id"] for row in tokens.values()} | {one.session.user for one in shown if one.session is not None}
    people = await read_people(db, sorted(users)) if users else {}

    def known(one: Shown) -> Known:
        if one.session is not None:
            person = people.get(one.session.user)
            ours = person is not None and person.epoch == one.session.epoch
            return Known(person.principal if person is not None and ours else None, one.session.expires)
        token = tokens.get(one.digest)
        if token is None or (person := people.get(token["user_id"])) is None:
            return NOBODY
        expires = token["expires_at"].timestamp() if token["expires_at"] is not None else float("inf")
        return Known(limited(person.principal, token["id"], token["scopes"], token["server_id"]), expires)

    return {one: (versions, known(one)) for one in shown}


@dataclass(frozen=True, slots=True)
class Person:
    epoch: int
    principal: Principal


async def read_people(db: AsyncSession, ids: Sequence[str]) -> dict[str, Person]:
    """Those of these users who are there and not switched off."""
    columns = select(User.id, User.email, User.admin, User.must_change, User.epoch)
    users = (await db.execute(columns.where(User.id.in_(ids), User.active))).all()
    roles = {row.name: frozenset(row.permissions) for row in await db.execute(select(Role.name, Role.permissions))}
    granted = select(UserRole.user_id, Role.name, UserRole.team_id).join(Role, UserRole.role_id == Role.id)
    member = select(TeamMember.user_id, TeamMember.role, TeamMember.team_id).where(TeamMember.user_id.in_(ids))
    given: dict[str, list[tuple[str, str | None]]] = {}
    for user, role, team in (*await db.execute(member), *await db.execute(granted.where(UserRole.user_id.in_(ids)))):
        given.setdefault(user, []).append((role, team))

    def principal(user: Any) -> Principal:
        if user.must_change:
            return Principal(user.id, user.email, must_change=True)
        permissions = PERMISSIONS if user.admin else roles.get(EVERYBODY, frozenset())
        everywhere, teams = of_roles(roles, given.get(user.id, ()))
        return Principal(user.id, user.email, permissions | everywhere, MappingProxyType(teams), admin=user.admin)

    return {user.id: Person(user.epoch, principal(user)) for user in users}


def of_roles(
    roles: Mapping[str, frozenset[str]], given: Iterable[tuple[str, str | None]]
) -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """What roles that are `given` allow: everywhere, and by team."""
    everywhere: frozenset[str] = frozenset()
    teams: dict[str, frozenset[str]] = {}
    for role, team in given:
        allowed = roles.get(role, frozenset())
        if team is None:
            everywhere |= allowed
        else:
            teams[team] = teams.get(team, frozenset()) | allowed
    return everywhere, teams


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
