"""What an upstream has: asked for page by page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from letgo_gateway.upstreams.calls import MODERN, SERVER_KEY
from letgo_gateway.upstreams.errors import Garbage
from letgo_gateway.upstreams.upstream import Upstream

MOST_PAGES = 200
MOST_ENTRIES = 20_000

Definitions = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """All that an upstream has, as it says it."""

    protocol: str
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    server_info: Mapping[str, Any] = field(default_factory=dict)
    instructions: str | None = None
    tools: Definitions = ()
    resources: Definitions = ()
    templates: Definitions = ()
    prompts: Definitions = ()


async def discover(upstream: Upstream) -> Offer:
    """Raises `UpstreamError`."""
    about = await upstream.learn()
    capabilities = about.get("capabilities")
    if not isinstance(capabilities, dict):
        raise Garbage("the upstream says nothing of its capabilities")
    info = about.get("serverInfo") or (about.get("_meta") or {}).get(SERVER_KEY) or {}
    return Offer(
        protocol=MODERN if upstream.era == "modern" else str(about.get("protocolVersion")),
        capabilities=capabilities,
        server_info=info if isinstance(info, dict) else {},
        instructions=about.get("instructions") if isinstance(about.get("instructions"), str) else None,
        tools=await _all(upstream, capabilities, "tools", "tools/list", "tools", "name"),
        resources=await _all(upstream, capabilities, "resources", "resources/list", "resources", "uri"),
        templates=await _all(
            upstream, capabilities, "resources", "resources/templates/list", "resourceTemplates", "uriTemplate"
        ),
        prompts=await _all(upstream, capabilities, "prompts", "prompts/list", "prompts", "name"),
    )


async def _all(
    upstream: Upstream, capabilities: Mapping[str, Any], capability: str, method: str, member: str, key: str
) -> Definitions:
    """The entries of a list, on all of its pages; the first, where two have the same key."""
    if capability not in capabilities:
        return ()
    found: dict[str, Mapping[str, Any]] = {}
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        result = await upstream.ask(method, **({} if cursor is None else {"cursor": cursor}))
        entries = result.get(member)
        if not isinstance(entries, list):
            raise Garbage(f"the upstream answered {method} without {member}")
        for entry in entries:
            if isinstance(entry, dict) and isinstance(entry.get(key), str):
                found.setdefault(entry[key], entry)
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str) or not cursor or len(found) > MOST_ENTRIES:
            break
    return tuple(found.values())
