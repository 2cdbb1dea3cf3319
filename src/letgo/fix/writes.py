"""What a function may have written before a place: a release there would save it, whatever comes after."""

import ast
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias

from letgo.fix.nodes import Definition, assigned, below, names_in, own_nodes, spelled
from letgo.fix.patient import Patient, dotted
from letgo.lifetime.dependencies import instance_class
from letgo.lifetime.sqlalchemy import WRITES
from letgo.source.names import ClassSymbol, FunctionSymbol, Names
from letgo.source.program import Attr, Call, Name
from letgo.source.walk import calls

STATEMENTS = frozenset({"insert", "update", "delete", "text"})
READS = frozenset(
    "execute scalar scalars get get_one query exec stream stream_scalars refresh commit rollback close expunge "
    "expunge_all expire begin in_transaction get_bind no_autoflush".split()
)
Act: TypeAlias = ast.Call | ast.Assign | ast.AugAssign
Loop: TypeAlias = ast.For | ast.AsyncFor | ast.While

DEEPEST = 6
"""Calls down to which writes are looked for; what lies deeper is taken to write."""


def written_before(patient: Patient, session: str, line: int) -> str:
    """What may have been written through the session before a line, in words; empty when it was only read."""
    seen: set[int] = set()
    for node in filter(_runs_before(patient, line), _acts(patient.node)):
        match node:
            case ast.Assign(targets=targets) if any(_is_attribute(target) for target in targets):
                return f"line {node.lineno} sets an attribute, which may be a row's"
            case ast.AugAssign(target=ast.Attribute()):
                return f"line {node.lineno} changes an attribute, which may be a row's"
            case ast.Call(func=ast.Attribute(value=receiver, attr=method)) if spelled(receiver) == session:
                if method in WRITES or method not in READS or _states_a_write(node):
                    return f"line {node.lineno} writes"
            case ast.Call() if _is_given(patient, node, session):
                if said := _of_callee(patient, node, seen):
                    return f"line {node.lineno} {said}"
    return ""


def _runs_before(patient: Patient, line: int) -> Callable[[ast.stmt | ast.expr], bool]:
    """Tells what may run before a line: it stands above, or in a loop around both."""
    loops = [loop for loop in _loops(patient.node) if loop.lineno < line <= (loop.end_lineno or line)]

    def before(node: ast.stmt | ast.expr) -> bool:
        around = (loop.lineno <= node.lineno <= (loop.end_lineno or 0) for loop in loops)
        return (node.end_lineno or node.lineno) < line or any(around)

    return before


@lru_cache(maxsize=512)
def _acts(definition: Definition) -> tuple[Act, ...]:
    """What a function does that may write, in the order of the text."""
    acts = (node for node in own_nodes(definition) if isinstance(node, Act))
    return tuple(sorted(acts, key=lambda node: (node.lineno, node.col_offset)))


@lru_cache(maxsize=512)
def _loops(definition: Definition) -> tuple[Loop, ...]:
    return tuple(node for node in own_nodes(definition) if isinstance(node, Loop))


def _is_attribute(target: ast.expr) -> bool:
    match target:
        case ast.Attribute(value=ast.Name(id="self" | "cls")):
            return False
        case ast.Attribute():
            return True
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return any(map(_is_attribute, parts))
    return False


def _states_a_write(call: ast.Call) -> bool:
    nodes = below(call)
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return bool((names | attributes) & STATEMENTS)


def _is_given(patient: Patient, call: ast.Call, session: str) -> bool:
    """Whether a call gets the session, or is made on an object that was made with it."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if any(spelled(value) == session for value in given):
        return True
    match call.func:
        case ast.Attribute(value=ast.Name(id=name)):
            return any(session in names_in(value) for value in assigned(patient.node).get(name, ()))
    return False


def _of_callee(patient: Patient, call: ast.Call, seen: set[int]) -> str:
    symbol = _callee(patient, call)
    if symbol is None:
        return f"gives the session to `{patient.syntax.source(call.func)}`, which letgo can't follow"
    if isinstance(symbol, ClassSymbol):
        init = patient.names.find_method(symbol, "__init__")
        return "writes" if init is not None and _writes(patient.names, init, DEEPEST, seen) else ""
    return f"calls `{symbol.function.name}`, which may write" if _writes(patient.names, symbol, DEEPEST, seen) else ""


def _callee(patient: Patient, call: ast.Call) -> FunctionSymbol | ClassSymbol | None:
    match patient.meaning(call.func):
        case FunctionSymbol() | ClassSymbol() as symbol:
            return symbol
    match call.func:
        case ast.Attribute(value=value, attr=method):
            return _method(patient, value, method)
    return None


def _method(patient: Patient, receiver: ast.expr, method: str) -> FunctionSymbol | None:
    expr = dotted(receiver)
    owner = expr and instance_class(patient.names, patient.symbol.module, patient.symbol.function, expr)
    if not owner and isinstance(receiver, ast.Name):
        for node in own_nodes(patient.node):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)) if name == receiver.id:
                    symbol = patient.meaning(func)
                    owner = symbol if isinstance(symbol, ClassSymbol) else owner
    return patient.names.find_method(owner, method) if owner else None


def _writes(names: Names, symbol: FunctionSymbol, depth: int, seen: set[int]) -> bool:
    """Whether a function, or one that it calls, has a word of writing in it. Generous: it only makes letgo ask."""
    function = symbol.function
    if id(function) in seen:
        return False
    seen.add(id(function))
    if function.mentions & _WORDS:
        return True
    return any(depth == 0 or _writes(names, callee, depth - 1, seen) for callee in _callees(names, symbol))


_WORDS = frozenset({*WRITES, "insert", "update", "delete", "setattr"})


def _callees(names: Names, symbol: FunctionSymbol) -> Iterator[FunctionSymbol]:
    for call in calls(symbol.function):
        match call:
            case Call(func=Attr(value=Name(id="self"), name=method)) if symbol.owner is not None:
                found = names.find_method(symbol.owner, method)
            case _:
                meaning = names.resolve(symbol.module, call.func, symbol.function)
                found = meaning if isinstance(meaning, FunctionSymbol) else None
        if found is not None:
            yield found
