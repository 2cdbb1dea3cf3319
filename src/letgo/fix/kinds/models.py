"""An ORM object that is returned, made into the response model while its session is open."""

import ast

from letgo.fix.patient import Patient, dotted
from letgo.fix.plain import Values, is_model
from letgo.fix.syntax import free_name, own_nodes
from letgo.source.names import ClassSymbol, External
from letgo.source.program import Call, Const, Field

ONE = frozenset("get get_one scalar scalar_one scalar_one_or_none first one one_or_none merge".split())
MANY = frozenset("all fetchall unique".split())


def validated(patient: Patient, values: Values, value: ast.expr) -> str | None:
    """The source of the value as the endpoint's response model; None when it is not certain to be a row or several."""
    model = _response_model(patient)
    if model is None:
        return None
    cls, source, several = model
    if not (_reads_attributes(patient, cls) or _uses_pydantic_2(patient)):
        return None
    count = _rows(patient, values, value)
    if count is None or (count > 1) is not several:
        return None
    more = "" if _reads_attributes(patient, cls) else ", from_attributes=True"
    what = patient.syntax.source(value)
    if not several:
        return f"{source}.model_validate({what}{more})"
    row = free_name(patient.node, "row", "item")
    return f"[{source}.model_validate({row}{more}) for {row} in {what}]"


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
            made = [
                part.value
                for part in own_nodes(patient.node)
                if isinstance(part, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in part.targets)
            ]
            counts = {_rows(patient, values, part, depth + 1) for part in made}
            return counts.pop() if len(counts) == 1 and _is_bound_once(patient, name, len(made)) else None
    return None


def _is_bound_once(patient: Patient, name: str, assignments: int) -> bool:
    stored = [
        node
        for node in ast.walk(patient.node)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    ]
    return len(stored) == assignments


def _leads_to(node: ast.expr, sessions: frozenset[str]) -> bool:
    """Whether a chain of calls and attributes begins at a session."""
    match node:
        case ast.Name(id=name):
            return name in sessions
        case ast.Attribute(value=inner) | ast.Call(func=inner) | ast.Await(value=inner):
            return _leads_to(inner, sessions)
    return False
