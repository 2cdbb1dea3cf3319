"""Tags: of what is visible in all registries."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator
from sqlalchemy import literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.api import Asking, Limit, Shared
from letgo_gateway.database.queries import Row, plain
from letgo_gateway.database.types import contains
from letgo_gateway.identity.principal import Principal
from letgo_gateway.identity.visibility import reach
from letgo_gateway.registry.kinds import KINDS
from letgo_gateway.registry.schemas import TagCount
from letgo_gateway.schemas import Output, storable

OneTag = Annotated[str, Path(max_length=64), AfterValidator(storable)]
router = APIRouter(prefix="/tags", tags=["tags"])


class Tagged(Output):
    registry: str
    id: str
    name: str


@router.get("", response_model=list[TagCount])
async def list_tags(rooms: Shared, principal: Asking, limit: Limit = 100) -> Response:
    """The most used first."""
    return Response(await rooms.lists.tags(principal, limit), media_type="application/json")


@router.get("/{tag}")
async def list_tagged(tag: OneTag, rooms: Shared, principal: Asking, limit: Limit = 100) -> list[Tagged]:
    return [Tagged.model_validate(row) for row in await rooms.database.read(read_tagged, tag, principal, limit)]


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
