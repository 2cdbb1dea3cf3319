"""Wrong passwords are counted for each address, known or not; what happens to accounts is written down."""

import sqlalchemy as sa
from alembic import op

from letgo_gateway.database.types import Moment

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "login_failures",
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("locked_until", Moment(), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_login_failures")),
    )
    op.create_index(op.f("ix_login_failures_at"), "login_failures", ["at"])
    op.create_table(
        "auth_event",
        sa.Column("at", Moment(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("correlation_id", sa.String(length=128), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_auth_event_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_event")),
    )
    op.create_index(op.f("ix_auth_event_at"), "auth_event", ["at", "id"])
    op.create_index(op.f("ix_auth_event_user_id"), "auth_event", ["user_id", "at"])
    op.create_index(op.f("ix_auth_event_email"), "auth_event", ["email", "at"])
    op.drop_column("user", "failed_logins")
    op.drop_column("user", "locked_until")


def downgrade() -> None:
    op.add_column("user", sa.Column("locked_until", Moment(), nullable=True))
    op.add_column("user", sa.Column("failed_logins", sa.Integer(), nullable=False, server_default="0"))
    op.drop_table("auth_event")
    op.drop_table("login_failures")
