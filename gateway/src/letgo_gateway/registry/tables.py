"""What the gateway offers, and where it comes from."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from letgo_gateway.database.base import Base, Id, Registered, registered
from letgo_gateway.database.types import JsonAsWritten


def _gateway() -> Mapped[str | None]:
    return mapped_column(Id, ForeignKey("gateway.id", ondelete="CASCADE"))


class Gateway(Registered, Base):
    """An upstream: an MCP server behind this gateway.

    `secrets` is an encrypted object of strings: headers for streamable HTTP, environment for stdio. `capabilities`,
    `server_info`, `instructions` and `protocol` are what it said of itself when it was last asked.
    """

    __tablename__ = "gateway"

    transport: Mapped[str] = mapped_column(String(32), default="streamable_http")
    url: Mapped[str | None] = mapped_column(String(2000))
    command: Mapped[list[str] | None]
    secrets: Mapped[str | None] = mapped_column(Text)
    timeout: Mapped[float] = mapped_column(default=60.0)
    protocol: Mapped[str | None] = mapped_column(String(16))
    capabilities: Mapped[dict[str, Any] | None]
    server_info: Mapped[dict[str, Any] | None]
    instructions: Mapped[str | None] = mapped_column(Text)
    reachable: Mapped[bool | None]
    problem: Mapped[str | None] = mapped_column(Text)
    seen_at: Mapped[datetime | None]

    __table_args__ = (*registered(), CheckConstraint("transport in ('streamable_http', 'stdio')", name="transport"))


class A2aAgent(Registered, Base):
    """An agent that speaks A2A. `secrets` is an encrypted object of headers; `card` is what it says of itself."""

    __tablename__ = "a2a_agent"

    url: Mapped[str] = mapped_column(String(2000))
    card: Mapped[dict[str, Any] | None]
    secrets: Mapped[str | None] = mapped_column(Text)
    timeout: Mapped[float] = mapped_column(default=60.0)

    __table_args__ = registered()


class Tool(Registered, Base):
    """`name` is the tool's own name, unique at its upstream alone; `definition` is the protocol's `Tool`, untouched.

    A `rest` tool has `url` (a template such as `https://api.example/books/{id}`), `method` and encrypted headers in
    `secrets`; an `a2a` tool has its agent; an `mcp` tool its gateway.
    """

    __tablename__ = "tool"

    kind: Mapped[str] = mapped_column(String(8))
    definition: Mapped[dict[str, Any]] = mapped_column(JsonAsWritten)
    gateway_id: Mapped[str | None] = _gateway()
    agent_id: Mapped[str | None] = mapped_column(Id, ForeignKey("a2a_agent.id", ondelete="CASCADE"), index=True)
    url: Mapped[str | None] = mapped_column(String(2000))
    method: Mapped[str | None] = mapped_column(String(8))
    secrets: Mapped[str | None] = mapped_column(Text)
    timeout: Mapped[float | None]

    __table_args__ = (
        *registered(),
        UniqueConstraint("gateway_id", "name"),
        CheckConstraint("kind in ('mcp', 'rest', 'a2a')", name="kind"),
        CheckConstraint("(kind = 'mcp') = (gateway_id is not null)", name="mcp"),
        CheckConstraint("(kind = 'rest') = (url is not null and method is not null)", name="rest"),
        CheckConstraint("(kind = 'a2a') = (agent_id is not null)", name="a2a"),
    )


class Resource(Registered, Base):
    """A resource, or (`template`) a template of resources: then `uri` is an RFC 6570 template.

    `definition` is the protocol's `Resource` or `ResourceTemplate`, untouched. One of the gateway's own has `text` or
    `blob` (base64); others are read from their upstream.
    """

    __tablename__ = "resource"

    uri: Mapped[str] = mapped_column(String(2000))
    template: Mapped[bool] = mapped_column(default=False)
    definition: Mapped[dict[str, Any]] = mapped_column(JsonAsWritten)
    gateway_id: Mapped[str | None] = _gateway()
    text: Mapped[str | None] = mapped_column(Text)
    blob: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (*registered(), UniqueConstraint("gateway_id", "uri"))


class Prompt(Registered, Base):
    """`definition` is the protocol's `Prompt`, untouched. One of the gateway's own has `messages`, in which `{name}`
    stands for an argument; others are asked of their upstream.
    """

    __tablename__ = "prompt"

    definition: Mapped[dict[str, Any]] = mapped_column(JsonAsWritten)
    gateway_id: Mapped[str | None] = _gateway()
    messages: Mapped[list[Any] | None] = mapped_column(JsonAsWritten)

    __table_args__ = (*registered(), UniqueConstraint("gateway_id", "name"))


class Server(Registered, Base):
    """A virtual server: a choice of entries, at an address of its own."""

    __tablename__ = "server"

    instructions: Mapped[str | None] = mapped_column(Text)

    __table_args__ = registered()


class ServerItem(Base):
    """One entry of a virtual server, or (kind `gateway`) everything that an upstream has. `item_id` has no foreign key:
    it points into four tables; an entry that is gone is left out where servers are read.
    """

    __tablename__ = "server_item"

    server_id: Mapped[str] = mapped_column(Id, ForeignKey("server.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    item_id: Mapped[str] = mapped_column(Id, primary_key=True, index=True)

    __table_args__ = (CheckConstraint("kind in ('tool', 'resource', 'prompt', 'gateway')", name="kind"),)


class Root(Registered, Base):
    """A root that the gateway names to upstreams which ask for roots."""

    __tablename__ = "root"

    uri: Mapped[str] = mapped_column(String(2000))

    __table_args__ = registered()
