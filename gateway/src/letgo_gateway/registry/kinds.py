"""The seven registries, each as one value: what differs between them, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from letgo_gateway.database.base import Registered
from letgo_gateway.database.changes import Registry
from letgo_gateway.database.queries import Row
from letgo_gateway.registry import schemas
from letgo_gateway.registry.tables import A2aAgent, Gateway, Prompt, Resource, Root, Server, Tool


@dataclass(frozen=True, slots=True)
class Kind:
    """`topic` is the name of the registry: in paths, permissions and counters. `label` is what one entry is called.

    `described` are the fields which the protocol's definition of an entry is made of, with its names for them; an entry
    that an upstream has given has a definition of the upstream's. `key` are the columns by which people know an entry.
    """

    topic: Registry
    label: str
    table: type[Registered]
    new: type[schemas.NewEntry]
    view: type[schemas.EntryView]
    key: tuple[str, ...] = ("name",)
    described: tuple[tuple[str, str], ...] = ()

    def permission(self, action: str) -> str:
        return f"{self.topic}.{action}"

    @property
    def has_upstream(self) -> bool:
        return "gateway_id" in self.table.__table__.columns  # type: ignore[attr-defined]

    def definition(self, given: Mapping[str, Any]) -> Row:
        found = {theirs: given[ours] for ours, theirs in self.described if given[ours] is not None}
        return {name: value for name, value in found.items() if value != []}


GATEWAYS = Kind("gateways", "gateway", Gateway, schemas.NewGateway, schemas.GatewayView)
TOOLS = Kind(
    "tools",
    "tool",
    Tool,
    schemas.NewTool,
    schemas.ToolView,
    described=(
        ("name", "name"),
        ("title", "title"),
        ("description", "description"),
        ("input_schema", "inputSchema"),
        ("output_schema", "outputSchema"),
        ("annotations", "annotations"),
    ),
)
RESOURCES = Kind(
    "resources",
    "resource",
    Resource,
    schemas.NewResource,
    schemas.ResourceView,
    key=("uri",),
    described=(
        ("uri", "uri"),
        ("name", "name"),
        ("title", "title"),
        ("description", "description"),
        ("mime_type", "mimeType"),
        ("annotations", "annotations"),
    ),
)
PROMPTS = Kind(
    "prompts",
    "prompt",
    Prompt,
    schemas.NewPrompt,
    schemas.PromptView,
    described=(
        ("name", "name"),
        ("title", "title"),
        ("description", "description"),
        ("arguments", "arguments"),
    ),
)
SERVERS = Kind("servers", "server", Server, schemas.NewServer, schemas.ServerView)
AGENTS = Kind("a2a", "agent", A2aAgent, schemas.NewAgent, schemas.AgentView)
ROOTS = Kind("roots", "root", Root, schemas.NewRoot, schemas.RootView, key=("uri",))
KINDS = (GATEWAYS, AGENTS, TOOLS, RESOURCES, PROMPTS, SERVERS, ROOTS)
"""In an order in which each refers only to those before it."""
