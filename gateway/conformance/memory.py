"""The gateway's MCP without its database: a catalogue in memory, open to everybody."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from starlette.applications import Starlette
from starlette.routing import Route

from letgo_gateway.errors import NotFound
from letgo_gateway.identity.principal import Principal
from letgo_gateway.mcp.endpoint import Hosts, Mcp, Rpc
from letgo_gateway.mcp.relay import Relay
from letgo_gateway.mcp.service import Service, make_service
from letgo_gateway.registry.catalogue import (
    Agent,
    Catalogue,
    PublishedPrompt,
    PublishedResource,
    PublishedTool,
    RestEndpoint,
    Upstream,
)
from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.calls import Era
from letgo_gateway.upstreams.discovery import Offer, discover
from letgo_gateway.upstreams.fleet import Fleet
from letgo_gateway.upstreams.http import Http
from letgo_gateway.upstreams.watching import watch

SECRET = b"no secret"
EVERYBODY = Principal()


@dataclass(slots=True)
class Memory:
    """Catalogues by virtual server; None is `/mcp`."""

    catalogues: dict[str | None, Catalogue] = field(default_factory=dict)

    async def published(self, server: str | None, principal: Principal) -> Catalogue:
        if server not in self.catalogues:
            raise NotFound("server")
        return self.catalogues[server]


def registered(name: str, *, url: str = "", command: tuple[str, ...] = (), timeout: float = 30.0) -> Upstream:
    """An upstream of which nothing is known yet."""
    return Upstream(
        id=name,
        name=name,
        transport="stdio" if command else "streamable_http",
        url=url or None,
        command=command,
        secrets=None,
        timeout=timeout,
        version=1,
        protocol=None,
        capabilities={},
        instructions=None,
    )


def catalogue(*offers: tuple[Upstream, Offer], tools: tuple[PublishedTool, ...] = ()) -> Catalogue:
    """What is published of these upstreams: all."""
    return Catalogue(
        version=(1,),
        server=None,
        instructions=None,
        tools=(
            *tools,
            *(PublishedTool(f"{of.id}-{one['name']}", one["name"], one, of) for of, has in offers for one in has.tools),
        ),
        resources=tuple(
            PublishedResource(uri, uri, template, one, of, None, None)
            for of, has in offers
            for template, entries in ((False, has.resources), (True, has.templates))
            for one in entries
            for uri in [one["uriTemplate" if template else "uri"]]
        ),
        prompts=tuple(
            PublishedPrompt(one["name"], one["name"], one, of, ()) for of, has in offers for one in has.prompts
        ),
        upstreams=tuple(of for of, _ in offers),
    )


def rest_tool(name: str, url: str, method: str = "GET", schema: Mapping[str, object] | None = None) -> PublishedTool:
    definition = {"name": name, "inputSchema": {"type": "object", **(schema or {})}}
    return PublishedTool(name, name, definition, RestEndpoint(url, method, None, 10.0))


def agent_tool(name: str, url: str) -> PublishedTool:
    definition = {"name": name, "inputSchema": {"type": "object"}}
    return PublishedTool(name, name, definition, Agent(name, name, url, {}, None, 10.0))


def service_of(memory: Memory, relay: Relay) -> Service:
    fleet = Fleet(Http(Reach(("127.0.0.1", "localhost"))), lambda sealed: {})
    return make_service(memory, fleet, SECRET, relay)


def make_app(service: Service, hosts: tuple[str, ...] = ("127.0.0.1", "localhost")) -> Starlette:
    """The gateway's endpoints alone."""

    async def everybody(headers: Mapping[str, str]) -> Principal:
        return EVERYBODY

    mcp, rpc = Mcp(service, Hosts(hosts), everybody), Rpc(service, Hosts(hosts), everybody)
    return Starlette(routes=[Route("/mcp", mcp), Route("/servers/{server_id}/mcp", mcp), Route("/rpc", rpc)])


@asynccontextmanager
async def gateway(
    *upstreams: Upstream, tools: tuple[PublishedTool, ...] = (), only: Era | None = None, relay: Relay | None = None
) -> AsyncIterator[tuple[Starlette, Service]]:
    """An application in front of these upstreams, with all that they have; it speaks `only` one era with them."""
    memory, relay = Memory(), relay or Relay()
    service = service_of(memory, relay)
    service.fleet.only = only
    async with relay.opened(), service.fleet.opened():
        offers = []
        for one in upstreams:
            upstream = service.fleet.of(one)
            offer = await discover(upstream)
            known = replace(one, protocol=offer.protocol, capabilities=offer.capabilities)
            offers.append((known, offer))
        memory.catalogues[None] = catalogue(*offers, tools=tools)
        async with watch(service.fleet, [of for of, _ in offers], service.listeners.changed):
            yield make_app(service), service
        await service.sessions.close()
        service.streams.close()
        service.waiting.close()
