"""A stream that ends early closes its generator.

When a client goes away, Starlette leaves the body's generator as it is, in the middle of a `with SessionLocal()`
perhaps: an error's traceback keeps it alive until the garbage collector comes by.
"""

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from letgo.runtime.releasing import handling


def hook() -> None:
    """Wrap `StreamingResponse.__call__`, once however often it is called."""
    original = StreamingResponse.__call__
    if hasattr(original, "__letgo__"):
        return

    async def call(self: StreamingResponse, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await original(self, scope, receive, send)
        finally:
            if handling.get() is not None and (close := getattr(self.body_iterator, "aclose", None)) is not None:
                await close()

    call.__letgo__ = original  # type: ignore[attr-defined]
    StreamingResponse.__call__ = call  # type: ignore[method-assign]
