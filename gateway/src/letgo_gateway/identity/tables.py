"""Users, teams, roles and tokens."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from letgo_gateway.database.base import Base, Id, Identified
from letgo_gateway.database.types import new_id, now

UNREVOKED = text("revoked_at IS NULL")


def _of(table: str, index: bool = False) -> Mapped[str]:
    return mapped_column(Id, ForeignKey(f"{table}.id", ondelete="CASCADE"), index=index)


def _of_user() -> Mapped[str | None]:
    """A user who may be gone."""
    return mapped_column(Id, ForeignKey("user.id", ondelete="SET NULL"))


class User(Identified, Base):
    """`epoch` counts what ends all sessions of a user at once: a new password, a logout. `email` is in lower case."""

    __tablename__ = "user"

    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    password_hash: Mapped[str] = mapped_column(String(255))
    admin: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    must_change: Mapped[bool] = mapped_column(default=False)
    epoch: Mapped[int] = mapped_column(default=0)
    last_login_at: Mapped[datetime | None]


class LoginFailures(Base):
    """How many wrong passwords were given for an address in a row, and until when it is locked for it. Addresses that
    nobody has are counted and locked like others, so that nobody learns by it which they are.
    """

    __tablename__ = "login_failures"

    email: Mapped[str] = mapped_column(String(320), primary_key=True)
    count: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    at: Mapped[datetime] = mapped_column(default=now, index=True)


class AuthEvent(Base):
    """`user_id` None: an address that nobody had, or whose user is gone. `address` is that of the client."""

    __tablename__ = "auth_event"

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(default=now)
    action: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str | None] = _of_user()
    email: Mapped[str | None] = mapped_column(String(320))
    address: Mapped[str | None] = mapped_column(String(64))
    correlation_id: Mapped[str | None] = mapped_column(String(128))

    __table_args__ = (Index(None, "at", "id"), Index(None, "user_id", "at"), Index(None, "email", "at"))


class Team(Identified, Base):
    """`listed`: whether everybody finds it, and may ask to join."""

    __tablename__ = "team"

    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str | None]
    listed: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)


class TeamMember(Base):
    """`role` is the name of a role: `owner`, `member`, `viewer` or one that an administrator has made."""

    __tablename__ = "team_member"

    team_id: Mapped[str] = mapped_column(Id, ForeignKey("team.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(64), default="member")
    joined_at: Mapped[datetime] = mapped_column(default=now)


class TeamInvite(Identified, Base):
    """An address that may join. Who was sent the code shows it; only its digest is kept."""

    __tablename__ = "team_invite"

    team_id: Mapped[str] = _of("team", index=True)
    email: Mapped[str] = mapped_column(String(320))
    role: Mapped[str] = mapped_column(String(64), default="member")
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    invited_by: Mapped[str | None] = _of_user()
    expires_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("team_id", "email"),)


class JoinRequest(Identified, Base):
    __tablename__ = "join_request"

    team_id: Mapped[str] = _of("team")
    user_id: Mapped[str] = _of("user", index=True)
    message: Mapped[str] = mapped_column(String(1000), default="")

    __table_args__ = (UniqueConstraint("team_id", "user_id"),)


class Role(Identified, Base):
    """A set of permissions such as `tools.create`; `builtin` ones can't be changed."""

    __tablename__ = "role"

    name: Mapped[str] = mapped_column(String(64), unique=True)
    description: Mapped[str | None]
    permissions: Mapped[list[str]]
    builtin: Mapped[bool] = mapped_column(default=False)


class UserRole(Identified, Base):
    """A role that a user has everywhere, or in one team."""

    __tablename__ = "user_role"

    user_id: Mapped[str] = _of("user")
    role_id: Mapped[str] = _of("role", index=True)
    team_id: Mapped[str | None] = mapped_column(Id, ForeignKey("team.id", ondelete="CASCADE"), index=True)

    __table_args__ = (Index(None, "user_id", "role_id", "team_id"),)


class ApiToken(Identified, Base):
    """`scopes` None: all that its user may. `server_id`: for that virtual server alone. Only the digest is kept."""

    __tablename__ = "api_token"

    user_id: Mapped[str] = _of("user", index=True)
    name: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str] | None]
    server_id: Mapped[str | None] = mapped_column(Id, ForeignKey("server.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (
        # The name of a token that was revoked is free for another one.
        Index(
            "uq_api_token_user_id", "user_id", "name", unique=True, postgresql_where=UNREVOKED, sqlite_where=UNREVOKED
        ),
    )
