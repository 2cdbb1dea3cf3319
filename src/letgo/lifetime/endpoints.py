"""The functions that FastAPI and Starlette call for a request, and what they are declared with."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from letgo.lifetime.dependencies import Dependency, dependencies_of, field_dependencies
from letgo.lifetime.routers import Making, Router, Routers
from letgo.source.definitions import assigned
from letgo.source.names import ClassSymbol, External, FunctionSymbol, Names, VariableSymbol
from letgo.source.program import Attr, Call, Const, Expr, Field, Group, Item, Module, Name, Sequence
from letgo.source.walk import Place, calls, places

__all__ = ["Dependency", "Endpoint", "dependencies_of", "endpoints", "field_dependencies"]

Kind = Literal["http", "websocket"]

VERBS = frozenset(("get", "post", "put", "delete", "patch", "options", "head", "trace"))
DECORATORS = VERBS | {"api_route", "websocket", "route", "websocket_route"}
METHODS = frozenset(("add_api_route", "add_api_websocket_route", "add_route", "add_websocket_route"))
ROUTES = frozenset(("Route", "WebSocketRoute", "APIRoute", "APIWebSocketRoute"))
PLAIN = frozenset(("route", "websocket_route", "add_route", "add_websocket_route", "Route", "WebSocketRoute"))
"""What Starlette offers: nothing is injected, and nothing is done to what the function returns."""
CONVENTIONAL_NAMES = ("router", "app", "api")


class Endpoint(NamedTuple):
    """One route and the function behind it; a function with two routes is two endpoints.

    `path` begins with the prefixes that can be read from the code. `route` is the call that declares it.
    `response_model` tells whether the return value is validated and serialised against a type, in a worker thread for
    a `def` endpoint; `sends_as_is` that it is a response, by the signature. `dependencies` are those of the app,
    of inclusions, of the router and of the route, in this order; `fields` those of the class-based view it is a method
    of, which reads them as `self.name`. The parameters' own are in `dependencies_of`.
    """

    module: Module
    function: FunctionSymbol
    kind: Kind
    methods: tuple[str, ...]
    path: str
    route: Call
    response_model: bool
    sends_as_is: bool
    status_code: int | None
    dependencies: tuple[Dependency, ...]
    fields: tuple[tuple[Field, Dependency], ...]
    line: int


class _Declared(NamedTuple):
    """A route before its routers were asked. `how` is the method or class that declares it."""

    how: str
    making: Making
    routers: tuple[Router, ...]
    function: FunctionSymbol


def endpoints(names: Names) -> tuple[Endpoint, ...]:
    """All endpoints of the code base, by path and line."""
    routers = Routers(names)
    found = [_endpoint(names, routers, declared) for declared in _declared(names, routers)]
    return tuple(sorted(found, key=lambda each: (each.module.path, each.line, each.route.line)))


def _declared(names: Names, routers: Routers) -> Iterator[_Declared]:
    for place in places(names, DECORATORS):
        for decorator in place.function.decorators:
            match decorator:
                case Call(func=Attr(value=receiver, name=verb)) if verb in DECORATORS:
                    found = _receivers(names, routers, place, receiver)
                    if found or (verb not in PLAIN and _looks_like_a_route(names, place, receiver, decorator)):
                        function = names.function_symbol(place.module, place.function, place.owner)
                        yield _Declared(verb, Making(place.module, place.around, decorator), found, function)
    for place in places(names, METHODS | ROUTES):
        for call in calls(place.function):
            yield from _registered(names, routers, place, call)


def _registered(names: Names, routers: Routers, place: Place, call: Call) -> Iterator[_Declared]:
    """The routes that a call adds: `router.add_api_route("/", function)`, or `Route("/", function)` in a list."""
    found: tuple[Router, ...] = ()
    match call.func:
        case Attr(value=receiver, name=how) if how in METHODS:
            found = routers.find(place.module, place.function, place.instance, receiver)
            if not found and not _looks_like_a_route(names, place, receiver, call):
                return
        case Name(id=how) | Attr(name=how):
            made = names.resolve(place.module, call.func, place.function)
            if not isinstance(made, External) or not made.dotted.startswith(("starlette.", "fastapi.")):
                return
            how = made.dotted.rpartition(".")[2]
            if how not in ROUTES:
                return
    target = _argument(call, 1, "endpoint", "route")
    if target is not None:
        for function in _called(names, place, target):
            yield _Declared(how, Making(place.module, place.function, call), found, function)


def _called(names: Names, place: Place, target: Expr) -> Iterator[FunctionSymbol]:
    """What a route calls: a function, `self.method`, or the methods of a Starlette endpoint class."""
    match names.resolve(place.module, target, place.function):
        case FunctionSymbol() as function:
            yield function
        case ClassSymbol() as cls:
            for verb in (*sorted(VERBS), "on_connect", "on_receive", "on_disconnect"):
                method = names.find_method(cls, verb)
                if method is not None:
                    yield method
        case None if isinstance(target, Attr) and isinstance(target.value, Name) and place.instance is not None:
            method = names.find_method(place.instance, target.name)
            if method is not None:
                yield method


# --- is it a route ---------------------------------------------------------------------------------------------------


def _receivers(names: Names, routers: Routers, place: Place, receiver: Expr) -> tuple[Router, ...]:
    """The routers that a decorator belongs to. In a class body, a name may be the class's own."""
    if place.owner is not None and isinstance(receiver, Name):
        field = names.find_field(place.owner, receiver.id)
        if field is not None and field[1].value is not None:
            return routers.find(field[0].module, place.around, None, field[1].value)
    return routers.find(place.module, place.around, place.instance, receiver)


def _looks_like_a_route(names: Names, place: Place, receiver: Expr, call: Call) -> bool:
    """The last resort, by convention: `router.get("/items")` where nothing tells what `router` is."""
    match receiver:
        case Name(id=name) | Attr(name=name):
            path = _argument(call, 0, "path")
            is_path = isinstance(path, Const) and isinstance(path.value, str) and path.value[:1] in ("", "/")
            is_called_so = name in CONVENTIONAL_NAMES or name.endswith(("_router", "_app", "_api"))
            return is_path and is_called_so and not _is_something_else(names, place, receiver)
    return False


def _is_something_else(names: Names, place: Place, receiver: Expr) -> bool:
    match names.resolve(place.module, receiver, place.around):
        case None:
            values = []
            if isinstance(receiver, Name):
                values = [step.value for target, step in assigned(place.around) if target == receiver.id]
            home, function = place.module, place.around
        case VariableSymbol(module=home, name=name):
            values, function = [step.value for step in names.assignments(home, name)], home.body
        case _:
            return True
    makers = [names.resolve(home, value.func, function) for value in values if isinstance(value, Call)]
    return any(isinstance(maker, External) for maker in makers)


# --- what it is declared with ----------------------------------------------------------------------------------------


def _endpoint(names: Names, routers: Routers, declared: _Declared) -> Endpoint:
    how, making, found, function = declared
    call = making.call
    inherited = {
        (each.callable or id(each.expr), each.scope): each for router in found for each in routers.dependencies(router)
    }
    own = routers.listed(making) if how not in PLAIN else ()
    return Endpoint(
        module=function.module,
        function=function,
        kind="websocket" if "websocket" in how.lower() else "http",
        methods=_methods(how, call),
        path=(routers.prefix(found[0]) if found else "") + _text(_argument(call, 0, "path")),
        route=call,
        response_model=how not in PLAIN and _has_response_model(names, function, call),
        sends_as_is=_sends_as_is(names, function, making),
        status_code=_status_code(call),
        dependencies=(*inherited.values(), *own),
        fields=field_dependencies(names, function.owner) if function.owner is not None else (),
        line=function.function.line,
    )


def _argument(call: Call, position: int, *keywords: str) -> Expr | None:
    if position < len(call.args):
        return call.args[position]
    return next((value for name, value in call.keywords if name in keywords), None)


def _text(expr: Expr | None) -> str:
    return expr.value if isinstance(expr, Const) and isinstance(expr.value, str) else ""


def _methods(how: str, call: Call) -> tuple[str, ...]:
    if how in VERBS:
        return (how.upper(),)
    if "websocket" in how.lower():
        return ()
    match dict(call.keywords).get("methods"):
        case Sequence(items=items):
            return tuple(_text(item).upper() for item in items if _text(item))
    return ("GET",)


def _status_code(call: Call) -> int | None:
    match dict(call.keywords).get("status_code"):
        case Const(value=int() as code):
            return code
        case Attr(name=name) | Name(id=name):  # starlette.status.HTTP_204_NO_CONTENT
            digits = name.removeprefix("HTTP_")[:3]
            return int(digits) if digits.isdecimal() else None
    return None


def _sends_as_is(names: Names, function: FunctionSymbol, making: Making) -> bool:
    """Whether what is returned is a response: by `response_class=`, which says so where it is no class that renders
    whatever it is given, or by the return annotation."""
    given = _response_class(names, making) or ""
    if given.endswith("Response") and not given.endswith(("JSONResponse", "HTMLResponse")):
        return True
    returns = function.function.returns
    if isinstance(returns, Item) and returns.value == Name("Optional"):
        returns = returns.key
    parts = returns.parts if isinstance(returns, Group) else (returns,)
    return any(_names_response(names, function, part) for part in parts) and all(
        part == Const(None) or _names_response(names, function, part) for part in parts
    )


def _names_response(names: Names, function: FunctionSymbol, annotation: Expr | None) -> bool:
    if not isinstance(annotation, Name | Attr):
        return False
    match names.resolve(function.module, annotation, names.enclosing(function.module, function.function)):
        case External() as symbol:
            return _is_response(symbol)
        case ClassSymbol() as cls:
            return any(isinstance(base, External) and _is_response(base) for base in names.mro(cls))
    return False


def _response_class(names: Names, making: Making) -> str | None:
    given = dict(making.call.keywords).get("response_class")
    match given and names.resolve(making.module, given, making.function):
        case External(dotted=dotted):
            return dotted
        case ClassSymbol(cls=cls):
            return cls.qualname
    return None


def _has_response_model(names: Names, function: FunctionSymbol, call: Call) -> bool:
    """Whether FastAPI makes a response field: from `response_model=`, else from the return annotation.

    https://fastapi.tiangolo.com/tutorial/response-model/
    """
    given = dict(call.keywords)
    if "response_model" in given:
        return given["response_model"] != Const(None)
    returns = function.function.returns
    if returns is None or returns == Const(None) or function.function.is_generator:
        return False
    annotation = returns.value if isinstance(returns, Item) else returns
    return not _names_response(names, function, annotation)


def _is_response(symbol: External) -> bool:
    return symbol.dotted.startswith(("starlette.", "fastapi.", "sse_starlette.")) and symbol.dotted.endswith("Response")
