"""`python -m load.seed`: fill the database that `DATABASE_URL` names with users, their tokens, and registries.

Run before the load, so that no password is hashed and nothing is discovered while it is measured.
"""

import asyncio
import os

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.database.engine import make_engine
from letgo_gateway.database.queries import Row
from letgo_gateway.database.types import new_id
from letgo_gateway.database.work import Database
from letgo_gateway.identity.authenticating import digest_of
from letgo_gateway.identity.tables import ApiToken, User
from letgo_gateway.preparing import prepare
from letgo_gateway.registry.discovery import write_discovery
from letgo_gateway.registry.entries import columns_of
from letgo_gateway.registry.kinds import GATEWAYS, PROMPTS, RESOURCES, SERVERS, TOOLS, Kind
from letgo_gateway.registry.tables import ServerItem
from letgo_gateway.settings import from_environment
from load import world
from load.upstream import OFFER, SCHEMA

NO_PASSWORD = "!"
"""What no password is hashed to: these users have tokens alone."""


async def seed() -> None:
    settings = from_environment(os.environ)
    await prepare(settings)
    database = Database(make_engine(settings), settings.pool_waiting, settings.pool_timeout)
    try:
        await database.write(write_users)
        await database.write(write_registries)
        await database.write(write_discovery, world.UPSTREAM, OFFER)
    finally:
        await database.close()


async def write_users(db: AsyncSession) -> None:
    """Each with a token. Only the administrator may do more than everybody."""
    people = [(world.user_id(number), f"user{number}", world.token(number)) for number in range(world.USERS)]
    people.append((world.ADMINISTRATOR, "administrator", world.ADMINISTRATORS_TOKEN))
    users = [
        {
            "id": id,
            "email": f"{name}@load.example",
            "name": name,
            "password_hash": NO_PASSWORD,
            "admin": id == world.ADMINISTRATOR,
        }
        for id, name, _ in people
    ]
    await db.execute(insert(User), users)
    tokens = [{"user_id": id, "name": "load", "digest": digest_of(token)} for id, _, token in people]
    await db.execute(insert(ApiToken), tokens)


async def write_registries(db: AsyncSession) -> None:
    """All of it public: an upstream, whose tools are not discovered yet, and what the gateway has of its own."""
    await write_entries(db, GATEWAYS, [{"id": world.UPSTREAM, "name": "load", "url": f"{world.ADDRESS}/mcp"}])
    echo = {"url": f"{world.ADDRESS}/echo", "method": "POST", "input_schema": SCHEMA}
    tools = [{"id": world.tool_id(at), "name": world.rest_tool(at), **echo} for at in range(world.REST_TOOLS)]
    await write_entries(db, TOOLS, tools)
    resources = [
        {"id": new_id(), "name": f"resource {at}", "uri": world.resource_uri(at), "text": f"The text of {at}. " * 20}
        for at in range(world.RESOURCES)
    ]
    await write_entries(db, RESOURCES, resources)
    said = {"role": "user", "content": {"type": "text", "text": "Say something about {subject}."}}
    prompts = [
        {"id": new_id(), "name": world.prompt(at), "arguments": [{"name": "subject"}], "messages": [said]}
        for at in range(world.PROMPTS)
    ]
    await write_entries(db, PROMPTS, prompts)
    servers = [{"id": world.server_id(at), "name": f"server {at}"} for at in range(world.SERVERS)]
    await write_entries(db, SERVERS, servers)
    items = [("gateway", world.UPSTREAM), *(("tool", tool["id"]) for tool in tools[:10])]
    rows = [{"server_id": server["id"], "kind": kind, "item_id": item} for server in servers for kind, item in items]
    await db.execute(insert(ServerItem), rows)


async def write_entries(db: AsyncSession, kind: Kind, entries: list[Row]) -> None:
    rows = []
    for entry in entries:
        given = kind.new.model_validate({name: value for name, value in entry.items() if name != "id"})
        described = {"id": entry["id"], "owner_id": world.ADMINISTRATOR, "visibility": "public"}
        rows.append(columns_of(kind, given.model_dump()) | described)
    await db.execute(insert(kind.table), rows)


if __name__ == "__main__":
    asyncio.run(seed())
