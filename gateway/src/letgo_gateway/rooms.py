"""What all of the gateway's rooms share while it runs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from letgo_gateway.database.changes import Changes
from letgo_gateway.database.engine import make_engine
from letgo_gateway.database.work import Database
from letgo_gateway.identity.authenticating import Authenticator
from letgo_gateway.identity.events import forgetting
from letgo_gateway.identity.passwords import Passwords
from letgo_gateway.keys import Keys, keys
from letgo_gateway.registry.catalogue import Catalogues
from letgo_gateway.registry.discovery import Ledger
from letgo_gateway.registry.lists import Lists
from letgo_gateway.registry.sharing import Owners
from letgo_gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Rooms:
    """One worker's."""

    settings: Settings
    keys: Keys
    database: Database
    changes: Changes
    authenticate: Authenticator
    passwords: Passwords
    catalogues: Catalogues
    lists: Lists
    ledger: Ledger


def make_rooms(settings: Settings) -> Rooms:
    """Everything, not yet connected. Raises `WrongSetting`."""
    made = keys(settings)
    database = Database(make_engine(settings), settings.pool_waiting, settings.pool_timeout)
    changes = Changes(database, settings.direct, settings.changes_interval)
    owners = Owners(database, changes)
    return Rooms(
        settings=settings,
        keys=made,
        database=database,
        changes=changes,
        authenticate=Authenticator(database, changes, made, settings.anonymous),
        passwords=Passwords(settings.argon2_memory),
        catalogues=Catalogues(database, changes, owners),
        lists=Lists(database, changes, owners),
        ledger=Ledger(database, changes),
    )


@asynccontextmanager
async def opened(rooms: Rooms) -> AsyncIterator[None]:
    """Follow the changes of other workers and write what is written in batches, until the end."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(rooms.database.close)
        await stack.enter_async_context(rooms.changes.following())
        await stack.enter_async_context(rooms.authenticate.noting_uses())
        await stack.enter_async_context(forgetting(rooms.database))
        yield


def rooms_of(connection: HTTPConnection) -> Rooms:
    rooms: Rooms = connection.app.state.rooms
    return rooms
