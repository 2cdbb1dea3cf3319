"""A call of an upstream: what a client asked for, on whose behalf, and how it is said in either era.

Revisions up to 2025-11-25 ("legacy", as the specification calls them) open a session with `initialize`; 2026-07-28
("modern") says version and capabilities in the `_meta` of each request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from letgo_gateway.upstreams.messages import Member, Members, Message, dumps, members_of, written

Era = Literal["legacy", "modern"]

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
"""What is offered to upstreams that want `initialize`, and understood of their answers."""

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
SERVER_KEY = "io.modelcontextprotocol/serverInfo"
LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
RETRY = ("inputResponses", "requestState")
"""What a modern client adds to a request when it sends it again with the input that was asked for."""

NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The requests whose `Mcp-Name` header says which parameter's value."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf an upstream is called. `session` is the client's, if it has one."""

    subject: str = ""
    session: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an upstream. `params` are the client's; `headers` those that mirror arguments of a tool."""

    method: str
    params: Members = field(default_factory=dict)
    caller: Caller = field(default_factory=Caller)
    log_level: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    era: Era | None = None
    """The client's: an upstream that speaks both is spoken to in this one."""

    @property
    def wants_progress(self) -> bool:
        meta = self.params.get("_meta")
        return meta is not None and isinstance(meta.value, dict) and "progressToken" in meta.value

    @property
    def name(self) -> str | None:
        """What the request is about, where `Mcp-Name` says it."""
        found = self.params.get(NAMED.get(self.method, ""))
        return found.value if found is not None and isinstance(found.value, str) else None


class Exchange(Protocol):
    """A request that is under way."""

    async def next(self) -> Message:
        """What the upstream says next: notifications, requests, and last its response. Raises `UpstreamError`."""

    async def reply(self, message: bytes) -> None:
        """Answer a request of the upstream. Raises `UpstreamError`."""

    def cancel(self) -> None:
        """Tell the upstream that nobody waits for its response any more. Does nothing after the response."""


def _meta(call: Call, token: int, modern: Mapping[str, object]) -> str | None:
    """The `_meta` of a request to an upstream: the client's own keys, our progress token, and those of the era."""
    given = call.params.get("_meta")
    members = members_of(given.raw) if given is not None and isinstance(given.value, dict) else {}
    kept = {name: member for name, member in members.items() if not name.startswith("io.modelcontextprotocol/")}
    changed: dict[str, object] = dict(modern)
    if "progressToken" in kept:
        changed["progressToken"] = token
    return written(kept, **changed) if kept or changed else None


def _with_meta(params: Members, meta: str | None) -> str:
    rest = {name: member for name, member in params.items() if name != "_meta"}
    return written(rest | {"_meta": Member(None, meta)} if meta is not None else rest)


def legacy_params(call: Call, token: int) -> str:
    """The params as a session of `initialize` knows them."""
    rest = {name: member for name, member in call.params.items() if name not in RETRY}
    return _with_meta(rest, _meta(call, token, {}))


def modern_params(call: Call, token: int) -> str:
    """The params with version, capabilities and identity of the client."""
    caller = call.caller
    era: dict[str, object] = {VERSION_KEY: MODERN, CAPABILITIES_KEY: dict(caller.capabilities)}
    if caller.info:
        era[CLIENT_KEY] = dict(caller.info)
    if call.log_level is not None:
        era[LOG_LEVEL_KEY] = call.log_level
    return _with_meta(call.params, _meta(call, token, era))


def with_token(message: Message, call: Call) -> Message:
    """A progress notification with the client's own token."""
    token = call.params["_meta"].value["progressToken"]
    params = message.params or {}
    return Message(method=message.method, params={**params, "progressToken": Member(token, dumps(token))})


def given(**values: object) -> dict[str, Member]:
    """Params of our own making."""
    return {name: Member(value, dumps(value)) for name, value in values.items()}
