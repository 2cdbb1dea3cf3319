"""What an upstream has: asked for page by page. What it says is checked here, so that nonsense harms nobody later."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from letgo_gateway.upstreams.calls import MODERN, SERVER_KEY
from letgo_gateway.upstreams.errors import Garbage
from letgo_gateway.upstreams.upstream import Upstream

MOST_PAGES = 200
MOST_ENTRIES = 20_000
LONGEST_NAME, LONGEST_URI = 255, 2000
DEEPEST = 100
"""Levels of a definition: it is written again, deep in calls, which must not run out of stack."""

Definitions = tuple[Mapping[str, Any], ...]

log = logging.getLogger(__name__)


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
    if not isinstance(about.get("capabilities"), dict):
        raise Garbage("the upstream says nothing of its capabilities")
    capabilities = {
        name: value for name, value in about["capabilities"].items() if isinstance(value, dict) and is_sound(value)
    }
    meta, instructions = about.get("_meta"), about.get("instructions")
    info = about.get("serverInfo") or (meta.get(SERVER_KEY) if isinstance(meta, dict) else None)
    return Offer(
        protocol=MODERN if upstream.era == "modern" else str(about.get("protocolVersion")),
        capabilities=capabilities,
        server_info=info if isinstance(info, dict) and is_sound(info) else {},
        instructions=instructions if isinstance(instructions, str) and is_sound(instructions) else None,
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
    left_out = 0
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        result = await upstream.ask(method, **({} if cursor is None else {"cursor": cursor}))
        entries = result.get(member)
        if not isinstance(entries, list):
            raise Garbage(f"the upstream answered {method} without {member}")
        for entry in entries:
            if _is_definition(entry, key):
                found.setdefault(entry[key], entry)
            else:
                left_out += 1
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str) or not cursor or len(found) > MOST_ENTRIES:
            break
    if left_out:
        log.warning("upstream %s: %d of its %s are no definitions", upstream.endpoint.name, left_out, member)
    return tuple(found.values())


def _is_definition(entry: object, key: str) -> bool:
    if not isinstance(entry, dict) or not is_sound(entry):
        return False
    name, known = entry.get("name"), entry.get(key)
    return (
        (isinstance(name, str) and 0 < len(name) <= LONGEST_NAME)
        and (isinstance(known, str) and 0 < len(known) <= LONGEST_URI)
        and isinstance(entry.get("description"), str | None)
        and isinstance(entry.get("_meta"), dict | None)
    )


def is_sound(value: object, levels: int = DEEPEST) -> bool:
    """Whether a value of JSON can be kept and written again: text without NUL and halves of pairs, not too deep."""
    match value:
        case str():
            return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
        case dict():
            return levels > 0 and all(is_sound(name) and is_sound(one, levels - 1) for name, one in value.items())
        case list():
            return levels > 0 and all(is_sound(one, levels - 1) for one in value)
    return True
