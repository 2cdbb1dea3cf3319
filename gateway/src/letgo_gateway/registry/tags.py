"""Tags: of what is visible in all registries."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AfterValidator
from sqlalchemy import column, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import Asking, Limit, Shared
from letgo_gateway.database.queries import Row, plain
from letgo_gateway.database.types import contains, elements
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.visibility import reach
from letgo_gateway.registry.kinds import KINDS
from letgo_gateway.schemas import Output, storable

OneTag = Annotated[str, Path(max_length=64), AfterValidator(storable)]
router = APIRouter(prefix="/tags", tags=["tags"])


class TagCount(Output):
    tag: str
    entries: int


class Tagged(Output):
    registry: str
    id: str
    name: str


@router.get("")
async def list_tags(rooms: Shared, principal: Asking, limit: Limit = 100) -> list[TagCount]:
    """The most used first."""
    return [TagCount.model_validate(row) for row in await rooms.database.read(read_tags, principal, limit)]


@router.get("/{tag}")
async def list_tagged(tag: OneTag, rooms: Shared, principal: Asking, limit: Limit = 100) -> list[Tagged]:
    return [Tagged.model_validate(row) for row in await rooms.database.read(read_tagged, tag, principal, limit)]


async def read_tags(db: AsyncSession, principal: Principal, limit: int) -> list[Row]:
    each = []
    for kind in KINDS:
        tags = elements(kind.table.tags).table_valued(column("value"), joins_implicitly=True).alias("tag")
        visible = reach(kind.table, principal, kind.permission("read"))
        each.append(select(tags.c.value.label("tag")).select_from(kind.table, tags).where(visible))
    every = union_all(*each).subquery()
    entries = func.count().label("entries")
    counted = select(every.c.tag, entries).group_by(every.c.tag).order_by(entries.desc(), every.c.tag).limit(limit)
    return [plain(row) for row in (await db.execute(counted)).mappings()]


async def read_tagged(db: AsyncSession, tag: str, principal: Principal, limit: int) -> list[Row]:
    each = [
        select(literal(kind.topic).label("registry"), kind.table.id, kind.table.name).where(
            reach(kind.table, principal, kind.permission("read")), contains(kind.table.tags, tag)
        )
        for kind in KINDS
    ]
    every = union_all(*each).subquery()
    found = select(every).order_by(every.c.registry, every.c.name, every.c.id).limit(limit)
    return [plain(row) for row in (await db.execute(found)).mappings()]
