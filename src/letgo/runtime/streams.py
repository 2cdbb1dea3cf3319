"""What runs after the endpoint has returned: the body of a stream, and background tasks.

Both may use a session again. What they have read over ends with them, in the thread that has read, and a body that is
not wanted any more is closed: when a client goes away, Starlette leaves a generator where it is, in the middle of a
`with SessionLocal()` perhaps, and an error's traceback keeps it alive until the garbage collector comes by.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeVar

import starlette.background
import starlette.responses
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from letgo.runtime import releasing
from letgo.runtime.releasing import handling
from letgo.runtime.wrapping import wrap

T = TypeVar("T")


def hook() -> None:
    """Wrap Starlette's functions, once however often it is called."""
    wrap(StreamingResponse, ["__call__"], _closing)
    wrap(starlette.responses, ["iterate_in_threadpool"], _iterating_in_threads)
    wrap(starlette.background, ["run_in_threadpool"], calling_in_thread)


def _closing(original: Callable[..., Any]) -> Callable[..., Any]:
    async def __call__(self: StreamingResponse, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await original(self, scope, receive, send)
        finally:
            body = self.body_iterator
            if handling.get() is not None and inspect.isasyncgen(body) and not body.ag_running:
                await body.aclose()

    return __call__


def _iterating_in_threads(original: Callable[..., AsyncIterator[T]]) -> Callable[..., AsyncIterator[T]]:
    def iterate_in_threadpool(chunks: Iterable[T]) -> AsyncIterator[T]:
        return original(_telling_whose(chunks) if handling.get() is not None else chunks)

    return iterate_in_threadpool


def _telling_whose(chunks: Iterable[T]) -> Iterator[T]:
    """Each chunk may be made in another thread; the sessions are the request's in all of them."""
    current = handling.get()
    try:
        for chunk in chunks:
            if current is not None:
                current.request.owned()
            yield chunk
    finally:
        if inspect.isgenerator(chunks):  # and no file, which is its owner's to close
            chunks.close()


def calling_in_thread(original: Callable[..., Any]) -> Callable[..., Any]:
    """`run_in_threadpool` for a part of a request that others follow: what it has read over ends in its thread."""

    async def run_in_threadpool(function: Callable[..., T], *arguments: Any, **options: Any) -> Any:
        current = handling.get()
        if current is None or current.kept:
            return await original(function, *arguments, **options)

        def call() -> T:
            value = function(*arguments, **options)
            releasing.enter(current.request)
            return value

        return await original(call)

    return run_in_threadpool
