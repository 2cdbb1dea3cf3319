"""What FastAPI injects: `Depends(...)` in defaults, in `Annotated`, in aliases of either, and in lists of dependencies.

https://fastapi.tiangolo.com/reference/dependencies/
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from letgo.source.definitions import assigned
from letgo.source.names import ClassSymbol, External, FunctionSymbol, Names, Symbol, VariableSymbol
from letgo.source.program import (
    Attr,
    Call,
    Comprehension,
    Const,
    Either,
    Expr,
    Field,
    Function,
    Group,
    Item,
    Lambda,
    Module,
    Name,
    Param,
    Sequence,
    Star,
)
from letgo.source.walk import calls, returned

T = TypeVar("T")

_DEPTH = 5
"""How many aliases, wrappers and nested lists are followed: more than anyone writes, and an end to cycles."""


class Dependency(NamedTuple):
    """One `Depends(...)` or `Security(...)`.

    `callable` is what will be called: a function, a class, something external, or a module-level variable (an instance
    with `__call__`, a function made by another). Where `expr` makes it (`Depends(Role("admin"))`), it is the method
    `__call__` or the inner function. It is None where names alone don't tell. `expr` stands in `function` of `module`.
    `annotation` is the type that the parameter is declared with.
    """

    callable: Symbol | None
    expr: Expr
    scope: str | None
    use_cache: bool
    line: int
    module: Module
    function: Function | None
    annotation: Expr | None


class Found(NamedTuple):
    """An expression, and where it stands."""

    module: Module
    function: Function | None
    expr: Expr


def dependencies_of(
    names: Names, module: Module, function: Function, outer: Function | None = None
) -> tuple[tuple[Param, Dependency], ...]:
    """The parameters of `function` that FastAPI fills with dependencies, in order.

    `outer` is the function that `function` is defined in; it is looked up when not given.
    """
    around = outer or names.enclosing(module, function)
    found = []
    for param in function.params:
        dependency = _injected(names, module, around, param.default, param.annotation)
        if dependency is not None:
            found.append((param, dependency))
    return tuple(found)


def field_dependencies(names: Names, cls: ClassSymbol) -> tuple[tuple[Field, Dependency], ...]:
    """The fields that a class-based view or a dataclass dependency declares as dependencies, also in its bases."""
    found: dict[str, tuple[Field, Dependency]] = {}
    for base in names.mro(cls):
        if isinstance(base, ClassSymbol):
            around = names.enclosing(base.module, base.cls)
            for field in base.cls.fields:
                if field.name not in found:
                    dependency = _injected(names, base.module, around, field.value, field.annotation)
                    if dependency is not None:
                        found[field.name] = (field, dependency)
    return tuple(found.values())


def listed_dependencies(
    names: Names, module: Module, function: Function | None, expr: Expr, depth: int = 0
) -> Iterator[Dependency]:
    """The dependencies in a `dependencies=` argument: a list, a variable that holds one, a function that makes one."""
    if depth > _DEPTH:
        return
    found = _depends(names, Found(module, function, expr))
    if found is not None:
        yield _dependency(names, found, None)
        return
    for part in _parts(names, Found(module, function, expr)):
        yield from listed_dependencies(names, *part, depth + 1)


def _parts(names: Names, found: Found) -> Iterator[Found]:
    module, function, expr = found
    match expr:
        case Sequence(items=parts) | Group(parts=parts) | Either(options=parts):
            yield from (Found(module, function, part) for part in parts)
        case Star(value=part) | Comprehension(element=part):
            yield Found(module, function, part)
        case Call(func=func):
            made_by = names.resolve(module, func, function)
            if isinstance(made_by, FunctionSymbol):
                yield from (Found(made_by.module, made_by.function, value) for value in returned(made_by.function))
        case Name() | Attr():
            yield from values_of(names, found)
            if isinstance(expr, Name) and function is not None:
                yield from (Found(module, function, item) for item in _appended(function, expr))


def _appended(function: Function, target: Name) -> Iterator[Expr]:
    for call in calls(function):
        match call:
            case Call(func=Attr(value=value, name="append"), args=(item,)) if value == target:
                yield item


def values_of(names: Names, found: Found) -> Iterator[Found]:
    """What a variable or class attribute is set to."""
    module, function, expr = found
    match names.resolve(module, expr, function):
        case VariableSymbol(module=home, name=name):
            yield from (Found(home, None, step.value) for step in names.assignments(home, name) if step.value)
        case None:
            match expr:
                case Name(id=name) if function is not None:
                    yield from (
                        Found(module, function, step.value)
                        for target, step in assigned(function)
                        if target == name and step.value
                    )
                case Attr(value=value, name=name):
                    owner = names.resolve(module, value, function)
                    field = names.find_field(owner, name) if isinstance(owner, ClassSymbol) else None
                    if field is not None and field[1].value is not None:
                        yield Found(field[0].module, None, field[1].value)


def _injected(
    names: Names, module: Module, around: Function | None, default: Expr | None, annotation: Expr | None
) -> Dependency | None:
    if default is not None and not isinstance(default, Const):
        found = _depends(names, Found(module, around, default))
        if found is not None:
            return _dependency(names, found, annotation and Found(module, around, annotation))
    if annotation is None:
        return None
    declared = Found(module, around, annotation)
    # With several, FastAPI takes the last: `fastapi_annotations[-1]` in fastapi/dependencies/utils.py.
    for metadata in reversed(_metadata(names, declared)):
        found = _depends(names, metadata)
        if found is not None:
            return _dependency(names, found, _declared_type(names, declared))
    return None


def _depends(names: Names, found: Found, depth: int = 0) -> Found | None:
    """The call of `Depends` that an expression is, holds in a variable, or gets from a function."""
    if depth > _DEPTH:
        return None
    match found.expr:
        case Call(func=func):
            made_by = names.resolve(found.module, func, found.function)
            if _is_depends(names, made_by):
                return found
            if isinstance(made_by, FunctionSymbol):
                inner = (Found(made_by.module, made_by.function, value) for value in returned(made_by.function))
                return _first(_depends(names, value, depth + 1) for value in inner)
        case Name() | Attr():
            return _first(_depends(names, value, depth + 1) for value in values_of(names, found))
    return None


def _is_depends(names: Names, symbol: Symbol | None) -> bool:
    match symbol:
        case External(dotted=dotted):
            root, _, rest = dotted.partition(".")
            return root == "fastapi" and rest.rpartition(".")[2] in ("Depends", "Security")
        case ClassSymbol():
            return any(isinstance(base, External) and _is_depends(names, base) for base in names.mro(symbol))
    return False


def _dependency(names: Names, found: Found, declared: Found | None) -> Dependency:
    """`declared` is the type of the parameter: what `Depends()` without an argument calls."""
    call = found.expr
    assert isinstance(call, Call)
    given = dict(call.keywords)
    what = call.args[0] if call.args else given.get("dependency", Const(None))
    target = found._replace(expr=what)
    if what == Const(None) and declared is not None:
        target = declared
    scope = given.get("scope")
    return Dependency(
        callable=callable_of(names, target),
        expr=target.expr,
        scope=scope.value if isinstance(scope, Const) and isinstance(scope.value, str) else None,
        use_cache=given.get("use_cache") != Const(False),
        line=call.line,
        module=target.module,
        function=target.function,
        annotation=declared.expr if declared else None,
    )


def callable_of(names: Names, target: Found, depth: int = 0) -> Symbol | None:
    module, function, expr = target
    if depth > _DEPTH:
        return None
    match expr:
        case Lambda(place=place):
            return names.function_symbol(module, (function or module.body).functions[place])
        case Item(value=value):
            return callable_of(names, target._replace(expr=value), depth + 1)
        case Call():
            return _made_callable(names, target, expr, depth)
        case Name() | Attr():
            symbol = names.resolve(module, expr, function)
            if symbol is not None:
                return symbol
            owner = instance_class(names, module, function, expr.value) if isinstance(expr, Attr) else None
            if owner is not None and isinstance(expr, Attr):
                return names.find_method(owner, expr.name)
            for assigned_to in values_of(names, target):
                found = callable_of(names, assigned_to, depth + 1)
                if found is not None:
                    return found
    return None


def _made_callable(names: Names, target: Found, call: Call, depth: int) -> Symbol | None:
    """What is called where a call makes the dependency: the function it returns, or its instance's `__call__`."""
    match names.resolve(target.module, call.func, target.function):
        case External(dotted="functools.partial") if call.args:
            return callable_of(names, target._replace(expr=call.args[0]), depth + 1)
        case ClassSymbol() as cls:
            return names.find_method(cls, "__call__")
        case FunctionSymbol(module=home, function=maker):
            made = (callable_of(names, Found(home, maker, value), depth + 1) for value in returned(maker))
            return _first(symbol for symbol in made if isinstance(symbol, FunctionSymbol))
    return None


def _first(found: Iterable[T | None]) -> T | None:
    return next((each for each in found if each is not None), None)


def instance_class(names: Names, module: Module, function: Function | None, expr: Expr) -> ClassSymbol | None:
    """The class of the code base that `expr` makes an instance of, or that a module-level variable holds one of."""
    match expr:
        case Call(func=func):
            symbol = names.resolve(module, func, function)
            return symbol if isinstance(symbol, ClassSymbol) else None
        case Name() | Attr():
            symbol = names.resolve(module, expr, function)
            if isinstance(symbol, VariableSymbol):
                for step in names.assignments(symbol.module, symbol.name):
                    if isinstance(step.value, Call):
                        return instance_class(names, symbol.module, None, step.value)
    return None


def _metadata(names: Names, declared: Found, depth: int = 0) -> list[Found]:
    """What `Annotated` adds to a type, innermost first, through aliases."""
    module, function, annotation = declared
    if depth > _DEPTH:
        return []
    match annotation:
        case Item(value=value, key=Sequence(items=(inner, *added))) if _is_annotated(names, module, function, value):
            nested = _metadata(names, Found(module, function, inner), depth + 1)
            return [*nested, *(Found(module, function, item) for item in added)]
        case Item(value=alias):  # a generic alias, as in `Page[User]`
            return _metadata(names, Found(module, function, alias), depth + 1)
        case Name() | Attr():
            for alias_of in values_of(names, declared):
                found = _metadata(names, alias_of, depth + 1)
                if found:
                    return found
    return []


def _declared_type(names: Names, declared: Found, depth: int = 0) -> Found:
    """The type without `Annotated` and aliases."""
    module, function, annotation = declared
    if depth > _DEPTH:
        return declared
    match annotation:
        case Item(value=value, key=Sequence(items=(inner, *_))) if _is_annotated(names, module, function, value):
            return _declared_type(names, Found(module, function, inner), depth + 1)
        case Name() | Attr():
            for alias_of in values_of(names, declared):
                return _declared_type(names, alias_of, depth + 1)
    return declared


def _is_annotated(names: Names, module: Module, function: Function | None, expr: Expr) -> bool:
    symbol = names.resolve(module, expr, function)
    return isinstance(symbol, External) and symbol.dotted.endswith(".Annotated")
