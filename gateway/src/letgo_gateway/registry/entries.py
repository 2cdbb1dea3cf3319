"""Creating, reading, changing and deleting entries: the same queries for all registries."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import ColumnElement, RowMapping, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.database.changes import Topic, own
from letgo_gateway.database.queries import Row, plain, told_as_conflict
from letgo_gateway.database.types import new_id, now
from letgo_gateway.errors import Conflict, Forbidden, Invalid, NotFound
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.visibility import reach
from letgo_gateway.registry.kinds import AGENTS, GATEWAYS, PROMPTS, RESOURCES, SERVERS, TOOLS, Kind
from letgo_gateway.registry.schemas import NewEntry
from letgo_gateway.registry.tables import ServerItem

OF_UPSTREAM = frozenset({"visibility", "team_id", "enabled", "tags"})
"""What can be changed of an entry that an upstream has given; all else is the upstream's to say."""
WITH_ITS_UPSTREAM = ("visibility", "team_id")
UNIQUE = "there is such an entry already"
ITEM_KINDS = {"tool": TOOLS, "resource": RESOURCES, "prompt": PROMPTS, "gateway": GATEWAYS}

SEEN_ALONE = frozenset({TOOLS, RESOURCES, PROMPTS, SERVERS})
"""The registries whose private entries nobody but their owner sees or uses in any way."""


class Written(NamedTuple):
    """An entry as it is now, and what has changed with it: counted up in the same transaction."""

    entry: Row
    topics: frozenset[Topic]


def topics_of(kind: Kind, *seen: Mapping[str, Any]) -> frozenset[Topic]:
    """What changes with an entry that was, and is, as `seen`: an upstream takes what it offers along."""
    if kind is GATEWAYS:
        return frozenset({"gateways", "tools", "resources", "prompts", "servers"})
    alone = kind in SEEN_ALONE and all(one["visibility"] == "private" for one in seen)
    return frozenset(own(one["owner_id"]) if alone else kind.topic for one in seen)


def table_of(kind: Kind) -> Table:
    table: Table = kind.table.__table__  # type: ignore[attr-defined]
    return table


def columns_of(kind: Kind, given: Mapping[str, Any]) -> Row:
    """The columns of a row that is as `given`, a whole `kind.new`, but for its secrets."""
    columns = table_of(kind).columns
    values = {name: value for name, value in given.items() if name in columns and name != "secrets"}
    if kind.described:
        values["definition"] = kind.definition(given)
    return values


def given_of(kind: Kind, row: Mapping[str, Any]) -> Row:
    """What a row was made from, but for its secrets: the reverse of `columns_of`."""
    definition = row.get("definition") or {}
    given = {ours: definition.get(theirs) for ours, theirs in kind.described}
    given |= {name: row[name] for name in kind.new.model_fields if name in row and name != "secrets"}
    return {name: value for name, value in given.items() if value is not None}


async def one_entry(db: AsyncSession, kind: Kind, entry_id: str, principal: Principal) -> Row:
    """Raises `NotFound` for what they can't see."""
    visible = reach(kind.table, principal, kind.permission("read"))
    row = (await db.execute(select(table_of(kind)).where(kind.table.id == entry_id, visible))).mappings().one_or_none()
    if row is None:
        raise NotFound(kind.label)
    return (await completed(db, kind, [plain(row)]))[0]


async def completed(db: AsyncSession, kind: Kind, rows: list[Row]) -> list[Row]:
    """The rows as they are told: without secrets, and servers with their items."""
    for row in rows:
        row["has_secrets"] = row.get("secrets") is not None
    if kind is not SERVERS:
        return rows
    items: dict[str, list[Row]] = {row["id"]: [] for row in rows}
    ordered = select(ServerItem).order_by(ServerItem.kind, ServerItem.item_id)
    for item in await db.scalars(ordered.where(ServerItem.server_id.in_(list(items)))):
        items[item.server_id].append({"kind": item.kind, "id": item.item_id})
    return [row | {"items": items[row["id"]]} for row in rows]


async def write_entry(db: AsyncSession, kind: Kind, given: Row, sealed: str | None, principal: Principal) -> Written:
    """`sealed`: its secrets, sealed before the unit of work began, for that takes time.

    Raises `Forbidden`, `NotFound` for what it refers to, `Conflict`.
    """
    await _check_place(db, kind, given, principal)
    await _check_references(db, kind, given, principal)
    entry_id = new_id()
    values = columns_of(kind, given) | {"id": entry_id, "owner_id": principal.user}
    if sealed is not None:
        values["secrets"] = sealed
    table = table_of(kind)
    with told_as_conflict(UNIQUE):
        row = (await db.execute(insert(table).values(**values).returning(table))).mappings().one()
    if kind is SERVERS:
        await _write_items(db, entry_id, given["items"])
    return await _written(db, kind, row)


async def write_change(
    db: AsyncSession, kind: Kind, entry_id: str, version: int, changed: Row, sealed: str | None, principal: Principal
) -> Written:
    """`sealed` takes the place of its secrets if they are among what has `changed`.

    Raises `NotFound`, `Forbidden`, `Invalid`, and `Conflict` if it is not at `version` any more.
    """
    row = await one_entry(db, kind, entry_id, principal)
    if row["version"] != version:
        raise Conflict(f"somebody else has changed this {kind.label} meanwhile; read it again")
    if row.get("gateway_id") is not None and (theirs := changed.keys() - OF_UPSTREAM):
        raise Invalid(f"its upstream says what these are: {', '.join(sorted(theirs))}")
    if row.get("gateway_id") is not None:
        whole = {"name": row["name"]} | {name: row[name] for name in OF_UPSTREAM} | changed
        values = {name: value for name, value in _whole(NewEntry, whole).items() if name in OF_UPSTREAM}
    else:
        given = _whole(kind.new, given_of(kind, row) | changed)
        await _check_references(db, kind, given, principal)
        values = columns_of(kind, given)
        if "secrets" in changed:
            values["secrets"] = sealed
    if changed.get("team_id", row["team_id"]) != row["team_id"]:
        await _check_place(db, kind, row | changed, principal)
    changed_row = await _update(db, kind, entry_id, version, values, principal)
    if kind is SERVERS and "items" in changed:
        await _write_items(db, entry_id, changed["items"])
    if kind is GATEWAYS:
        await _follow_upstream(db, entry_id, {name: values[name] for name in WITH_ITS_UPSTREAM})
    return await _written(db, kind, changed_row, row)


async def write_toggle(db: AsyncSession, kind: Kind, entry_id: str, enabled: bool, principal: Principal) -> Written:
    """Switch on or off, whatever the version."""
    row = await one_entry(db, kind, entry_id, principal)
    return await _written(db, kind, await _update(db, kind, entry_id, row["version"], {"enabled": enabled}, principal))


async def remove_entry(db: AsyncSession, kind: Kind, entry_id: str, principal: Principal) -> Written:
    """The entry as it was."""
    entry = await one_entry(db, kind, entry_id, principal)
    reached = reach(kind.table, principal, kind.permission("delete"))
    gone = delete(kind.table).where(kind.table.id == entry_id, reached).returning(kind.table.id)
    if (await db.execute(gone)).one_or_none() is None:
        raise Forbidden(f"you may not delete this {kind.label}")
    chosen = delete(ServerItem).where(ServerItem.item_id == entry_id, ServerItem.kind == kind.label)
    left_servers = (await db.execute(chosen.returning(ServerItem.server_id))).first() is not None
    topics = topics_of(kind, entry)
    return Written(entry, topics | {"servers"} if left_servers else topics)


async def _update(
    db: AsyncSession, kind: Kind, entry_id: str, version: int, values: Row, principal: Principal
) -> RowMapping:
    """The row as it is now. Raises `Forbidden`, `Conflict`."""
    table = table_of(kind)
    reached = reach(kind.table, principal, kind.permission("update"))
    unchanged = update(table).where(table.c.id == entry_id, table.c.version == version, reached)
    stamped = values | {"version": version + 1, "updated_at": now()}
    with told_as_conflict(UNIQUE):
        changed = await db.execute(unchanged.values(**stamped).returning(table))
    row: RowMapping | None = changed.mappings().one_or_none()
    if row is not None:
        return row
    if await db.scalar(select(kind.table.id).where(kind.table.id == entry_id, reached)) is None:
        raise Forbidden(f"you may not change this {kind.label}")
    raise Conflict(f"somebody else has changed this {kind.label} meanwhile; read it again")


async def _written(db: AsyncSession, kind: Kind, row: RowMapping, *before: Row) -> Written:
    [entry] = await completed(db, kind, [plain(row)])
    return Written(entry, topics_of(kind, *before, entry))


async def _follow_upstream(db: AsyncSession, gateway_id: str, values: Row) -> None:
    """What an upstream offers is seen by who sees the upstream."""
    for kind in (TOOLS, RESOURCES, PROMPTS):
        table: Any = kind.table
        differs = (table.visibility != values["visibility"]) | table.team_id.is_distinct_from(values["team_id"])
        theirs = update(table).where(table.gateway_id == gateway_id, differs)
        await db.execute(theirs.values(**values, version=table.version + 1, updated_at=now()))


def _whole(new: type[NewEntry], given: Row) -> Row:
    """Check all of it together, after a change of a part. Raises `Invalid`."""
    try:
        return new.model_validate(given).model_dump()
    except ValidationError as error:
        told = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}".lstrip(": ") for one in error.errors())
        raise Invalid("; ".join(told)) from None


async def _check_place(db: AsyncSession, kind: Kind, given: Row, principal: Principal) -> None:
    """Whether the principal may put an entry into this team, or out of all of them."""
    principal.require(kind.permission("create"), given.get("team_id"))
    if kind is GATEWAYS and given["transport"] == "stdio":
        principal.require("gateways.stdio")


async def _check_references(db: AsyncSession, kind: Kind, given: Row, principal: Principal) -> None:
    """What an entry refers to must be visible to who makes it refer to it. Raises `NotFound`."""
    if kind is GATEWAYS and given["transport"] == "stdio":
        principal.require("gateways.stdio")
    if kind is TOOLS and given["agent_id"] is not None:
        await one_entry(db, AGENTS, given["agent_id"], principal)
    if kind is SERVERS:
        for name, referred in ITEM_KINDS.items():
            wanted = {item["id"] for item in given["items"] if item["kind"] == name}
            await _check_visible(db, referred, wanted, principal)


async def _check_visible(db: AsyncSession, kind: Kind, ids: set[str], principal: Principal) -> None:
    if not ids:
        return
    visible: ColumnElement[bool] = reach(kind.table, principal, kind.permission("read"))
    found = set(await db.scalars(select(kind.table.id).where(kind.table.id.in_(sorted(ids)), visible)))
    if ids - found:
        raise NotFound(f"{kind.label} {min(ids - found)}")


async def _write_items(db: AsyncSession, server_id: str, items: Sequence[Mapping[str, str]]) -> None:
    await db.execute(delete(ServerItem).where(ServerItem.server_id == server_id))
    different = {(item["kind"], item["id"]) for item in items}
    if rows := [{"server_id": server_id, "kind": kind, "item_id": item} for kind, item in sorted(different)]:
        await db.execute(insert(ServerItem), rows)
