"""What is said outside of all requests in the session of a legacy client: by it to its upstreams, and by them to it."""

import asyncio
from typing import Any

from letgo_gateway.mcp.relay import Relay
from letgo_gateway.mcp.sessions import Sessions
from letgo_gateway.upstreams.fleet import Fleet
from letgo_gateway.upstreams.legacy import rank
from letgo_gateway.upstreams.messages import Message, notification, written


class Unasked:
    """Passes it on. A client may have sessions with upstreams on each worker, and its stream on another one."""

    def __init__(self, fleet: Fleet, sessions: Sessions, relay: Relay) -> None:
        self._fleet, self._sessions, self._relay = fleet, sessions, relay
        self._telling: set[asyncio.Task[None]] = set()
        fleet.unasked = self._heard
        relay.on("unasked", self._told)

    async def tell(self, session: str, message: Message) -> None:
        """Pass on a notification of a client to its upstreams."""
        told = {"session": session, "message": _text(message).decode()}
        self._told(told)
        await self._relay.tell("unasked", **told)

    def _told(self, told: dict[str, Any]) -> None:
        task = asyncio.create_task(self._fleet.tell(told["session"], told["message"].encode()))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _heard(self, session: str, message: Message) -> None:
        level = self._sessions.level(session)
        if message.method == "notifications/message" and level and rank(str(message.param("level"))) < rank(level):
            return
        self._sessions.post(session, _text(message))


def _text(message: Message) -> bytes:
    assert message.method is not None
    return notification(message.method, None if message.params is None else written(message.params))
