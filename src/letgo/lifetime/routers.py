"""FastAPI's apps and routers: which one an expression means, what is included where, what all its routes depend on.

https://fastapi.tiangolo.com/tutorial/bigger-applications/
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from letgo.lifetime.dependencies import Dependency, instance_class, listed_dependencies
from letgo.source.definitions import assigned
from letgo.source.names import ClassSymbol, External, FunctionSymbol, Names, Symbol, VariableSymbol
from letgo.source.program import (
    Attr,
    Await,
    Bind,
    Call,
    Const,
    Dict,
    Either,
    Expr,
    Function,
    Group,
    Module,
    Name,
    Next,
    Sequence,
    Star,
)
from letgo.source.walk import Place, assigned_to_attribute, calls, places, returned

_ROOTS = ("fastapi", "starlette")
_CLASSES = ("FastAPI", "Router", "Starlette")


class Making(NamedTuple):
    """A call that makes a router or includes it in another, and where it stands."""

    module: Module
    function: Function | None
    call: Call


@dataclass(frozen=True, slots=True, eq=False)
class Router:
    """An app or a router. `makings` are the calls of its class and, in a subclass, of `super().__init__`.

    Nothing is known of the making of one that a function is given.
    """

    makings: tuple[Making, ...]


class Inclusion(NamedTuple):
    parent: Router
    making: Making


class Routers:
    """Finds the routers of a code base, and remembers them: each is one object."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._found: dict[tuple[object, ...], tuple[Router, ...]] = {}
        self._inclusions: dict[Router, list[Inclusion]] | None = None
        self._dependencies: dict[Router, tuple[Dependency, ...]] = {}

    # --- which router ------------------------------------------------------------------------------------------------

    def find(
        self, module: Module, function: Function | None, instance: ClassSymbol | None, expr: Expr
    ) -> tuple[Router, ...]:
        """The routers that `expr` may mean where it stands; `instance` is the class that `self` means there."""
        match expr:
            case Name(id=name):
                symbol = self._names.resolve(module, expr, function)
                if symbol is not None or function is None:
                    return self._of_symbol(symbol)
                return self._local(module, function, instance, name)
            case Attr(value=value, name=name):
                if name == "router":  # `app.router` is where an app keeps its routes
                    found = self.find(module, function, instance, value)
                    if found:
                        return found
                symbol = self._names.resolve(module, expr, function)
                return self._of_symbol(symbol) or self._attribute(module, function, instance, value, name)
            case Call():
                return self._made(module, function, expr)
            case Sequence(items=parts) | Either(options=parts) | Group(parts=parts):
                return tuple(router for part in parts for router in self.find(module, function, instance, part))
            case Await(value=value) | Bind(value=value) | Star(value=value):
                return self.find(module, function, instance, value)
        return ()

    def _of_symbol(self, symbol: Symbol | None) -> tuple[Router, ...]:
        if not isinstance(symbol, VariableSymbol):
            return ()
        if (symbol,) not in self._found:
            self._found[(symbol,)] = ()
            module = symbol.module
            values = [step.value for step in self._names.assignments(module, symbol.name) if step.value is not None]
            values += _iterated(module.body, symbol.name)
            found = [router for value in values for router in self.find(module, None, None, value)]
            self._found[(symbol,)] = tuple(dict.fromkeys(found))
        return self._found[(symbol,)]

    def _local(self, module: Module, function: Function, instance: ClassSymbol | None, name: str) -> tuple[Router, ...]:
        """A variable or parameter of the function or of one around it."""
        scope: Function | None = function
        while scope is not None and name not in scope.names:
            scope = self._names.enclosing(module, scope)
        if scope is None:
            return ()
        key = (id(scope), name)
        if key not in self._found:
            self._found[key] = ()
            values = [step.value for target, step in assigned(scope) if target == name and step.value is not None]
            values += _iterated(scope, name)
            found = [router for value in values for router in self.find(module, scope, instance, value)]
            found += self._parameter(module, scope, name)
            self._found[key] = tuple(dict.fromkeys(found))
        return self._found[key]

    def _parameter(self, module: Module, function: Function, name: str) -> tuple[Router, ...]:
        """What the callers of a function give it; failing that, what the parameter is declared to be."""
        for position, param in enumerate(function.params):
            if param.name == name:
                found = [router for given in self._given(function, position) for router in given]
                declared = param.annotation and self._names.resolve(module, param.annotation, function)
                if not found and self._is_router(declared):
                    found.append(Router(()))
                return tuple(found)
        return ()

    def _given(self, function: Function, position: int) -> Iterator[tuple[Router, ...]]:
        for place in places(self._names, {function.name}):
            for call in calls(place.function):
                match self._names.resolve(place.module, call.func, place.function):
                    case FunctionSymbol(function=called) if called is function:
                        given = call.args[position] if position < len(call.args) else None
                        given = dict(call.keywords).get(function.params[position].name, given)
                        if given is not None:
                            yield self.find(place.module, place.function, place.instance, given)

    def _attribute(
        self, module: Module, function: Function | None, instance: ClassSymbol | None, value: Expr, name: str
    ) -> tuple[Router, ...]:
        if isinstance(value, Name) and instance is not None and self._names.resolve(module, value, function) is None:
            return self._of_instance(instance, name)
        owner = instance_class(self._names, module, function, value)
        return self._of_instance(owner, name) if owner is not None else ()

    def _of_instance(self, cls: ClassSymbol, name: str) -> tuple[Router, ...]:
        """`self.name`, by the class's fields and by what its methods assign."""
        if (cls, name) not in self._found:
            self._found[(cls, name)] = ()
            found: list[Router] = []
            for base in self._names.mro(cls):
                if isinstance(base, ClassSymbol):
                    for method in base.cls.methods:
                        for value in assigned_to_attribute(method, name):
                            found += self.find(base.module, method, base, value)
            field = self._names.find_field(cls, name)
            if field is not None and field[1].value is not None:
                found += self.find(field[0].module, None, None, field[1].value)
            self._found[(cls, name)] = tuple(dict.fromkeys(found))
        return self._found[(cls, name)]

    def _made(self, module: Module, function: Function | None, call: Call) -> tuple[Router, ...]:
        key = (id(call),)
        if key not in self._found:
            self._found[key] = ()
            match self._names.resolve(module, call.func, function):
                case External() | ClassSymbol() as cls if self._is_router(cls):
                    inner = self._super_calls(cls) if isinstance(cls, ClassSymbol) else ()
                    self._found[key] = (Router((*inner, Making(module, function, call))),)
                case FunctionSymbol(module=home, function=maker, owner=owner):
                    found = [router for value in returned(maker) for router in self.find(home, maker, owner, value)]
                    self._found[key] = tuple(dict.fromkeys(found))
        return self._found[key]

    def _super_calls(self, cls: ClassSymbol) -> tuple[Making, ...]:
        method = self._names.find_method(cls, "__init__")
        if method is None:
            return ()
        return tuple(
            Making(method.module, method.function, call)
            for call in calls(method.function)
            if isinstance(call.func, Attr) and call.func.name == "__init__"
        )

    def _is_router(self, symbol: Symbol | None) -> bool:
        match symbol:
            case External(dotted=dotted):
                root, _, rest = dotted.partition(".")
                return root.startswith(_ROOTS) and rest.rpartition(".")[2].endswith(_CLASSES)
            case ClassSymbol():
                return any(isinstance(base, External) and self._is_router(base) for base in self._names.mro(symbol))
        return False

    # --- what is included where --------------------------------------------------------------------------------------

    def dependencies(self, router: Router) -> tuple[Dependency, ...]:
        """What every route of `router` depends on, outermost first: of its parents, its inclusions, its own.

        A router included in several places has the dependencies of all.
        """
        if router not in self._dependencies:
            self._dependencies[router] = _distinct(self._gathered(router, frozenset()))
        return self._dependencies[router]

    def _gathered(self, router: Router, within: frozenset[Router]) -> Iterator[Dependency]:
        for parent, making in self._included(router):
            if parent not in within:
                yield from self._gathered(parent, within | {router})
                yield from self.listed(making)
        for making in router.makings:
            yield from self.listed(making)

    def listed(self, making: Making) -> Iterator[Dependency]:
        """The dependencies in a call's `dependencies=`."""
        for name, value in making.call.keywords:
            if name == "dependencies":
                yield from listed_dependencies(self._names, making.module, making.function, value)

    def prefix(self, router: Router, within: frozenset[Router] = frozenset()) -> str:
        """The path that all routes of `router` begin with, where it is first included; what is computed is left out."""
        own = "".join(_prefix(making.call) for making in router.makings)
        for parent, making in self._included(router):
            if parent not in within:
                return self.prefix(parent, within | {router}) + _prefix(making.call) + own
        return own

    def _included(self, router: Router) -> list[Inclusion]:
        if self._inclusions is None:
            self._inclusions = {}
            for place in places(self._names, {"include_router"}):
                for call in calls(place.function):
                    if isinstance(call.func, Attr) and call.func.name == "include_router":
                        for one in self._spread(place, call):
                            self._note_inclusion(self._inclusions, place, one, call.func.value)
        return self._inclusions.get(router, [])

    def _spread(self, place: Place, call: Call) -> Iterator[Call]:
        """`include_router(**options)` once for each dictionary that a loop gives `options`."""
        options = next((value for name, value in call.keywords if name is None), None)
        if not isinstance(options, Name):
            yield call
            return
        for source in _iterated(place.function, options.id):
            for given in self._dictionaries(place, source, 0):
                pairs = zip(given.keys, given.values, strict=True)
                spread = [(key.value, value) for key, value in pairs if isinstance(key, Const)]
                yield call._replace(keywords=tuple((name, value) for name, value in spread if isinstance(name, str)))

    def _dictionaries(self, place: Place, expr: Expr, depth: int) -> Iterator[Dict]:
        match expr:
            case Dict():
                yield expr
            case Sequence(items=parts) | Group(parts=parts):
                for part in parts:
                    yield from self._dictionaries(place, part, depth)
            case Name(id=name) if depth < 3:
                for target, step in assigned(place.function):
                    if target != name or step.value is None:
                        continue
                    value: Expr = step.value
                    yield from self._dictionaries(place, value, depth + 1)

    def _note_inclusion(self, noted: dict[Router, list[Inclusion]], place: Place, call: Call, into: Expr) -> None:
        included = call.args[0] if call.args else dict(call.keywords).get("router")
        if included is None:
            return
        inclusions = [
            Inclusion(parent, Making(place.module, place.function, call))
            for parent in self.find(place.module, place.function, place.instance, into)
        ]
        for child in self.find(place.module, place.function, place.instance, included):
            noted.setdefault(child, []).extend(each for each in inclusions if each.parent is not child)


def _distinct(dependencies: Iterator[Dependency]) -> tuple[Dependency, ...]:
    return tuple({(each.callable or id(each.expr), each.scope): each for each in dependencies}.values())


def _prefix(call: Call) -> str:
    for name, value in call.keywords:
        if name == "prefix" and isinstance(value, Const) and isinstance(value.value, str):
            return value.value
    return ""


def _iterated(function: Function, name: str) -> list[Expr]:
    """The items that a `for` loop over a written-out sequence, or one kept in a variable, gives a variable."""
    found: list[Expr] = []
    for block in function.blocks:
        for step in block.steps:
            if isinstance(step, Next) and isinstance(step.iterable, Name):
                sources = [each.value for target, each in assigned(function) if target == step.iterable.id]
                found.extend(item for source in sources for item in _taken(step.target, source, name))
    return found


def _taken(target: Expr, source: Expr | None, name: str) -> Iterator[Expr]:
    match target:
        case Name(id=taken) if taken == name and source is not None:
            yield source
        case Sequence(items=targets) if isinstance(source, Sequence) and Name(name) in targets:
            position = targets.index(Name(name))
            for row in source.items:
                if isinstance(row, Sequence) and position < len(row.items):
                    yield row.items[position]
