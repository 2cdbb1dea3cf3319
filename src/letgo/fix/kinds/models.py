"""An ORM object that is returned, made into the response model while its session is open."""

import ast
from typing import NamedTuple

from letgo.fix.nodes import assigned, free_name, stores
from letgo.fix.patient import Patient, dotted
from letgo.fix.plain import Values, is_mapped, is_model
from letgo.lifetime.categories import last_name
from letgo.source.names import ClassSymbol, External, FunctionSymbol
from letgo.source.program import Attr, Call, Const, Field, Item, Name

ONE = frozenset("get get_one scalar scalar_one scalar_one_or_none first one one_or_none merge".split())
MANY = frozenset("all fetchall unique".split())


class Made(NamedTuple):
    """The source of a value as the endpoint's response model. `certain` if the value is a row or several for sure."""

    source: str
    certain: bool


def validated(patient: Patient, values: Values, value: ast.expr) -> Made | None:
    """The value as FastAPI would make it; None where there is no model, or where it does not fit."""
    model = _response_model(patient)
    if model is None:
        return None
    cls, source, several = model
    if not (_reads_attributes(patient, cls) or _uses_pydantic_2(patient)):
        return None
    count = _rows(patient, values, value)
    if count is not None and (count > 1) is not several:
        return None
    more = "" if _reads_attributes(patient, cls) else ", from_attributes=True"
    what = patient.syntax.source(value)
    if not several:
        return Made(f"{source}.model_validate({what}{more})", count is not None)
    row = free_name(patient.node, "row", "item")
    return Made(f"[{source}.model_validate({row}{more}) for {row} in {what}]", count is not None)


def may_not_fit(patient: Patient, values: Values, value: ast.expr | None) -> bool:
    """Whether FastAPI may refuse to make the response model of a value: an error, after the release."""
    model = _response_model(patient)
    if model is None:
        return False
    match value:
        case ast.Call(func=func) if isinstance(found := patient.meaning(func), External):
            return not found.dotted.startswith(("fastapi.", "starlette."))
        case ast.ListComp(elt=element) if model[2]:
            value = element
        case _ if model[2]:
            return True
    made = values.class_of(value) if value is not None else None
    return made is None or model[0] not in patient.names.mro(made)


def _response_model(patient: Patient) -> tuple[ClassSymbol, str, bool] | None:
    """The class, how the code writes it, and whether a list of it is answered."""
    node = _declared(patient)
    several = False
    match node:
        case ast.Subscript(value=ast.Name(id="list" | "List"), slice=inner):
            node, several = inner, True
    if node is None or dotted(node) is None:
        return None
    cls = patient.meaning(node)
    if isinstance(cls, ClassSymbol) and is_model(values_of(patient), cls):
        return cls, patient.syntax.source(node), several
    return None


def values_of(patient: Patient) -> Values:
    return Values(patient, frozenset())


def _declared(patient: Patient) -> ast.expr | None:
    for decorator in patient.node.decorator_list:
        if isinstance(decorator, ast.Call):
            for keyword in decorator.keywords:
                if keyword.arg == "response_model":
                    return keyword.value
    return patient.node.returns


def _uses_pydantic_2(patient: Patient) -> bool:
    return not patient.ward.mentions.isdisjoint({"model_validate", "model_dump", "ConfigDict", "model_config"})


def _reads_attributes(patient: Patient, cls: ClassSymbol) -> bool:
    """Whether the model says itself that it reads attributes."""
    for base in patient.names.mro(cls):
        if isinstance(base, External):
            continue
        if ("from_attributes", Const(True)) in base.cls.keywords:
            return True
        match patient.names.find_field(base, "model_config"):
            case (_, Field(value=Call(keywords=keywords))) if ("from_attributes", Const(True)) in keywords:
                return True
    return False


def _rows(patient: Patient, values: Values, node: ast.expr, depth: int = 0) -> int | None:
    """1 for a row, 2 for several, None when that is not what the value is for certain."""
    match node:
        case ast.Await(value=inner):
            return _rows(patient, values, inner, depth)
        case ast.Call(func=ast.Attribute(value=receiver, attr=method)) if _leads_to(receiver, values.sessions):
            return 1 if method in ONE else 2 if method in MANY else None
        case ast.Name(id=name) if depth < 3:
            value = patient.reaching(node)
            if value is not None:
                return _rows(patient, values, value, depth + 1)
            counts = {_rows(patient, values, part, depth + 1) for part in assigned(patient.node).get(name, ())}
            if counts:
                return counts.pop() if len(counts) == 1 and _is_only_assigned(patient, name) else None
            return _injected(patient, values, name)
        case ast.Call(func=func) if isinstance(symbol := patient.meaning(func), FunctionSymbol):
            return _declared_rows(values, symbol)
    cls = values.class_of(node)
    return 1 if cls is not None and is_mapped(values, cls) else None


def is_row(patient: Patient, values: Values, value: ast.expr) -> bool:
    """Whether a value is certain to be a row, or several, and may need its session when it is read."""
    return _rows(patient, values, value) is not None


def _injected(patient: Patient, values: Values, parameter: str) -> int | None:
    dependency = patient.dependency_of(parameter)
    callee = dependency.callable if dependency else None
    if not isinstance(callee, FunctionSymbol) or callee.function.is_generator or stores(patient.node, parameter):
        return None
    return _declared_rows(values, callee)


def _declared_rows(values: Values, symbol: FunctionSymbol) -> int | None:
    """The same of what a function says that it returns."""
    count, annotation = 1, symbol.function.returns
    if isinstance(annotation, Item) and last_name(annotation.value) in ("list", "List", "Sequence"):
        count, annotation = 2, annotation.key
    if not isinstance(annotation, Name | Attr):
        return None
    function = values.names.enclosing(symbol.module, symbol.function)
    cls = values.names.resolve(symbol.module, annotation, function)
    return count if isinstance(cls, ClassSymbol) and is_mapped(values, cls) else None


def _is_only_assigned(patient: Patient, name: str) -> bool:
    return stores(patient.node, name) == len(assigned(patient.node).get(name, ()))


def _leads_to(node: ast.expr, sessions: frozenset[str]) -> bool:
    """Whether a chain of calls and attributes begins at a session."""
    match node:
        case ast.Name(id=name):
            return name in sessions
        case ast.Attribute(value=inner) | ast.Call(func=inner) | ast.Await(value=inner):
            return _leads_to(inner, sessions)
    return False
