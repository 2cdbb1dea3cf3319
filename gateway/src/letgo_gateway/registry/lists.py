"""Lists and entries: bytes, made once for each version of a registry, each question, and all who see the same."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import column, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.caching import Versions
from letgo_gateway.database.changes import Changes, versions_now
from letgo_gateway.database.queries import Row, plain, read_page
from letgo_gateway.database.types import contains, elements
from letgo_gateway.database.work import Database
from letgo_gateway.errors import Invalid
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.visibility import reach
from letgo_gateway.registry.entries import completed, one_entry
from letgo_gateway.registry.kinds import KINDS, Kind
from letgo_gateway.registry.schemas import Tag, TagCount, Visibility
from letgo_gateway.registry.sharing import Owners, Shared
from letgo_gateway.schemas import Input, Page, Reference

MOST_BYTES = 32 * 1024 * 1024
"""Of each registry's lists, in each worker."""
TAGS = TypeAdapter(list[TagCount])


class Filter(Input):
    """What a list is asked for. `q` is a part of the name, in any case."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    cursor: Annotated[str | None, Field(max_length=2000)] = None
    q: Annotated[str | None, Field(max_length=255)] = None
    tag: Tag | None = None
    enabled: bool | None = None
    visibility: Visibility | None = None
    team_id: Reference | None = None
    gateway_id: Reference | None = None


class Lists:
    def __init__(self, database: Database, changes: Changes, owners: Owners) -> None:
        self._database = database
        self._shared: dict[str, Shared[str, bytes]] = {
            kind.topic: Shared(owners, changes, ((kind, kind.permission("read")),), MOST_BYTES, size=len)
            for kind in KINDS
        }
        everything = tuple((kind, kind.permission("read")) for kind in KINDS)
        self._tags: Shared[int, bytes] = Shared(owners, changes, everything, MOST_BYTES, size=len)

    async def tags(self, principal: Principal, limit: int) -> bytes:
        """The JSON of how often each tag is used, in what they see. Raises `DatabaseBusy`."""

        async def make() -> tuple[Versions, bytes]:
            versions, rows = await self._database.read(read_tags, principal, limit)
            return versions, TAGS.dump_json(TAGS.validate_python(rows))

        return await self._tags.get_or_make(limit, principal, make)

    async def one(self, kind: Kind, principal: Principal, entry_id: str) -> bytes:
        """The JSON of an entry. Raises `NotFound`, `DatabaseBusy`."""

        async def make() -> tuple[Versions, bytes]:
            versions, row = await self._database.read(read_entry, kind, principal, entry_id)
            return versions, kind.view.model_validate(row).model_dump_json().encode()

        return await self._shared[kind.topic].get_or_make(f"/{entry_id}", principal, make)

    async def get(self, kind: Kind, principal: Principal, query: str) -> bytes:
        """The JSON of a `Page`, for the query of a URL. Raises `Forbidden`, `Invalid`, `DatabaseBusy`."""
        principal.require(kind.permission("read"))

        async def make() -> tuple[Versions, bytes]:
            asked = filter_of(query, kind)
            versions, rows, after = await self._database.read(read_list, kind, principal, asked)
            page = Page[kind.view].model_validate({"items": rows, "next_cursor": after})  # type: ignore[name-defined]
            return versions, page.model_dump_json().encode()

        return await self._shared[kind.topic].get_or_make(query, principal, make)


def filter_of(query: str, kind: Kind) -> Filter:
    """Raises `Invalid`."""
    try:
        asked = Filter.model_validate(dict(parse_qsl(query, keep_blank_values=True)))
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if asked.gateway_id is not None and not kind.has_upstream:
        raise Invalid(f"gateway_id: {kind.topic} have no gateway")
    return asked


async def read_entry(db: AsyncSession, kind: Kind, principal: Principal, entry_id: str) -> tuple[dict[str, int], Row]:
    return await versions_now(db), await one_entry(db, kind, entry_id, principal)


async def read_list(
    db: AsyncSession, kind: Kind, principal: Principal, asked: Filter
) -> tuple[dict[str, int], list[Row], str | None]:
    versions = await versions_now(db)
    table: Any = kind.table
    rows = select(table.__table__).where(reach(table, principal, kind.permission("read")))
    for name in ("enabled", "visibility", "team_id", "gateway_id"):
        if (value := getattr(asked, name)) is not None:
            rows = rows.where(getattr(table, name) == value)
    if asked.tag is not None:
        rows = rows.where(contains(table.tags, asked.tag))
    if asked.q is not None:
        rows = rows.where(table.name.icontains(asked.q, autoescape=True))
    found, after = await read_page(db, rows, (table.name, table.id), asked.limit, asked.cursor)
    return versions, await completed(db, kind, found), after


async def read_tags(db: AsyncSession, principal: Principal, limit: int) -> tuple[Versions, list[Row]]:
    versions = await versions_now(db)
    each = []
    for kind in KINDS:
        tags = elements(kind.table.tags).table_valued(column("value"), joins_implicitly=True).alias("tag")
        visible = reach(kind.table, principal, kind.permission("read"))
        each.append(select(tags.c.value.label("tag")).select_from(kind.table, tags).where(visible))
    every = union_all(*each).subquery()
    entries = func.count().label("entries")
    counted = select(every.c.tag, entries).group_by(every.c.tag).order_by(entries.desc(), every.c.tag).limit(limit)
    return versions, [plain(row) for row in (await db.execute(counted)).mappings()]
