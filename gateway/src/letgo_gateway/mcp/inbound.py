"""One HTTP request, as far as both eras read it the same."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Receive, Send

from letgo_gateway.identity.principal import Principal
from letgo_gateway.upstreams.messages import Message


@dataclass(frozen=True, slots=True)
class Inbound:
    """`headers` have lower-case names; those that came more than once are in `doubled`. `streams`: takes events."""

    message: Message
    text: bytes
    headers: Mapping[str, str]
    doubled: frozenset[str]
    principal: Principal
    server: str | None
    streams: bool
    receive: Receive
    send: Send

    @property
    def subject(self) -> str:
        return self.principal.user or ""
