"""Who wants to be told when lists have changed."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from letgo_gateway.database.changes import OWN

KINDS_OF_TOPIC: Mapping[str, Sequence[str]] = {
    "tools": ("tools",),
    "a2a": ("tools",),
    "prompts": ("prompts",),
    "resources": ("resources",),
    "servers": ("tools", "prompts", "resources"),
    "gateways": ("tools", "prompts", "resources"),
    "identity": ("tools", "prompts", "resources"),
    **dict.fromkeys(OWN, ("tools", "prompts", "resources")),
}
TOGETHER_SECONDS = 0.05
"""Changes that come so close together are told once."""

Told = Callable[[str], None]


class Listeners:
    """Told of "tools", "prompts" or "resources"; not of what has changed in them."""

    def __init__(self) -> None:
        self._listeners: set[Told] = set()
        self._pending: dict[str, asyncio.TimerHandle] = {}

    def add(self, told: Told) -> None:
        self._listeners.add(told)

    def remove(self, told: Told) -> None:
        self._listeners.discard(told)

    def registry_changed(self, topics: Iterable[str]) -> None:
        for kind in {kind for topic in topics for kind in KINDS_OF_TOPIC.get(topic, ())}:
            self.changed(kind)

    def changed(self, kind: str) -> None:
        if self._listeners and kind not in self._pending:
            loop = asyncio.get_running_loop()
            self._pending[kind] = loop.call_later(TOGETHER_SECONDS, self._tell, kind)

    def _tell(self, kind: str) -> None:
        self._pending.pop(kind, None)
        for told in list(self._listeners):
            told(kind)
