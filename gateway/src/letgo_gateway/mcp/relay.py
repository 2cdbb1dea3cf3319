"""How the workers of a gateway hand messages to each other.

Requests of one client may reach any worker, and some belong together: the answer to a question, a cancellation, the
input that a waiting call needs. Who gets one that is not its own tells the others, and whose it is takes it.
"""

from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any]], object]


class Relay:
    """What one worker alone needs: there are no others to be told."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def on(self, kind: str, handler: Handler) -> None:
        """Have `handler` called with what other workers tell of this kind."""
        self._handlers[kind] = handler

    async def tell(self, kind: str, **values: object) -> None:
        """Tell the other workers. It may be lost when one of them is busy or starting."""

    def hear(self, kind: str, values: dict[str, Any]) -> None:
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(values)
