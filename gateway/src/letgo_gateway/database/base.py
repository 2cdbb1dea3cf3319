"""What the tables have in common."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from letgo_gateway.database.types import Json, Moment, new_id, now

Id = String(32)
VISIBILITIES = ("private", "team", "public")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Moment(),
        dict[str, Any]: Json,
        list[str]: Json,
        list[Any]: Json,
    }


class Installation(Base):
    """What holds for all workers and hosts on this database: `key` is the fingerprint of the secret key."""

    __tablename__ = "installation"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(255))


class Identified:
    """A row with an id of its own, which no caller can choose."""

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Registered(Identified):
    """An entry of a registry: whose it is, who may see it, and how often it has been changed.

    `owner_id` is None once its owner is gone. An entry with visibility `team` has a team. `version` counts changes, so
    that nobody overwrites what they have not seen.
    """

    updated_at: Mapped[datetime] = mapped_column(default=now)
    visibility: Mapped[str] = mapped_column(String(16), default="private")
    enabled: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    tags: Mapped[list[str]] = mapped_column(default=list)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]

    @declared_attr
    def owner_id(cls) -> Mapped[str | None]:
        return mapped_column(Id, ForeignKey("user.id", ondelete="SET NULL"), index=True)

    @declared_attr
    def team_id(cls) -> Mapped[str | None]:
        return mapped_column(Id, ForeignKey("team.id", ondelete="RESTRICT"), index=True)


def registered() -> tuple[Any, ...]:
    """The constraints of a registry's table."""
    return (
        CheckConstraint(f"visibility in {VISIBILITIES}", name="visibility"),
        CheckConstraint("visibility <> 'team' or team_id is not null", name="team"),
        Index(None, "name", "id"),
    )
