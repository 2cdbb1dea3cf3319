"""What requests of both eras have in common: running them, and listening for changes."""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from letgo_gateway.identity.principal import Principal
from letgo_gateway.mcp import own
from letgo_gateway.mcp.bridge import Client, Question, for_client, listen, run
from letgo_gateway.mcp.elsewhere import Brought, Elsewhere
from letgo_gateway.mcp.listeners import Listeners
from letgo_gateway.mcp.relay import Relay
from letgo_gateway.mcp.routing import OnEndpoint, OnUpstream, place
from letgo_gateway.mcp.sessions import Sessions
from letgo_gateway.mcp.streams import Streams
from letgo_gateway.mcp.unasked import Unasked
from letgo_gateway.mcp.view import View
from letgo_gateway.mcp.waiting import Waiting, WaitingRoom, answer_in, digest
from letgo_gateway.registry.catalogue import Catalogue, PublishedPrompt
from letgo_gateway.upstreams.calls import Call, Caller
from letgo_gateway.upstreams.errors import UpstreamError
from letgo_gateway.upstreams.fleet import Fleet
from letgo_gateway.upstreams.messages import INTERNAL_ERROR, Failure, Message, response

MOST_VIEWS = 256
UNSHARED = frozenset({"tasks"})
"""What a client can do with the gateway alone: capabilities whose methods it does not pass on."""
UNSHARED_EXTENSIONS = frozenset({"io.modelcontextprotocol/tasks"})

log = logging.getLogger(__name__)


class Published(Protocol):
    """Where catalogues come from."""

    async def published(self, server: str | None, principal: Principal) -> Catalogue:
        """Raises `NotFound` and `DatabaseBusy`."""


@dataclass(slots=True)
class Service:
    """One worker's."""

    catalogues: Published
    fleet: Fleet
    sessions: Sessions
    streams: Streams
    unasked: Unasked
    waiting: WaitingRoom
    elsewhere: Elsewhere
    listeners: Listeners
    views: "Views"

    async def view(self, server: str | None, principal: Principal) -> View:
        return self.views.of(await self.catalogues.published(server, principal), principal.user is None)

    async def run(self, view: View, message: Message, caller: Caller, log_level: str | None, client: Client) -> str:
        """The text of the result of a request that leads to an upstream or an endpoint. Raises `Failure`."""
        assert message.method is not None
        where = place(view, message, client.era)
        match where:
            case OnUpstream():
                upstream = self.fleet.of(where.upstream)
                call = Call(message.method, where.params, caller, log_level, where.headers, client.era)
                state = message.param("requestState")
                try:
                    legacy = await upstream.speaks() == "legacy"
                except UpstreamError as error:
                    raise Failure(INTERNAL_ERROR, f"upstream {upstream.endpoint.name}: {error}") from error
                if client.era == "modern" and legacy and isinstance(state, str) and state != "visited":
                    return await self._resume(state, message, caller.subject, client)
                outcome = await run(upstream, call, client)
                if isinstance(outcome, Question):
                    about = digest(message.method, message.params or {})
                    return self.waiting.wait(Waiting(outcome, upstream, caller.subject, about))
                return outcome
            case OnEndpoint():
                return await own.call(self.fleet, where, client.era)
            case PublishedPrompt():
                return own.prompt(where, message, client.era)
        return own.resource(where, message, client.era)

    async def _resume(self, state: str, message: Message, subject: str, client: Client) -> str:
        """Go on with a request that waits for input of the client, here or on another worker."""
        assert message.method is not None
        worker, key = self.waiting.whose(state)
        params = message.params or {}
        brought = Brought(key, subject, digest(message.method, params), message.method, answer_in(params))
        if worker != self.waiting.worker:
            return await self.elsewhere.resume(worker, brought, client)
        return await resume(self.waiting, brought, client)


async def resume(room: WaitingRoom, brought: Brought, client: Client) -> str:
    """Go on with a request that waits in this room. Raises `Failure`."""
    waiting = room.take(brought.key, brought.subject, brought.about)
    question = waiting.question
    if brought.answer is None:
        return room.wait(waiting)
    assert question.request.id is not None
    try:
        await question.exchange.reply(response(question.request.id, brought.answer.raw))
    except UpstreamError as error:
        question.exchange.cancel()
        raise Failure(INTERNAL_ERROR, f"upstream {waiting.upstream.endpoint.name}: {error}") from error
    outcome = await listen(waiting.upstream, question.exchange, question.call, client)
    if isinstance(outcome, Question):
        return room.wait(replace(waiting, question=outcome))
    return outcome if isinstance(outcome, str) else for_client(outcome, brought.method, client.era)


def make_service(catalogues: Published, fleet: Fleet, secret: bytes, relay: Relay) -> "Service":
    """One worker's service; `secret` is the same on all workers."""
    waiting, sessions = WaitingRoom(secret), Sessions(secret, relay)

    async def resume_here(brought: Brought, client: Client) -> str:
        return await resume(waiting, brought, client)

    return Service(
        catalogues=catalogues,
        fleet=fleet,
        sessions=sessions,
        streams=Streams(waiting.worker, relay),
        unasked=Unasked(fleet, sessions, relay),
        waiting=waiting,
        elsewhere=Elsewhere(relay, waiting.worker, resume_here),
        listeners=Listeners(),
        views=Views(),
    )


class Views:
    """The views of catalogues, made once for each."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, bool], tuple[Catalogue, View]] = OrderedDict()

    def of(self, catalogue: Catalogue, public: bool) -> View:
        key = id(catalogue), public
        found = self._made.get(key)
        if found is not None and found[0] is catalogue:
            return found[1]
        view = View(catalogue, public)
        self._made[key] = catalogue, view
        if len(self._made) > MOST_VIEWS:
            self._made.popitem(last=False)
        return view


def shared(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """The capabilities of a client as upstreams are told of them."""
    kept = {name: value for name, value in capabilities.items() if name not in UNSHARED}
    extensions = kept.get("extensions")
    if isinstance(extensions, Mapping):
        kept["extensions"] = {name: value for name, value in extensions.items() if name not in UNSHARED_EXTENSIONS}
    return kept
