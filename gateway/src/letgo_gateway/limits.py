"""Bounds on what a client may send, and on how long it may take for it."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSE = {"Connection": "close"}
"""What is still to come of a body that was refused is not read."""


class Limited:
    """Refuses bodies of more than `most` bytes, whether their length is said or only turns out, and those that are not
    there within `seconds`. Nothing is open in the database while a body is awaited.
    """

    def __init__(self, app: ASGIApp, most: int, seconds: float) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = _said(scope)
        counting = received == 0
        complete = False
        deadline = asyncio.get_running_loop().time() + self._seconds

        async def bounded() -> Message:
            nonlocal received, complete
            if complete:  # whoever asks once more waits for the client to go away
                return await receive()
            if received > self._most:
                raise self._too_large()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the body did not come within {self._seconds:g} s", CLOSE) from None
            complete = not message.get("more_body", False)
            if counting:
                received += len(message.get("body", b""))
                if received > self._most:
                    raise self._too_large()
            return message

        await self._app(scope, bounded, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is larger than {self._most} bytes", CLOSE)


def _said(scope: Scope) -> int:
    """The length that a request says its body has, which its server holds it to; 0 if it does not say."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
