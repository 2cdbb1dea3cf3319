"""Export and import of the registries as JSON.

A document names what its entries refer to (teams, agents, entries of servers) instead of their ids, so that it can be
read into another installation. Secrets are not in it, nor is what upstreams have: that is found there anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field, ValidationError
from sqlalchemy import null, select
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import LoggedIn, Shared
from letgo_gateway.database.changes import TOPICS, Registry
from letgo_gateway.database.queries import Row, plain
from letgo_gateway.database.types import now
from letgo_gateway.errors import Conflict, Invalid, NotFound, Refused
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.teams import read_known_teams
from letgo_gateway.identity.visibility import reach
from letgo_gateway.registry.entries import ITEM_KINDS, completed, given_of, write_change, write_entry
from letgo_gateway.registry.kinds import AGENTS, GATEWAYS, KINDS, SERVERS, TOOLS, Kind
from letgo_gateway.schemas import Input, Output

Reference = tuple[str | None, ...]
"""The name of the upstream that an entry comes from, None for the gateway's own; then the columns of its key."""
Action = Literal["created", "updated", "skipped", "failed"]
Known = dict[Reference, str]
router = APIRouter(tags=["transfer"])


class Document(Input):
    """`entries`: by registry, each as it was given when it was made, with names for what it refers to."""

    format: Literal["letgo-gateway/1"] = "letgo-gateway/1"
    exported_at: datetime | None = None
    entries: dict[Registry, Annotated[list[dict[str, Any]], Field(max_length=10_000)]]


class Import(Input):
    """`conflicts`: what becomes of an entry that is there already. With `dry_run`, nothing is kept."""

    document: Document
    conflicts: Literal["skip", "update", "fail"] = "fail"
    dry_run: bool = False


class Outcome(Output):
    """`note` says why it failed, or what is left to do."""

    registry: str
    name: str
    action: Action
    note: str | None = None


class Report(Output):
    """All of it is kept or, if an entry has failed or it was a dry run, nothing."""

    kept: bool
    outcomes: list[Outcome]


class NotKept(Exception):
    """Ends a unit of work so that nothing is kept of it."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


@router.get("/export")
async def export_registries(rooms: Shared, principal: LoggedIn) -> Document:
    """All that one may read."""
    found = await rooms.database.read(read_document, principal)
    entries = {kind.topic: [_exported(kind, row, found) for row in found.rows[kind.topic]] for kind in KINDS}
    return Document(exported_at=now(), entries=entries)


@router.post("/import")
async def import_registries(asked: Import, rooms: Shared, principal: LoggedIn) -> Report:
    """What one may create or change."""
    try:
        outcomes = await rooms.changes.write(TOPICS, write_document, asked, principal)
    except NotKept as rolled_back:
        return Report(kept=False, outcomes=rolled_back.outcomes)
    return Report(kept=True, outcomes=outcomes)


@dataclass(frozen=True, slots=True)
class Found:
    """What an export is made of, by registry: the rows, and the references by id; and the names of teams by id."""

    rows: dict[Registry, list[Row]]
    references: dict[Registry, dict[str, Reference]]
    teams: dict[str, str]


async def read_document(db: AsyncSession, principal: Principal) -> Found:
    found = Found({}, {}, {team["id"]: team["name"] for team in await read_known_teams(db, principal)})
    for kind in KINDS:
        rows = [plain(row) for row in (await db.execute(_own(kind, principal))).mappings()]
        found.rows[kind.topic] = await completed(db, kind, rows)
        names = await _names(db, kind, principal)
        found.references[kind.topic] = {entry: reference for reference, entry in names.items()}
    return found


def _exported(kind: Kind, row: Row, found: Found) -> Row:
    given = given_of(kind, row)
    if row["has_secrets"]:
        given["has_secrets"] = True
    if (team := given.pop("team_id", None)) is not None:
        given["team"] = found.teams.get(team)  # None: it is not for who exports to know
    if (agent := given.pop("agent_id", None)) is not None:
        given["agent"] = found.references["a2a"].get(agent, (None, None))[-1]
    if kind is SERVERS:
        items = [
            (item["kind"], found.references[ITEM_KINDS[item["kind"]].topic].get(item["id"])) for item in row["items"]
        ]
        given["items"] = [{"kind": name, "entry": list(entry)} for name, entry in items if entry is not None]
    return given


def _own(kind: Kind, principal: Principal) -> Any:
    """The entries that are the gateway's own, and not an upstream's."""
    table: Any = kind.table
    rows = select(table.__table__).where(reach(table, principal, kind.permission("read")))
    return (rows.where(table.gateway_id.is_(None)) if kind.has_upstream else rows).order_by(table.name, table.id)


async def _names(db: AsyncSession, kind: Kind, principal: Principal, action: str = "read") -> Known:
    """The ids of what one may read (or update), by what people call it; of two with one name, that made first."""
    table: Any = kind.table
    columns = [getattr(table, column) for column in kind.key]
    visible = reach(table, principal, kind.permission(action))
    upstream: Any = GATEWAYS.table
    if kind.has_upstream:
        rows = select(table.id, upstream.name, *columns).outerjoin(upstream, upstream.id == table.gateway_id)
    else:
        rows = select(table.id, null(), *columns)
    found: Known = {}
    for entry_id, *reference in await db.execute(rows.where(visible).order_by(table.created_at, table.id)):
        found.setdefault(tuple(reference), entry_id)
    return found


@dataclass(frozen=True, slots=True)
class Importing:
    """What an import has to know: the ids of teams and visible entries by name, and of `ours`, which may be changed."""

    db: AsyncSession
    principal: Principal
    conflicts: str
    teams: Mapping[str, str]
    visible: Mapping[Kind, Known]
    ours: Known


async def write_document(db: AsyncSession, asked: Import, principal: Principal) -> list[Outcome]:
    """Raises `NotKept`."""
    outcomes: list[Outcome] = []
    teams = {team["name"]: team["id"] for team in await read_known_teams(db, principal)}
    for kind in KINDS:
        if not (entries := asked.document.entries.get(kind.topic)):
            continue
        visible = {one: await _names(db, one, principal) for one in KINDS}
        ours = await _names(db, kind, principal, "update")
        importing = Importing(db, principal, asked.conflicts, teams, visible, ours)
        outcomes += [await _outcome(importing, kind, entry) for entry in entries]
    if asked.dry_run or any(outcome.action == "failed" for outcome in outcomes):
        raise NotKept(outcomes)
    return outcomes


async def _outcome(importing: Importing, kind: Kind, entry: Row) -> Outcome:
    told = {"registry": kind.topic, "name": str(entry.get("name"))}
    try:
        async with importing.db.begin_nested():
            action = await _import(importing, kind, entry)
    except Refused as refused:
        return Outcome(**told, action="failed", note=refused.message)
    lacking = entry.get("has_secrets") and action == "created"
    return Outcome(**told, action=action, note="its secrets were not exported; set them" if lacking else None)


async def _import(importing: Importing, kind: Kind, entry: Row) -> Action:
    db, principal = importing.db, importing.principal
    given = _imported(kind, entry, importing)
    try:
        whole = kind.new.model_validate(given).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": ")) from None
    reference = (None, *(whole[column] for column in kind.key))
    there = importing.ours.get(reference)
    if there is None:
        importing.ours[reference] = (await write_entry(db, kind, whole, None, principal)).entry["id"]
        return "created"
    match importing.conflicts:
        case "skip":
            return "skipped"
        case "update":
            version = await db.scalar(select(kind.table.version).where(kind.table.id == there))
            changed = {name: value for name, value in whole.items() if name != "secrets"}
            await write_change(db, kind, there, version or 0, changed, None, principal)
            return "updated"
    raise Conflict(f"there is a {kind.label} with this {kind.key[0]} already")


def _imported(kind: Kind, entry: Row, importing: Importing) -> Row:
    """The entry with ids for names. Raises `NotFound`, `Invalid`."""
    given = {name: value for name, value in entry.items() if name not in ("has_secrets", "team", "agent")}
    if (team := entry.get("team")) is not None:
        if team not in importing.teams:
            raise NotFound(f"team {team!r}")
        given["team_id"] = importing.teams[team]
    if kind is TOOLS and (agent := entry.get("agent")) is not None:
        given["agent_id"] = _id_of(AGENTS, (None, agent), importing.visible)
    if kind is SERVERS:
        given["items"] = [_item(item, importing.visible) for item in entry.get("items", [])]
    return given


def _item(item: Any, known: Mapping[Kind, Known]) -> Row:
    try:
        kind, reference = ITEM_KINDS[item["kind"]], tuple(item["entry"])
    except (KeyError, TypeError):
        raise Invalid('items: each is {"kind": ..., "entry": [upstream or null, name or uri]}') from None
    return {"kind": kind.label, "id": _id_of(kind, reference, known)}


def _id_of(kind: Kind, reference: Reference, known: Mapping[Kind, Known]) -> str:
    try:
        return known[kind][reference]
    except (KeyError, TypeError):
        raise NotFound(f"{kind.label} {reference[-1] if reference else reference!r}") from None
