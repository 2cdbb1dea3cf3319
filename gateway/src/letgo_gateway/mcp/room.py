"""The protocol's room in a gateway that runs: its routes, and what goes on beside requests."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.routing import BaseRoute, Route

from letgo_gateway.database.work import DatabaseBusy
from letgo_gateway.mcp.endpoint import Hosts, Mcp, Rpc
from letgo_gateway.mcp.relay import PostgresRelay, Relay
from letgo_gateway.mcp.service import make_service
from letgo_gateway.rooms import Rooms
from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.fleet import Fleet
from letgo_gateway.upstreams.http import Http
from letgo_gateway.upstreams.watching import Watch, watch

RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class Room:
    """One worker's."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        settings = rooms.settings
        postgres = settings.direct.get_backend_name() == "postgresql"
        self._relay = PostgresRelay(settings.direct) if postgres else Relay()
        fleet = Fleet(Http(Reach(settings.allowed_upstreams)), rooms.keys.unseal)
        self.service = make_service(rooms.catalogues, fleet, rooms.keys.sessions, self._relay)
        hosts = Hosts(settings.allowed_hosts)
        self._mcp = Mcp(self.service, hosts, rooms.authenticate)
        self._rpc = Rpc(self.service, hosts, rooms.authenticate)
        self._upstreams_changed = asyncio.Event()
        rooms.changes.subscribe(self._changed)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/mcp", self._mcp, include_in_schema=False),
            Route("/servers/{server_id}/mcp", self._mcp, include_in_schema=False),
            Route("/rpc", self._rpc, include_in_schema=False),
        ]

    def _changed(self, topics: frozenset[str], owner: str | None) -> None:
        self.service.listeners.registry_changed(topics)
        if "identity" in topics:
            self._mcp.lasting.identity_changed()
        if "gateways" in topics:
            self._upstreams_changed.set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Watch the upstreams meanwhile, and let go of all of them in the end."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.service.fleet.opened())
            await stack.enter_async_context(self._relay.opened())
            await stack.enter_async_context(self._mcp.lasting.watched())
            listeners = self.service.listeners
            watching = await stack.enter_async_context(
                watch(self.service.fleet, (), listeners.changed, self._rooms.ledger)
            )
            follow = asyncio.create_task(self._follow(watching))
            try:
                yield
            finally:
                follow.cancel()
                await asyncio.gather(follow, return_exceptions=True)
                await self.service.sessions.close()
                self.service.streams.close()
                self.service.waiting.close()

    async def _follow(self, watching: Watch) -> None:
        """Watch the upstreams that are registered, as they come and go."""
        while True:
            self._upstreams_changed.clear()
            try:
                watching.only(await self._rooms.catalogues.upstreams())
            except DatabaseBusy as error:
                log.warning("which upstreams there are is not known: %s", error)
                self._upstreams_changed.set()
                await asyncio.sleep(RETRY_SECONDS * random.uniform(0.5, 1.0))
            except Exception:
                log.exception("upstreams can't be watched")
                self._upstreams_changed.set()
                await asyncio.sleep(RETRY_SECONDS)
            await self._upstreams_changed.wait()
