"""Where one call leads both to the query and to the wait, the session is let go between them, in what is called."""

import ast
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from letgo.fix.nodes import Definition, spelled
from letgo.fix.patient import Patient
from letgo.fix.texts import Unfixable
from letgo.holds import Site
from letgo.source.names import FunctionSymbol


def parted(opened: Sequence[Site], wait: Sequence[Site]) -> int:
    """How many calls the ways from the function to the query and to the wait share; 0 where they part in it.

    A way begins at a line of the function and ends at the place itself.
    """
    shared = 0
    for one, other in zip(opened[:-1], wait[:-1], strict=False):
        if one != other:
            break
        shared += 1
    return shared


def inside(patient: Patient, name: str, ways: tuple[Sequence[Site], Sequence[Site]], calls: int) -> tuple[Patient, str]:
    """The function in which the two ways part, and what it calls the session. Raises Unfixable."""
    opened, wait = ways
    for call, below in pairwise(opened[: calls + 1]):
        symbol = patient.ward.functions.get((below.path, below.function))
        syntax = patient.ward.syntaxes.get(below.path)
        node = syntax.definitions.get(symbol.function.line) if syntax and symbol else None
        if symbol is None or syntax is None or node is None:
            raise Unfixable(f"`{below.function}` was not read")
        name = _given(patient, call, symbol, node, name)
        site = Site(below.path, symbol.function.line, below.function)
        patient = replace(patient, site=site, symbol=symbol, syntax=syntax, node=node)
    if (wait[calls].path, wait[calls].function) != (patient.path, patient.site.function):
        raise Unfixable(f"the way to the wait is not understood in `{patient.site.function}`")
    if patient.is_rebound(name):
        raise Unfixable(f"`{name}` is bound more than once in `{patient.site.function}`")
    return patient, name


def _given(patient: Patient, place: Site, symbol: FunctionSymbol, node: Definition, name: str) -> str:
    """What the called function calls a session that its caller calls `name`. Raises Unfixable."""
    statement = patient.statement_at(place.line)
    calls = [part for part in ast.walk(statement) if isinstance(part, ast.Call)] if statement else []
    named = [call for call in calls if spelled(call.func).rpartition(".")[2] == symbol.function.name]
    found = {_parameter(call, symbol, node, name) for call in named}
    if len(found) == 1 and (parameter := found.pop()) is not None:
        return parameter
    on_self = all(spelled(call.func).startswith("self.") for call in named)
    if name.startswith("self.") and symbol.owner is not None and on_self:
        return name
    raise Unfixable(f"what `{symbol.function.name}` calls the session is not certain")


def _parameter(call: ast.Call, symbol: FunctionSymbol, node: Definition, name: str) -> str | None:
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    for keyword in call.keywords:
        if keyword.arg is not None and spelled(keyword.value) == name:
            return keyword.arg
    parameters = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    static = any(spelled(decorator) == "staticmethod" for decorator in node.decorator_list)
    offset = 1 if symbol.owner is not None and not static else 0
    for position, argument in enumerate(call.args, offset):
        if spelled(argument) == name and position < len(parameters):
            return parameters[position]
    return None
