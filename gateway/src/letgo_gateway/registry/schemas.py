"""Entries of the registries, as they are given and as they are told."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, create_model, model_validator

from letgo_gateway.schemas import Input, Name, Output, Reference

Visibility = Literal["private", "team", "public"]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Description = Annotated[str | None, Field(max_length=20_000)]
Timeout = Annotated[float, Field(gt=0, le=3600)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Object = dict[str, Any]


FRAMING = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade"}
)
"""Headers of the connection, which requests of others share."""


def _http(given: str) -> str:
    try:
        parts = urlsplit(given)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or any(character.isspace() or not character.isprintable() for character in given):
        raise ValueError("not an http:// or https:// URL")
    if "@" in parts.netloc:
        raise ValueError("credentials don't belong into a URL, which is shown; put them into secrets, as a header")
    if set("{}") & set(parts.netloc):
        raise ValueError("the host can't depend on arguments: whoever calls would choose who gets the secrets")
    return given


def _headers(given: dict[str, str]) -> dict[str, str]:
    """What can't break out of its line, and does not say where a request ends or leads."""
    for name, value in given.items():
        if not name or not name.isascii() or not all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name):
            raise ValueError(f"not a name of a header or variable: {name!r}")
        if name.lower() in FRAMING:
            raise ValueError(f"{name} is for the gateway to say")
        if any(ord(char) < 32 or ord(char) == 127 for char in value):
            raise ValueError(f"{name}: control characters are not allowed")
    return given


Http = Annotated[str, Field(max_length=2000), AfterValidator(_http)]
Uri = Annotated[str, Field(max_length=2000, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S*$")]
Secrets = Annotated[dict[str, str], Field(max_length=50), AfterValidator(_headers)]


class NewEntry(Input):
    """`visibility` "team" needs a `team_id`. An entry with a team and visibility "private" is its owner's alone."""

    name: Name
    description: Description = None
    visibility: Visibility = "private"
    team_id: Reference | None = None
    enabled: bool = True
    tags: Annotated[list[Tag], Field(max_length=50)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_team(self) -> Self:
        if self.visibility == "team" and self.team_id is None:
            raise ValueError("visibility 'team' needs a team_id")
        return self


class NewGateway(NewEntry):
    """`secrets`: headers for streamable HTTP, variables of the environment for stdio. They are never told again."""

    transport: Literal["streamable_http", "stdio"] = "streamable_http"
    url: Http | None = None
    command: Annotated[list[str] | None, Field(min_length=1, max_length=100)] = None
    secrets: Secrets = Field(default_factory=dict)
    timeout: Timeout = 60.0

    @model_validator(mode="after")
    def _is_reachable(self) -> Self:
        http = self.transport == "streamable_http"
        if (self.url is not None) != http or (self.command is not None) == http:
            raise ValueError("streamable_http needs a url and no command; stdio a command and no url")
        return self


class NewTool(NewEntry):
    """A tool that calls a REST endpoint (`url`, `method`) or an agent (`agent_id`). Those of upstreams are found there.

    `url` is a template such as `https://api.example/books/{id}`; arguments that are not in it are sent as the query, or
    as the body in JSON. `secrets` are headers, and are never told again.
    """

    kind: Literal["rest", "a2a"] = "rest"
    title: Annotated[str | None, Field(max_length=255)] = None
    input_schema: Object = Field(default_factory=lambda: {"type": "object"})
    output_schema: Object | None = None
    annotations: Object | None = None
    url: Http | None = None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = None
    agent_id: Reference | None = None
    secrets: Secrets = Field(default_factory=dict)
    timeout: Timeout | None = None

    @model_validator(mode="after")
    def _is_callable(self) -> Self:
        rest = self.url is not None and self.method is not None and self.agent_id is None
        agent = self.agent_id is not None and self.url is None and self.method is None and not self.secrets
        if not (rest if self.kind == "rest" else agent):
            raise ValueError("a rest tool needs url and method; an a2a tool needs agent_id, and nothing of these")
        for schema in (self.input_schema, self.output_schema):
            if schema is not None and schema.get("type") != "object":
                raise ValueError("a schema of a tool has the type 'object'")
        return self


class NewResource(NewEntry):
    """A resource of the gateway's own: `text`, or `blob` in base64."""

    uri: Uri
    title: Annotated[str | None, Field(max_length=255)] = None
    mime_type: Annotated[str | None, Field(max_length=255)] = None
    annotations: Object | None = None
    text: Annotated[str | None, Field(max_length=1_000_000)] = None
    blob: Annotated[str | None, Field(max_length=1_400_000, pattern=r"^[A-Za-z0-9+/]*={0,2}$")] = None

    @model_validator(mode="after")
    def _has_one_content(self) -> Self:
        if (self.text is None) == (self.blob is None):
            raise ValueError("a resource has text or blob")
        return self


class PromptArgument(Input):
    name: Name
    description: Description = None
    required: bool = False


class PromptMessage(Input):
    """`content` is the protocol's; in its text, `{name}` stands for an argument."""

    role: Literal["user", "assistant"]
    content: Object


class NewPrompt(NewEntry):
    title: Annotated[str | None, Field(max_length=255)] = None
    arguments: Annotated[list[PromptArgument], Field(max_length=100)] = Field(default_factory=list)
    messages: Annotated[list[PromptMessage], Field(min_length=1, max_length=100)]


class Item(Input):
    """Of kind "gateway": everything that this upstream has."""

    kind: Literal["tool", "resource", "prompt", "gateway"]
    id: Reference


class NewServer(NewEntry):
    instructions: Description = None
    items: Annotated[list[Item], Field(max_length=5000)] = Field(default_factory=list)


class NewAgent(NewEntry):
    url: Http
    card: Object | None = None
    secrets: Secrets = Field(default_factory=dict)
    timeout: Timeout = 60.0


class NewRoot(NewEntry):
    uri: Uri


class Toggle(Input):
    enabled: bool


def change_of(new: type[NewEntry]) -> type[Input]:
    """The body that changes an entry: any of its fields, and the version that was read."""
    fields: dict[str, Any] = {name: (field.annotation, None) for name, field in new.model_fields.items()}
    made: type[Input] = create_model(
        new.__name__.replace("New", "") + "Change",
        __base__=Input,
        __doc__="Only what is given is changed; `version` is that which was read.",
        version=(Version, ...),
        **fields,
    )
    return made


class EntryView(Output):
    id: str
    name: str
    description: str | None
    visibility: Visibility
    team_id: str | None
    owner_id: str | None
    enabled: bool
    tags: list[str]
    version: int
    created_at: datetime
    updated_at: datetime


class GatewayView(EntryView):
    """`reachable` None: not asked yet. `has_secrets`: they are there, and not told."""

    transport: Literal["streamable_http", "stdio"]
    url: str | None
    command: list[str] | None
    has_secrets: bool
    timeout: float
    protocol: str | None
    capabilities: Object | None
    server_info: Object | None
    reachable: bool | None
    problem: str | None
    seen_at: datetime | None


class ToolView(EntryView):
    """`definition` is the protocol's `Tool`, as its source gave it."""

    kind: Literal["mcp", "rest", "a2a"]
    definition: Object
    gateway_id: str | None
    agent_id: str | None
    url: str | None
    method: str | None
    has_secrets: bool
    timeout: float | None


class ResourceView(EntryView):
    uri: str
    template: bool
    definition: Object
    gateway_id: str | None


class PromptView(EntryView):
    definition: Object
    gateway_id: str | None
    messages: list[Object] | None


class ServerView(EntryView):
    instructions: str | None
    items: list[Item]


class AgentView(EntryView):
    url: str
    card: Object | None
    has_secrets: bool
    timeout: float


class RootView(EntryView):
    uri: str


class TagCount(Output):
    tag: str
    entries: int
