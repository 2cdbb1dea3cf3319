"""The queue of requests, before anything is begun for them."""

import asyncio
from collections import deque
from time import perf_counter

from starlette.types import ASGIApp, Receive, Scope, Send

AT_ONCE = 16
TURN_SECONDS = 0.01


class Paced:
    """Begins so many requests in one turn of the event loop that it takes about `seconds`, and at most `most`; the
    others wait theirs, in the order they came.

    When more is asked than can be done, an event loop begins it all, and whoever waits for the next word of the
    database gets it when that is done: transactions, and the locks they have, would last as long as the queue is. So
    the queue is here, where nothing is open, and those who have begun go on soon.
    """

    def __init__(self, app: ASGIApp, most: int = AT_ONCE, seconds: float = TURN_SECONDS) -> None:
        self._app = app
        self._limit = most
        self._seconds = seconds
        self._most = most
        self._left = most
        self._began = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            loop = asyncio.get_running_loop()
            if not self._turning:
                self._turning = True
                self._began = perf_counter()
                loop.call_soon(self._turn, loop)
            if self._left:
                self._left -= 1
            else:
                turn = loop.create_future()
                self._waiting.append(turn)
                await turn
        await self._app(scope, receive, send)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let so many begin, and come again in the next turn unless nobody has come in the last one."""
        now = perf_counter()
        took, self._began = now - self._began, now
        quiet = self._left == self._most
        self._most = max(1, self._most // 2) if took > self._seconds else min(self._limit, self._most + 1)
        self._left = self._most
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():  # it was cancelled
                turn.set_result(None)
                self._left -= 1
        self._turning = not quiet
        if self._turning:
            loop.call_soon(self._turn, loop)
