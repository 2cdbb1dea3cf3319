"""Where FastAPI tells that dependencies are solved, that an endpoint has returned and what its answer is.

FastAPI has no public place for any of these, but since 0.105 the same few functions. Each is wrapped once and does
what it always did unless the request at hand is to let go, so that routes made before `install` are served like those
made after, in routers included by any version.
"""

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import fastapi.dependencies.utils
import fastapi.routing
from fastapi.encoders import jsonable_encoder
from starlette.requests import HTTPConnection
from starlette.responses import Response

from letgo.runtime import releasing
from letgo.runtime.explaining import explain
from letgo.runtime.releasing import Handling, handling
from letgo.runtime.streams import calling_in_thread
from letgo.runtime.wrapping import Function, wrap

T = TypeVar("T")


def hook() -> None:
    """Wrap FastAPI's functions, once however often it is called. Raises RuntimeError if one is not there."""
    wrap(fastapi.routing, ["solve_dependencies"], _solving)
    wrap(fastapi.routing, ["run_endpoint_function"], _running)
    wrap(fastapi.routing, ["serialize_response"], _serialising)
    wrap(fastapi.dependencies.utils, ["_solve_generator", "solve_generator"], _entering)
    wrap(fastapi.dependencies.utils, ["run_in_threadpool"], calling_in_thread)
    wrap(fastapi.dependencies.utils, ["contextmanager_in_threadpool"], _entering_in_thread)


class Answer:
    """What an endpoint has returned, validated by the response model: given to FastAPI in place of its field."""

    __slots__ = ("content", "errors", "field", "serialize", "serialize_json", "value")

    def __init__(self, content: object, field: Any) -> None:
        self.content = content
        self.field = field
        self.value, self.errors = field.validate(content, {}, loc=("response",))
        # What FastAPI asks for each time: to find out that an attribute is not here costs more than all the rest.
        self.serialize = field.serialize
        self.serialize_json = getattr(field, "serialize_json", None)

    def validate(self, *arguments: object, **options: object) -> tuple[Any, Any]:
        return self.value, self.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.field, name)


@dataclass(slots=True)
class Endpoint:
    """One call of an endpoint: its route, and what its dependencies have left for the response."""

    handling: Handling
    route: Any
    response: Response
    background: Any
    answer: Answer | None = None


class Calling:
    """A dependant with another function to call. To copy one would cost more than all else that is done here."""

    __slots__ = ("call", "dependant")

    def __init__(self, call: Callable[..., Any], dependant: Any) -> None:
        self.call = call
        self.dependant = dependant

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dependant, name)


# --- entry ----------------------------------------------------------------------------------------------------------


def _solving(original: Function) -> Function:
    async def solve_dependencies(*, request: HTTPConnection, dependant: Any, **options: Any) -> Any:
        if (current := handling.get()) is None:
            return await original(request=request, dependant=dependant, **options)
        current.reached(dependant.call)
        solved = await original(request=request, dependant=dependant, **options)
        background, response = (
            (solved.background_tasks, solved.response) if hasattr(solved, "response") else (solved[2], solved[3])
        )
        current.call = Endpoint(current, _route(request.scope), response, background)
        if current.request.stirred and not (current.kept or _runs_on_loop(request, dependant)):
            await releasing.enter_async(current.request)
        return solved

    return solve_dependencies


def _runs_on_loop(request: HTTPConnection, dependant: Any) -> bool:
    return request.scope["type"] == "http" and inspect.iscoroutinefunction(dependant.call)


def _route(scope: Any) -> Any:
    """The route, as it is included: since FastAPI 0.137 one route may be there with several response classes."""
    route = scope.get("route")
    context = scope.get("fastapi", {}).get("effective_route_context")
    return context if context is not None and context.original_route is route else route


def _entering(original: Function) -> Function:
    async def solve_generator(*, stack: AsyncExitStack, **arguments: Any) -> Any:
        if (current := handling.get()) is None:
            return await original(stack=stack, **arguments)
        dependency = _Dependency(stack)
        value = await original(stack=dependency, **arguments)
        if dependency.manager is not None:
            stack.push_async_exit(dependency)
            current.dependencies.append(dependency)
        return value

    return solve_generator


class _Dependency:
    """Takes the place of a request's exit stack for one dependency, which so can end before the others.

    An exit stack of its own would do it too, at several times the cost.
    """

    __slots__ = ("manager", "stack")

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.manager: AbstractAsyncContextManager[Any] | None = None

    async def enter_async_context(self, manager: AbstractAsyncContextManager[T]) -> T:
        value = await manager.__aenter__()
        self.manager = manager
        return value

    async def aclose(self) -> None:
        await self.__aexit__(None, None, None)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        manager, self.manager = self.manager, None
        return None if manager is None else await manager.__aexit__(kind, error, traceback)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stack, name)


def _entering_in_thread(original: Function) -> Function:
    def contextmanager_in_threadpool(manager: AbstractContextManager[T]) -> AbstractAsyncContextManager[T]:
        current = handling.get()
        entered = manager if current is None or current.kept else _Entering(manager, current)
        return original(entered)  # type: ignore[no-any-return]

    return contextmanager_in_threadpool


@dataclass(slots=True)
class _Entering(AbstractContextManager[T]):
    manager: AbstractContextManager[T]
    current: Handling

    def __enter__(self) -> T:
        value = self.manager.__enter__()
        releasing.enter(self.current.request)
        return value

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self.manager.__exit__(kind, error, traceback)


# --- exit -----------------------------------------------------------------------------------------------------------


def _running(original: Function) -> Function:
    async def run_endpoint_function(*, dependant: Any, values: dict[str, Any], is_coroutine: bool) -> Any:
        current = handling.get()
        endpoint = current.call if current is not None else None
        if current is None or current.kept or not isinstance(endpoint, Endpoint) or not _is_understood(endpoint):
            return await original(dependant=dependant, values=values, is_coroutine=is_coroutine)
        try:
            if is_coroutine:
                returned = await original(dependant=dependant, values=values, is_coroutine=True)
                if current.request.stirred:
                    await releasing.end_all_reads_async(current.request)
                returned = _validated(endpoint, returned)
            else:
                watched = Calling(_in_thread(endpoint, dependant.call), dependant)
                returned = await original(dependant=watched, values=values, is_coroutine=False)
            if current.request.stirred and _may_settle(endpoint):
                await releasing.settle_async(current, _status(endpoint, returned))
                if _is_complete(endpoint, returned) and releasing.work_left(current.request):
                    await _end_dependencies(current)
        except BaseException as error:
            explain(error, current.let_go_by)
            raise
        current.has_let_go = True
        return returned

    return run_endpoint_function


def _in_thread(endpoint: Endpoint, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(**values: Any) -> Any:
        returned = function(**values)
        releasing.end_all_reads(endpoint.handling.request)
        returned = _validated(endpoint, returned)
        if _may_settle(endpoint):
            releasing.settle(endpoint.handling, _status(endpoint, returned))
        else:
            releasing.end_all_reads(endpoint.handling.request)
        return returned

    return _named_like(function, call)


def _named_like(function: Callable[..., Any], call: T) -> T:
    """What telemetry names an endpoint by."""
    for name in ("__module__", "__qualname__"):
        if hasattr(function, name):
            setattr(call, name, getattr(function, name))
    return call


def _validated(endpoint: Endpoint, returned: Any) -> Any:
    """Read out of the session's objects what the response needs, while the session can still be asked.

    Only what is valid is committed, as when FastAPI validates before it ends the dependencies. Without a response
    model, what can't be encoded must not be committed either.
    """
    if isinstance(returned, Response):
        return returned
    field = endpoint.route.response_field
    if field is None:
        return jsonable_encoder(returned) if releasing.work_left(endpoint.handling.request) else returned
    endpoint.answer = Answer(returned, field)
    return returned


def _is_understood(endpoint: Endpoint) -> bool:
    """Whether the answer can be validated here: the field of pydantic 1 is another, and so are FastAPI's steps."""
    field = getattr(endpoint.route, "response_field", endpoint)
    return field is None or hasattr(field, "serialize")


def _may_settle(endpoint: Endpoint) -> bool:
    return endpoint.answer is None or not endpoint.answer.errors


def _status(endpoint: Endpoint, returned: Any) -> int:
    response = returned if isinstance(returned, Response) else endpoint.response
    return response.status_code or 200


def _is_complete(endpoint: Endpoint, returned: Any) -> bool:
    """Whether all that is left to do is to send bytes: nothing can use a session any more."""
    if endpoint.background is not None and endpoint.background.tasks:
        return False
    if isinstance(returned, Response):
        return returned.background is None and hasattr(returned, "body")  # a stream or a file has none
    response_class = endpoint.route.response_class
    return getattr(response_class, "value", response_class).__call__ is Response.__call__


async def _end_dependencies(current: Handling) -> None:
    """Run what comes after the yields, the last dependency first, as FastAPI would; an error is the endpoint's."""
    while current.dependencies:
        await current.dependencies.pop().aclose()


def _serialising(original: Function) -> Function:
    async def serialize_response(*, response_content: Any, **options: Any) -> Any:
        current = handling.get()
        answer = current.call.answer if current is not None and isinstance(current.call, Endpoint) else None
        if answer is None or answer.content is not response_content or options.get("field") is None:
            return await original(response_content=response_content, **options)
        options["field"], options["is_coroutine"] = answer, True  # no thread is needed to look up what is known
        return await original(response_content=response_content, **options)

    return serialize_response
