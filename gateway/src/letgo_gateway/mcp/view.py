"""What a client sees of a catalogue: its lists as bytes made once, and where each name leads."""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from letgo_gateway.mcp.protocol import SERVER_INFO
from letgo_gateway.mcp.templates import Template, parse_template
from letgo_gateway.registry.catalogue import (
    Agent,
    Catalogue,
    PublishedPrompt,
    PublishedResource,
    PublishedTool,
    RestEndpoint,
    Upstream,
)
from letgo_gateway.upstreams.calls import MODERN, SERVER_KEY, Era
from letgo_gateway.upstreams.messages import INVALID_PARAMS, Failure, dumps
from letgo_gateway.upstreams.modern import HeaderMap, header_map

PAGE = 500
"""Entries on one page of a list."""
TTL_MS = 5000
"""How long a modern client may keep a list; it is told of changes before that if it listens."""
ORIGINAL_KEY = "letgo.gateway/original"
"""In the `_meta` of an entry that had to be renamed: its own name, and the upstream it is from."""

Definition = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ToolRoute:
    """Where a tool is: its name there, and the arguments that go into headers too."""

    name: str
    source: Upstream | RestEndpoint | Agent
    definition: Definition
    mirrored: HeaderMap


@dataclass(frozen=True, slots=True)
class ResourceRoute:
    resource: PublishedResource
    source: Upstream | None


class View:
    """A catalogue as its clients see it; `public`: whether that is the same for everybody."""

    def __init__(self, catalogue: Catalogue, public: bool) -> None:
        self.catalogue = catalogue
        self._scope = "public" if public else "private"
        self._lists: dict[tuple[str, Era, str], str] = {}
        self.tools: dict[str, tuple[ToolRoute, Definition]] = {}
        self.prompts: dict[str, tuple[PublishedPrompt, Definition]] = {}
        for name, tool, definition in _named(catalogue.tools):
            if (mirrored := _mirrored(tool)) is not None:
                route = ToolRoute(tool.name, tool.source, tool.definition, mirrored)
                self.tools[name] = route, definition
        for name, prompt, definition in _named(catalogue.prompts):
            self.prompts[name] = prompt, definition
        self.resources: dict[str, PublishedResource] = {}
        self.templates: dict[str, PublishedResource] = {}
        for resource in catalogue.resources:
            (self.templates if resource.template else self.resources).setdefault(resource.uri, resource)

    def page(self, method: str, era: Era, cursor: object) -> str:
        """The text of the result of a `*/list` request. Raises `Failure` for a cursor that is none of ours."""
        if cursor is not None and not isinstance(cursor, str):
            raise Failure(INVALID_PARAMS, "cursor must be a string")
        key = method, era, cursor or ""
        if (made := self._lists.get(key)) is None:
            made = self._page(method, era, cursor)
            self._lists[key] = made
        return made

    def _page(self, method: str, era: Era, cursor: str | None) -> str:
        names, member, definition_of = self._entries[method]
        start = 0 if cursor is None else _position(names, cursor)
        shown = names[start : start + PAGE]
        result: dict[str, Any] = {member: [_for_era(definition_of(name), era) for name in shown]}
        if start + PAGE < len(names):
            result["nextCursor"] = base64.urlsafe_b64encode(shown[-1].encode()).decode()
        if era == "modern":
            result |= {"resultType": "complete", "ttlMs": TTL_MS, "cacheScope": self._scope}
            result["_meta"] = {SERVER_KEY: SERVER_INFO}
        return dumps(result)

    @cached_property
    def _entries(self) -> dict[str, tuple[list[str], str, Callable[[str], Definition]]]:
        return {
            "tools/list": (sorted(self.tools), "tools", lambda name: self.tools[name][1]),
            "prompts/list": (sorted(self.prompts), "prompts", lambda name: self.prompts[name][1]),
            "resources/list": (sorted(self.resources), "resources", lambda uri: self.resources[uri].definition),
            "resources/templates/list": (
                sorted(self.templates),
                "resourceTemplates",
                lambda uri: self.templates[uri].definition,
            ),
        }

    @cached_property
    def capabilities(self) -> dict[str, Any]:
        """What is there now, and what may come: an empty list can fill up while a client is connected."""
        upstreams = [one.capabilities for one in self.catalogue.upstreams]
        found: dict[str, Any] = {kind: {"listChanged": True} for kind in ("tools", "prompts", "resources")}
        if any((one.get("resources") or {}).get("subscribe") for one in upstreams):
            found["resources"]["subscribe"] = True
        for capability in ("completions", "logging"):
            if any(capability in one for one in upstreams):
                found[capability] = {}
        return found

    @property
    def instructions(self) -> str | None:
        """The server's own, or those of its upstreams, one after the other."""
        if self.catalogue.instructions:
            return self.catalogue.instructions
        return "\n\n".join(one.instructions for one in self.catalogue.upstreams if one.instructions) or None

    def resource(self, uri: str) -> ResourceRoute | None:
        """Where a resource is read: as it is listed, by a template that fits, or where all unlisted ones must be."""
        if (found := self.resources.get(uri)) is not None:
            return ResourceRoute(found, found.source)
        for template, pattern in self._patterns:
            if pattern.fits(uri):
                return ResourceRoute(template, template.source)
        able = [one for one in self.catalogue.upstreams if "resources" in one.capabilities]
        if len(able) == 1:
            unlisted = PublishedResource("", uri, False, {}, able[0], None, None)
            return ResourceRoute(unlisted, able[0])
        return None

    @cached_property
    def _patterns(self) -> list[tuple[PublishedResource, Template]]:
        parsed = ((template, parse_template(uri)) for uri, template in self.templates.items())
        return [(template, pattern) for template, pattern in parsed if pattern is not None]


Item = TypeVar("Item", PublishedTool, PublishedPrompt)


def _named(items: Iterable[Item]) -> Iterable[tuple[str, Item, Definition]]:
    """Each entry with the name it is listed by: its own, or with its upstream's before it where two have the same."""
    listed = list(items)
    often = Counter(item.name for item in listed)
    taken = set(often)
    for item in listed:
        if often[item.name] == 1:
            yield item.name, item, item.definition
            continue
        source = _source_name(item)
        name = _unused(f"{_slug(source)}__{item.name}", taken)
        taken.add(name)
        meta = {**(item.definition.get("_meta") or {}), ORIGINAL_KEY: {"name": item.name, "from": source}}
        yield name, item, {**item.definition, "name": name, "_meta": meta}


def _source_name(item: PublishedTool | PublishedPrompt) -> str:
    source = item.source
    return source.name if isinstance(source, Upstream | Agent) else item.id[:8]


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_") or "upstream"


def _unused(name: str, taken: set[str]) -> str:
    number, tried = 1, name
    while tried in taken:
        number += 1
        tried = f"{name}_{number}"
    return tried


def _mirrored(tool: PublishedTool) -> HeaderMap | None:
    """The arguments that go into headers; None for a tool that says so wrongly, which must not be listed."""
    if not isinstance(tool.source, Upstream):
        return {}
    try:
        return header_map(tool.definition.get("inputSchema"))
    except ValueError:
        return None if tool.source.protocol == MODERN else {}


def _for_era(definition: Definition, era: Era) -> Definition:
    """A definition without what an old client can't take: in its revisions an output is always an object."""
    if era == "legacy" and "outputSchema" in definition:
        schema = definition["outputSchema"]
        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            return {name: value for name, value in definition.items() if name != "outputSchema"}
    return definition


def _position(names: Sequence[str], cursor: str) -> int:
    """Where the page after `cursor` begins; names that have come or gone meanwhile don't shift it."""
    try:
        last = base64.urlsafe_b64decode(cursor.encode()).decode()
    except ValueError:
        raise Failure(INVALID_PARAMS, "this cursor was not given out here") from None
    return next((at for at, name in enumerate(names) if name > last), len(names))
