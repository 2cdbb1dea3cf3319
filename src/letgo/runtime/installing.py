"""One line that makes every handler of an app let go when it returns."""

import importlib.util
from collections.abc import Awaitable
from typing import Any, Literal, TypeVar

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from letgo.runtime import closing, releasing, starlette_routes, streams
from letgo.runtime.explaining import explain
from letgo.runtime.releasing import Handling, Policy
from letgo.runtime.request import entered

App = TypeVar("App", bound=ASGIApp)


def install(app: App, *, unsaved: Literal["owner", "commit", "refuse"] = "owner") -> App:
    """Let every handler of `app` let go of its sessions when it returns, before its answer is serialised and sent.

    A FastAPI or Starlette app is changed in place and returned, with all that is mounted or included, before or
    after; of another ASGI app the answer is the one to serve. `unsaved` is explained at `Policy`. Call it once, when
    the app is made. Raises RuntimeError for an app that has it already.
    """
    policy = Policy(unsaved)
    streams.hook()
    closing.hook()
    if importlib.util.find_spec("fastapi") is not None:
        from letgo.runtime import fastapi_hooks

        fastapi_hooks.hook()
    if not isinstance(app, Starlette):
        return LettingGo(app, policy)  # type: ignore[return-value]
    if hasattr(app, "__letgo__"):
        raise RuntimeError("letgo is installed in this app already")
    _wrap_middleware(app, policy)
    return app


def _wrap_middleware(app: Starlette, policy: Policy) -> None:
    """Stand around all middleware, also what is added later: whoever commits in one must not have ended before."""
    build = app.build_middleware_stack

    def build_around() -> ASGIApp:
        starlette_routes.hook(app.routes)
        return LettingGo(build(), policy)

    patched: Any = app
    patched.__letgo__ = policy
    if app.middleware_stack is None:
        patched.build_middleware_stack = build_around
    else:
        starlette_routes.hook(app.routes)
        app.middleware_stack = LettingGo(app.middleware_stack, policy)


class LettingGo:
    """The ASGI layer of `install`: what holds whatever the app is written with."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self.app = app
        self.policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        with entered(scope) as request, Handling(request, self.policy) as current:
            try:
                if scope["type"] == "http":
                    await self.app(scope, receive, _settled_before_status(current, send))
                else:
                    await self.app(scope, _released_while_waiting(current, receive), send)
            except BaseException as error:
                explain(error, current.let_go_by)
                raise
            finally:
                if request.stirred:
                    await releasing.end_all_reads_async(request)


def _settled_before_status(current: Handling, send: Send) -> Send:
    request = current.request

    def forward(message: Message) -> Awaitable[None]:
        if request.stirred and message["type"] == "http.response.start" and not current.kept:
            return settle_and_send(message)
        return send(message)

    async def settle_and_send(message: Message) -> None:
        if message["status"] < 400:
            await releasing.settle_async(current, message["status"])
        else:
            await releasing.end_all_reads_async(request)
        await send(message)

    return forward


def _released_while_waiting(current: Handling, receive: Receive) -> Receive:
    """A WebSocket spends its life waiting for the client to say something."""

    async def wait() -> Message:
        if not current.kept:
            await releasing.enter_async(current.request)
        return await receive()

    return wait
