"""D: a background task opens a session of its own, and is not given one that belongs to the request."""

import ast
from collections.abc import Iterator
from functools import partial

from letgo.fix.edits import Edit
from letgo.fix.imports import from_code, from_library
from letgo.fix.nodes import Definition
from letgo.fix.patient import Patient
from letgo.fix.repair import Draft, Proposal, drafted, together
from letgo.fix.syntax import Syntax
from letgo.fix.texts import Unfixable
from letgo.holds import Finding
from letgo.lifetime.dependencies import Dependency
from letgo.source.names import FunctionSymbol, VariableSymbol
from letgo.source.program import Call, Function, Name
from letgo.source.walk import calls, places

KIND = "a session of the task's own"


def propose(patient: Patient) -> Proposal:
    return together(
        drafted(KIND, patient.site, (finding,), partial(_separate, patient, finding)) for finding in patient.of("LG303")
    )


def _separate(patient: Patient, finding: Finding, draft: Draft) -> None:
    statement = patient.statement_at(finding.site.line)
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="add_task"), args=[task, *arguments], keywords=keywords)):
            pass
        case _:
            raise Unfixable("it is no add_task() that stands by itself: give the task ids, and a session of its own")
    symbol = patient.meaning(task)
    if not isinstance(symbol, FunctionSymbol) or symbol.owner is not None:
        raise Unfixable("the task is no function that letgo knows: give it ids, and a session of its own")
    sessions = {ending.parameter for ending in patient.endings} | {param.name for param, _ in patient.injected}
    given = [arg for arg in arguments if isinstance(arg, ast.Name) and arg.id in sessions]
    if len(given) != 1 or keywords or any(isinstance(arg, ast.Starred) for arg in arguments):
        raise Unfixable("which of its arguments is the session is not certain")
    dependency = patient.dependency_of(given[0].id)
    syntax, node = _definition(patient, symbol)
    _refuse_other_callers(patient, symbol)
    position = arguments.index(given[0])
    maker = _maker(patient, dependency)
    name, edits = from_code(patient.names, symbol.module, syntax, maker)
    opener = f"{name}()"
    if patient.ward.style == "runtime":
        unit, added = from_library(syntax, "letgo.runtime", "fresh_session")
        opener, edits = f"{unit}({name})", [*edits, *added]
    draft.edit(
        symbol.module.path, *edits, *_own_session(syntax, node, position, opener, _is_async(patient, given[0].id))
    )
    before = arguments[position - 1] if position else task
    draft.edit(patient.path, Edit(patient.syntax.end(before), patient.syntax.end(given[0]), ""))
    draft.doubt("the task sees only what is committed before it runs, and its work is a transaction of its own")


def _is_async(patient: Patient, parameter: str) -> bool:
    return any(ending.is_async for ending in patient.endings if ending.parameter == parameter)


def _definition(patient: Patient, symbol: FunctionSymbol) -> tuple[Syntax, Definition]:
    syntax = patient.ward.syntaxes.get(symbol.module.path)
    node = syntax.definitions.get(symbol.function.line) if syntax else None
    if syntax is None or node is None or symbol.function.is_generator:
        raise Unfixable(f"`{symbol.function.name}` was not read, or is no plain function")
    return syntax, node


def _refuse_other_callers(patient: Patient, symbol: FunctionSymbol) -> None:
    """The task's parameter goes: nobody else may give it a session."""
    if sum(1 for _ in _users(patient, symbol)) != 1:
        raise Unfixable(f"`{symbol.function.name}` is used in other places, too, which give it a session")


def _users(patient: Patient, symbol: FunctionSymbol) -> Iterator[Function]:
    """The functions that name the task, unless the name means something else to them."""
    name = symbol.function.name
    for place in places(patient.names, (name,)):
        inner = place.function.functions
        if place.function is symbol.function or any(name in function.mentions for function in inner):
            continue
        meant = patient.names.resolve(place.module, Name(name), place.function)
        if meant is None or meant == symbol:
            yield place.function


def _maker(patient: Patient, dependency: Dependency | None) -> VariableSymbol:
    """The factory that the dependency makes its sessions with."""
    callee = dependency.callable if dependency else None
    if isinstance(callee, FunctionSymbol):
        for call in calls(callee.function):
            match call:
                case Call(func=Name()):
                    symbol = patient.names.resolve(callee.module, call.func, callee.function)
                    if isinstance(symbol, VariableSymbol):
                        return symbol
    raise Unfixable("what the session is made with is not known")


def _own_session(syntax: Syntax, node: Definition, position: int, opener: str, is_async: bool) -> Iterator[Edit]:
    parameters = [*node.args.posonlyargs, *node.args.args]
    if position >= len(parameters) or node.args.defaults:
        raise Unfixable(f"`{node.name}` does not take the session by its position alone")
    parameter = parameters[position]
    if position + 1 < len(parameters):
        yield Edit(syntax.start(parameter), syntax.start(parameters[position + 1]), "")
    elif position:
        yield Edit(syntax.end(parameters[position - 1]), syntax.end(parameter), "")
    else:
        yield Edit(syntax.start(parameter), syntax.end(parameter), "")
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if not body or (is_async and not isinstance(node, ast.AsyncFunctionDef)):
        raise Unfixable(f"`{node.name}` can't open such a session")
    header = f"{'async ' if is_async else ''}with {opener} as {parameter.arg}:"
    yield syntax.before(body[0], header)
    yield from syntax.indented(body[0], body[-1], syntax.unit(node))
