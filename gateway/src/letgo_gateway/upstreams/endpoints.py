"""What is known of an upstream before it is called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from letgo_gateway.upstreams.calls import Era

Transport = Literal["streamable_http", "stdio"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An MCP server: where it is, what it is called with, and how long it may take (seconds).

    `era` is what it was found to speak, None while that is not known; `only`, what it must be spoken to in.
    """

    id: str
    name: str
    transport: Transport = "streamable_http"
    url: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60.0
    era: Era | None = None
    only: Era | None = None
