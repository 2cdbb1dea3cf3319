"""What an upstream says of itself becomes entries of the registries."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import delete, false, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.database.changes import Changes, Topic, count_up
from letgo_gateway.database.queries import Row, plain
from letgo_gateway.database.types import new_id, now
from letgo_gateway.database.work import Database
from letgo_gateway.errors import NotFound
from letgo_gateway.registry.catalogue import Upstream
from letgo_gateway.registry.tables import Gateway, Prompt, Resource, ServerItem, Tool

Definitions = Sequence[Mapping[str, Any]]


class Told(Protocol):
    """All that an upstream has told, in the protocol's own objects."""

    @property
    def protocol(self) -> str: ...
    @property
    def capabilities(self) -> Mapping[str, Any]: ...
    @property
    def server_info(self) -> Mapping[str, Any]: ...
    @property
    def instructions(self) -> str | None: ...
    @property
    def tools(self) -> Definitions: ...
    @property
    def resources(self) -> Definitions: ...
    @property
    def templates(self) -> Definitions: ...
    @property
    def prompts(self) -> Definitions: ...


class Ledger:
    """Where is written down what has become known of upstreams."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    async def found(self, upstream: Upstream, told: Told) -> None:
        """Keep what it has; entries that it has no more are deleted, new ones are as visible as it is.

        Raises `NotFound`, `DatabaseBusy`.
        """
        self._changes.learn(await self._database.write(write_discovery, upstream.id, told))

    async def failed(self, upstream: Upstream, problem: str) -> None:
        """Note that it can't be reached, and why. What it offers stays as it was. Raises `DatabaseBusy`."""
        self._changes.learn(await self._database.write(write_problem, upstream.id, problem[:2000]))


async def write_problem(db: AsyncSession, gateway_id: str, problem: str) -> dict[str, int]:
    """The new versions, if this was not known before."""
    known = (Gateway.reachable.is_(False)) & (Gateway.problem == problem)
    changed = update(Gateway).where(Gateway.id == gateway_id, ~func.coalesce(known, false()))
    news = await db.execute(changed.values(reachable=False, problem=problem).returning(Gateway.id))
    return {} if news.one_or_none() is None else await count_up(db, ["gateways"])


async def write_discovery(db: AsyncSession, gateway_id: str, found: Told) -> dict[str, int]:
    """The new versions of what has changed."""
    rows = await db.execute(select(Gateway.__table__).where(Gateway.id == gateway_id).with_for_update())
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFound("gateway")
    gateway = plain(row)
    resources = {one["uri"]: dict(one) for one in found.resources}
    templates = {one["uriTemplate"]: dict(one) for one in found.templates}
    tools = {one["name"]: dict(one) for one in found.tools}
    prompts = {one["name"]: dict(one) for one in found.prompts}
    at = now()
    topics: set[Topic] = set()
    if await _merge(db, Tool, Tool.name, gateway, {name: _tool(one) for name, one in tools.items()}, at):
        topics.add("tools")
    both = {uri: _resource(uri, one, False) for uri, one in resources.items()}
    both |= {uri: _resource(uri, one, True) for uri, one in templates.items()}
    if await _merge(db, Resource, Resource.uri, gateway, both, at):
        topics.add("resources")
    if await _merge(db, Prompt, Prompt.name, gateway, {name: _entry(one) for name, one in prompts.items()}, at):
        topics.add("prompts")
    said = {
        "protocol": found.protocol,
        "capabilities": dict(found.capabilities),
        "server_info": dict(found.server_info),
        "instructions": found.instructions,
        "reachable": True,
        "problem": None,
    }
    if any(gateway[name] != value for name, value in said.items()):
        topics.add("gateways")
    await db.execute(update(Gateway).where(Gateway.id == gateway_id).values(**said, seen_at=at))
    return await count_up(db, topics | {"servers"}) if topics else {}


def _entry(definition: Row) -> Row:
    return {
        "name": str(definition["name"])[:255],
        "description": definition.get("description"),
        "definition": definition,
    }


def _tool(definition: Row) -> Row:
    return _entry(definition) | {"kind": "mcp"}


def _resource(uri: str, definition: Row, template: bool) -> Row:
    return _entry(definition) | {"uri": uri, "template": template}


async def _merge(db: AsyncSession, table: Any, key: Any, gateway: Row, found: Mapping[str, Row], at: datetime) -> bool:
    """Make the upstream's rows of a table those that were `found`, by their keys. Returns whether any differed."""
    known = {row[key.key]: row for row in (await db.execute(_theirs(table, gateway["id"]))).mappings()}
    gone = [row["id"] for name, row in known.items() if name not in found]
    if gone:
        await db.execute(delete(table).where(table.id.in_(gone)))
        await db.execute(delete(ServerItem).where(ServerItem.item_id.in_(gone)))
    new = [values for name, values in found.items() if name not in known]
    inherited = {name: gateway[name] for name in ("owner_id", "team_id", "visibility")}
    if rows := [values | inherited | {"id": new_id(), "gateway_id": gateway["id"]} for values in new]:
        await db.execute(insert(table), rows)
    differing = [
        (known[name], values)
        for name, values in found.items()
        if name in known and any(_differ(known[name][column], value) for column, value in values.items())
    ]
    for row, values in differing:
        changed = update(table).where(table.id == row["id"])
        await db.execute(changed.values(**values, version=row["version"] + 1, updated_at=at))
    return bool(gone or new or differing)


def _differ(one: object, other: object) -> bool:
    """Whether two values differ: in the order of their keys too, which is passed on as well."""
    return one != other or json.dumps(one) != json.dumps(other)


def _theirs(table: Any, gateway_id: str) -> Any:
    return select(table.__table__).where(table.gateway_id == gateway_id)
