"""The tables of identity and the registries."""

import sqlalchemy as sa
from alembic import op

from letgo_gateway.database.types import Json, Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_change")),
    )
    op.create_table(
        "installation",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "role",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("permissions", Json, nullable=False),
        sa.Column("builtin", sa.Boolean(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
        sa.UniqueConstraint("name", name=op.f("uq_role_name")),
    )
    op.create_table(
        "team",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("name", name=op.f("uq_team_name")),
    )
    op.create_table(
        "user",
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until", Moment(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("last_login_at", Moment(), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email", name=op.f("uq_user_email")),
    )
    op.create_table(
        "a2a_agent",
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("card", Json, nullable=True),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("timeout", sa.Double(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("team_id", sa.String(length=32), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("visibility <> 'team' or team_id is not null", name=op.f("ck_a2a_agent_team")),
        sa.CheckConstraint("visibility in ('private', 'team', 'public')", name=op.f("ck_a2a_agent_visibility")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_a2a_agent_owner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_a2a_agent_team_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_a2a_agent")),
    )
    op.create_index(op.f("ix_a2a_agent_name"), "a2a_agent", ["name", "id"], unique=False)
    op.create_index(op.f("ix_a2a_agent_owner_id"), "a2a_agent", ["owner_id"], unique=False)
    op.create_index(op.f("ix_a2a_agent_team_id"), "a2a_agent", ["team_id"], unique=False)
    op.create_table(
        "gateway",
        sa.Column("transport", sa.String(length=32), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("command", Json, nullable=True),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("timeout", sa.Double(), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=True),
        sa.Column("capabilities", Json, nullable=True),
        sa.Column("server_info", Json, nullable=True),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column("reachable", sa.Boolean(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("seen_at", Moment(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("team_id", sa.String(length=32), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("transport in ('streamable_http', 'stdio')", name=op.f("ck_gateway_transport")),
        sa.CheckConstraint("visibility <> 'team' or team_id is not null", name=op.f("ck_gateway_team")),
        sa.CheckConstraint("visibility in ('private', 'team', 'public')", name=op.f("ck_gateway_visibility")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_gateway_owner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_gateway_team_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway")),
    )
    op.create_index(op.f("ix_gateway_name"), "gateway", ["name", "id"], unique=False)
    op.create_index(op.f("ix_gateway_owner_id"), "gateway", ["owner_id"], unique=False)
    op.create_index(op.f("ix_gateway_team_id"), "gateway", ["team_id"], unique=False)
    op.create_table(
        "join_request",
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("message", sa.String(length=1000), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_join_request_team_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_join_request_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_join_request")),
        sa.UniqueConstraint("team_id", "user_id", name=op.f("uq_join_request_team_id")),
    )
    op.create_index(op.f("ix_join_request_user_id"), "join_request", ["user_id"], unique=False)
    op.create_table(
        "root",
        sa.Column("uri", sa.String(length=2000), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("team_id", sa.String(length=32), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("visibility <> 'team' or team_id is not null", name=op.f("ck_root_team")),
        sa.CheckConstraint("visibility in ('private', 'team', 'public')", name=op.f("ck_root_visibility")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_root_owner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_root_team_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_root")),
    )
    op.create_index(op.f("ix_root_name"), "root", ["name", "id"], unique=False)
    op.create_index(op.f("ix_root_owner_id"), "root", ["owner_id"], unique=False)
    op.create_index(op.f("ix_root_team_id"), "root", ["team_id"], unique=False)
    op.create_table(
        "server",
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("team_id", sa.String(length=32), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("visibility <> 'team' or team_id is not null", name=op.f("ck_server_team")),
        sa.CheckConstraint("visibility in ('private', 'team', 'public')", name=op.f("ck_server_visibility")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_server_owner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_server_team_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server")),
    )
    op.create_index(op.f("ix_server_name"), "server", ["name", "id"], unique=False)
    op.create_index(op.f("ix_server_owner_id"), "server", ["owner_id"], unique=False)
    op.create_index(op.f("ix_server_team_id"), "server", ["team_id"], unique=False)
    op.create_table(
        "team_invite",
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("invited_by", sa.String(length=32), nullable=True),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["user.id"], name=op.f("fk_team_invite_invited_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_invite_team_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_invite")),
        sa.UniqueConstraint("digest", name=op.f("uq_team_invite_digest")),
        sa.UniqueConstraint("team_id", "email", name=op.f("uq_team_invite_team_id")),
    )
    op.create_index(op.f("ix_team_invite_team_id"), "team_invite", ["team_id"], unique=False)
    op.create_table(
        "team_member",
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("joined_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_member_team_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_team_member_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("team_id", "user_id", name=op.f("pk_team_member")),
    )
    op.create_index(op.f("ix_team_member_user_id"), "team_member", ["user_id"], unique=False)
    op.create_table(
        "user_role",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("role_id", sa.String(length=32), nullable=False),
        sa.Column("team_id", sa.String(length=32), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_user_role_role_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_user_role_team_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_role_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_role")),
    )
    op.create_index(op.f("ix_user_role_role_id"), "user_role", ["role_id"], unique=False)
    op.create_index(op.f("ix_user_role_team_id"), "user_role", ["team_id"], unique=False)
    op.create_index(op.f("ix_user_role_user_id"), "user_role", ["user_id", "role_id", "team_id"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", Json, nullable=True),
        sa.Column("server_id", sa.String(length=32), nullable=True),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("last_used_at", Moment(), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name=op.f("fk_api_token_server_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_api_token_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_token_digest")),
    )
    op.create_index(op.f("ix_api_token_server_id"), "api_token", ["server_id"], unique=False)
    op.create_index(op.f("ix_api_token_user_id"), "api_token", ["user_id"], unique=False)
    op.create_index(
        "uq_api_token_user_id",
        "api_token",
        ["user_id", "name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
        sqlite_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "prompt",
        sa.Column("definition", Json, nullable=False),
        sa.Column("gateway_id", sa.String(length=32), nullable=True),
        sa.Column("messages", Json, nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("team_id", sa.String(length=32), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("visibility <> 'team' or team_id is not null", name=op.f("ck_prompt_team")),
        sa.CheckConstraint("visibility in ('private', 'team', 'public')", name=op.f("ck_prompt_visibility")),
        sa.ForeignKeyConstraint(["gateway_id"], ["gateway.id"], name=op.f("fk_prompt_gateway_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_prompt_owner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_prompt_team_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt")),
        sa.UniqueConstraint("gateway_id", "name", name=op.f("uq_prompt_gateway_id")),
    )
    op.create_index(op.f("ix_prompt_name"), "prompt", ["name", "id"], unique=False)
    op.create_index(op.f("ix_prompt_owner_id"), "prompt", ["owner_id"], unique=False)
    op.create_index(op.f("ix_prompt_team_id"), "prompt", ["team_id"], unique=False)
    op.create_table(
        "resource",
        sa.Column("uri", sa.String(length=2000), nullable=False),
        sa.Column("template", sa.Boolean(), nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("gateway_id", sa.String(length=32), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("team_id", sa.String(length=32), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("visibility <> 'team' or team_id is not null", name=op.f("ck_resource_team")),
        sa.CheckConstraint("visibility in ('private', 'team', 'public')", name=op.f("ck_resource_visibility")),
        sa.ForeignKeyConstraint(
            ["gateway_id"], ["gateway.id"], name=op.f("fk_resource_gateway_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_resource_owner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_resource_team_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
        sa.UniqueConstraint("gateway_id", "uri", name=op.f("uq_resource_gateway_id")),
    )
    op.create_index(op.f("ix_resource_name"), "resource", ["name", "id"], unique=False)
    op.create_index(op.f("ix_resource_owner_id"), "resource", ["owner_id"], unique=False)
    op.create_index(op.f("ix_resource_team_id"), "resource", ["team_id"], unique=False)
    op.create_table(
        "server_item",
        sa.Column("server_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("item_id", sa.String(length=32), nullable=False),
        sa.CheckConstraint("kind in ('tool', 'resource', 'prompt', 'gateway')", name=op.f("ck_server_item_kind")),
        sa.ForeignKeyConstraint(
            ["server_id"], ["server.id"], name=op.f("fk_server_item_server_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "kind", "item_id", name=op.f("pk_server_item")),
    )
    op.create_index(op.f("ix_server_item_item_id"), "server_item", ["item_id"], unique=False)
    op.create_table(
        "tool",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("gateway_id", sa.String(length=32), nullable=True),
        sa.Column("agent_id", sa.String(length=32), nullable=True),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("method", sa.String(length=8), nullable=True),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("timeout", sa.Double(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("team_id", sa.String(length=32), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("(kind = 'a2a') = (agent_id is not null)", name=op.f("ck_tool_a2a")),
        sa.CheckConstraint("(kind = 'mcp') = (gateway_id is not null)", name=op.f("ck_tool_mcp")),
        sa.CheckConstraint("(kind = 'rest') = (url is not null and method is not null)", name=op.f("ck_tool_rest")),
        sa.CheckConstraint("kind in ('mcp', 'rest', 'a2a')", name=op.f("ck_tool_kind")),
        sa.CheckConstraint("visibility <> 'team' or team_id is not null", name=op.f("ck_tool_team")),
        sa.CheckConstraint("visibility in ('private', 'team', 'public')", name=op.f("ck_tool_visibility")),
        sa.ForeignKeyConstraint(["agent_id"], ["a2a_agent.id"], name=op.f("fk_tool_agent_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["gateway_id"], ["gateway.id"], name=op.f("fk_tool_gateway_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_tool_owner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_tool_team_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tool")),
        sa.UniqueConstraint("gateway_id", "name", name=op.f("uq_tool_gateway_id")),
    )
    op.create_index(op.f("ix_tool_agent_id"), "tool", ["agent_id"], unique=False)
    op.create_index(op.f("ix_tool_name"), "tool", ["name", "id"], unique=False)
    op.create_index(op.f("ix_tool_owner_id"), "tool", ["owner_id"], unique=False)
    op.create_index(op.f("ix_tool_team_id"), "tool", ["team_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_tool_team_id"), table_name="tool")
    op.drop_index(op.f("ix_tool_owner_id"), table_name="tool")
    op.drop_index(op.f("ix_tool_name"), table_name="tool")
    op.drop_index(op.f("ix_tool_agent_id"), table_name="tool")
    op.drop_table("tool")
    op.drop_index(op.f("ix_server_item_item_id"), table_name="server_item")
    op.drop_table("server_item")
    op.drop_index(op.f("ix_resource_team_id"), table_name="resource")
    op.drop_index(op.f("ix_resource_owner_id"), table_name="resource")
    op.drop_index(op.f("ix_resource_name"), table_name="resource")
    op.drop_table("resource")
    op.drop_index(op.f("ix_prompt_team_id"), table_name="prompt")
    op.drop_index(op.f("ix_prompt_owner_id"), table_name="prompt")
    op.drop_index(op.f("ix_prompt_name"), table_name="prompt")
    op.drop_table("prompt")
    op.drop_index(
        "uq_api_token_user_id",
        table_name="api_token",
        postgresql_where=sa.text("revoked_at IS NULL"),
        sqlite_where=sa.text("revoked_at IS NULL"),
    )
    op.drop_index(op.f("ix_api_token_user_id"), table_name="api_token")
    op.drop_index(op.f("ix_api_token_server_id"), table_name="api_token")
    op.drop_table("api_token")
    op.drop_index(op.f("ix_user_role_user_id"), table_name="user_role")
    op.drop_index(op.f("ix_user_role_team_id"), table_name="user_role")
    op.drop_index(op.f("ix_user_role_role_id"), table_name="user_role")
    op.drop_table("user_role")
    op.drop_index(op.f("ix_team_member_user_id"), table_name="team_member")
    op.drop_table("team_member")
    op.drop_index(op.f("ix_team_invite_team_id"), table_name="team_invite")
    op.drop_table("team_invite")
    op.drop_index(op.f("ix_server_team_id"), table_name="server")
    op.drop_index(op.f("ix_server_owner_id"), table_name="server")
    op.drop_index(op.f("ix_server_name"), table_name="server")
    op.drop_table("server")
    op.drop_index(op.f("ix_root_team_id"), table_name="root")
    op.drop_index(op.f("ix_root_owner_id"), table_name="root")
    op.drop_index(op.f("ix_root_name"), table_name="root")
    op.drop_table("root")
    op.drop_index(op.f("ix_join_request_user_id"), table_name="join_request")
    op.drop_table("join_request")
    op.drop_index(op.f("ix_gateway_team_id"), table_name="gateway")
    op.drop_index(op.f("ix_gateway_owner_id"), table_name="gateway")
    op.drop_index(op.f("ix_gateway_name"), table_name="gateway")
    op.drop_table("gateway")
    op.drop_index(op.f("ix_a2a_agent_team_id"), table_name="a2a_agent")
    op.drop_index(op.f("ix_a2a_agent_owner_id"), table_name="a2a_agent")
    op.drop_index(op.f("ix_a2a_agent_name"), table_name="a2a_agent")
    op.drop_table("a2a_agent")
    op.drop_table("user")
    op.drop_table("team")
    op.drop_table("role")
    op.drop_table("installation")
    op.drop_table("change")
