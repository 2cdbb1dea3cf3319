"""What is published: the entries that somebody may use at `/mcp` or at a virtual server, with where each comes from.

A catalogue is immutable, made once for each version of the registries and each reach, and shared by all requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.database.base import Registered
from letgo_gateway.database.changes import Changes, Topic, versions_now
from letgo_gateway.database.work import Database
from letgo_gateway.errors import NotFound
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.visibility import reach
from letgo_gateway.registry.kinds import PROMPTS, RESOURCES, SERVERS, TOOLS
from letgo_gateway.registry.sharing import Owners, Reading, Shared
from letgo_gateway.registry.tables import A2aAgent, Gateway, Prompt, Resource, Server, ServerItem, Tool

Definition: TypeAlias = Mapping[str, Any]
TOPICS: frozenset[Topic] = frozenset({"gateways", "tools", "resources", "prompts", "servers", "a2a"})
MOST_CATALOGUES = 256
READING: Reading = (
    (TOOLS, "tools.call"),
    (RESOURCES, "resources.read"),
    (PROMPTS, "prompts.read"),
    (SERVERS, "servers.read"),
)
DEFAULT_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """An MCP server behind this gateway. `secrets` is sealed: `Keys.unseal` gives its headers, or its environment.

    `version` changes whenever how it is reached may have changed.
    """

    id: str
    name: str
    transport: Literal["streamable_http", "stdio"]
    url: str | None
    command: tuple[str, ...]
    secrets: str | None
    timeout: float
    version: int
    protocol: str | None
    capabilities: Definition
    instructions: str | None


Upstreams: TypeAlias = Mapping[str, Upstream]


@dataclass(frozen=True, slots=True)
class RestEndpoint:
    """An endpoint that is called as a tool. `url` is a template; `secrets` are its sealed headers."""

    url: str
    method: str
    secrets: str | None
    timeout: float


@dataclass(frozen=True, slots=True)
class Agent:
    """An A2A agent that is called as a tool. `secrets` are its sealed headers."""

    id: str
    name: str
    url: str
    card: Definition
    secrets: str | None
    timeout: float


@dataclass(frozen=True, slots=True)
class PublishedTool:
    """`name` is its own name at `source`; `definition` is the protocol's `Tool` as its source gave it."""

    id: str
    name: str
    definition: Definition
    source: Upstream | RestEndpoint | Agent


@dataclass(frozen=True, slots=True)
class PublishedResource:
    """A resource, or with `template` a template of them. `source` None: the gateway's own `text` or `blob` (base64)."""

    id: str
    uri: str
    template: bool
    definition: Definition
    source: Upstream | None
    text: str | None
    blob: str | None


@dataclass(frozen=True, slots=True)
class PublishedPrompt:
    """`source` None: one of the gateway's own, with `messages` in which `{name}` stands for an argument."""

    id: str
    name: str
    definition: Definition
    source: Upstream | None
    messages: tuple[Definition, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All in the order of names, then ids. `version` differs when anything in it does; `server` None is `/mcp`."""

    version: tuple[int, ...]
    server: str | None
    instructions: str | None
    tools: tuple[PublishedTool, ...]
    resources: tuple[PublishedResource, ...]
    prompts: tuple[PublishedPrompt, ...]
    upstreams: tuple[Upstream, ...]


class Catalogues:
    """The catalogues that have been asked for."""

    def __init__(self, database: Database, changes: Changes, owners: Owners) -> None:
        self._database = database
        self._shared: Shared[str | None, Catalogue] = Shared(
            owners, changes, READING, MOST_CATALOGUES, "gateways", "a2a"
        )

    async def published(self, server: str | None, principal: Principal) -> Catalogue:
        """What `principal` may use at this virtual server, or at `/mcp`: what is enabled, of what is within reach.

        Raises `NotFound` if there is no such server for them, or it is switched off; `DatabaseBusy`.
        """
        if principal.server is not None and principal.server != server:
            raise NotFound("server")
        return await self._shared.get_or_make(
            server, principal, lambda: self._database.read(read_catalogue, server, principal)
        )

    async def upstreams(self) -> tuple[Upstream, ...]:
        """All upstreams that are enabled, whoever may see them: for health checks and discovery."""
        return await self._database.read(read_upstreams)


async def read_upstreams(db: AsyncSession) -> tuple[Upstream, ...]:
    rows = await db.execute(select(Gateway.__table__).where(Gateway.enabled).order_by(Gateway.name, Gateway.id))
    return tuple(_upstream(row) for row in rows.mappings())


async def read_catalogue(
    db: AsyncSession, server: str | None, principal: Principal
) -> tuple[dict[str, int], Catalogue]:
    versions = await versions_now(db)
    instructions = None if server is None else await _instructions(db, server, principal)
    upstreams = {one.id: one for one in await read_upstreams(db)}
    rows = await db.execute(select(A2aAgent.__table__).where(A2aAgent.enabled))
    agents = {row["id"]: _agent(row) for row in rows.mappings()}

    async def items(table: type[Registered], kind: str, permission: str) -> Sequence[RowMapping]:
        rows = await db.execute(_published(table, kind, server, reach(table, principal, permission)))
        found: Sequence[RowMapping] = rows.mappings().all()
        return found

    tools = [_tool(row, upstreams, agents) for row in await items(Tool, "tool", "tools.call")]
    resources = [_resource(row, upstreams) for row in await items(Resource, "resource", "resources.read")]
    prompts = [_prompt(row, upstreams) for row in await items(Prompt, "prompt", "prompts.read")]
    used = {item.source.id for item in (*tools, *resources, *prompts) if item and isinstance(item.source, Upstream)}
    return versions, Catalogue(
        version=tuple(versions[topic] for topic in sorted(TOPICS)),
        server=server,
        instructions=instructions,
        tools=tuple(tool for tool in tools if tool is not None),
        resources=tuple(resource for resource in resources if resource is not None),
        prompts=tuple(prompt for prompt in prompts if prompt is not None),
        upstreams=tuple(one for one in upstreams.values() if one.id in used),
    )


async def _instructions(db: AsyncSession, server: str, principal: Principal) -> str | None:
    visible = reach(Server, principal, "servers.read")
    rows = await db.execute(select(Server.instructions).where(Server.id == server, Server.enabled, visible))
    if (row := rows.one_or_none()) is None:
        raise NotFound("server")
    instructions: str | None = row.instructions
    return instructions


def _published(table: Any, kind: str, server: str | None, visible: ColumnElement[bool]) -> Select[Any]:
    """The rows of a table that are enabled, visible, and (if it is for one) in a virtual server."""
    rows = select(table.__table__).where(table.enabled, visible).order_by(table.name, table.id)
    if server is None:
        return rows
    chosen = select(ServerItem.item_id).where(ServerItem.server_id == server)
    one = table.id.in_(chosen.where(ServerItem.kind == kind))
    return rows.where(one | table.gateway_id.in_(chosen.where(ServerItem.kind == "gateway")))


def _upstream(row: RowMapping) -> Upstream:
    return Upstream(
        id=row["id"],
        name=row["name"],
        transport=row["transport"],
        url=row["url"],
        command=tuple(row["command"] or ()),
        secrets=row["secrets"],
        timeout=row["timeout"],
        version=row["version"],
        protocol=row["protocol"],
        capabilities=row["capabilities"] or {},
        instructions=row["instructions"],
    )


def _agent(row: RowMapping) -> Agent:
    return Agent(row["id"], row["name"], row["url"], row["card"] or {}, row["secrets"], row["timeout"])


def _tool(row: RowMapping, upstreams: Upstreams, agents: Mapping[str, Agent]) -> PublishedTool | None:
    """None if what it comes from is switched off."""
    source: Upstream | RestEndpoint | Agent | None
    match row["kind"]:
        case "mcp":
            source = upstreams.get(row["gateway_id"])
        case "a2a":
            source = agents.get(row["agent_id"])
        case _:
            source = RestEndpoint(row["url"], row["method"], row["secrets"], row["timeout"] or DEFAULT_TIMEOUT)
    return None if source is None else PublishedTool(row["id"], row["name"], row["definition"], source)


def _resource(row: RowMapping, upstreams: Upstreams) -> PublishedResource | None:
    if row["gateway_id"] is not None and row["gateway_id"] not in upstreams:
        return None
    return PublishedResource(
        id=row["id"],
        uri=row["uri"],
        template=row["template"],
        definition=row["definition"],
        source=upstreams.get(row["gateway_id"]),
        text=row["text"],
        blob=row["blob"],
    )


def _prompt(row: RowMapping, upstreams: Upstreams) -> PublishedPrompt | None:
    if row["gateway_id"] is not None and row["gateway_id"] not in upstreams:
        return None
    source = upstreams.get(row["gateway_id"])
    return PublishedPrompt(row["id"], row["name"], row["definition"], source, tuple(row["messages"] or ()))
