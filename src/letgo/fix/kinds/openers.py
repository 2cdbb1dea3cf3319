"""A session that nobody is certain to close is opened by a `with`, and ends there on every path."""

import ast
from functools import partial

from letgo.fix.edits import Edit
from letgo.fix.imports import from_library
from letgo.fix.kinds.waits import is_async
from letgo.fix.nodes import names_in
from letgo.fix.ownership import BLOCKS
from letgo.fix.patient import Patient
from letgo.fix.plain import Values
from letgo.fix.repair import Draft, Proposal, drafted, together
from letgo.fix.texts import Unfixable
from letgo.holds import MisuseKind
from letgo.lifetime.categories import last_name
from letgo.source.names import FunctionSymbol, VariableSymbol
from letgo.source.program import Attr, Call
from letgo.source.walk import calls

KIND = "open the session with `with`"
KINDS = {
    MisuseKind.NEVER_CLOSED: "LG501",
    MisuseKind.ERROR_PATH: "LG502",
    MisuseKind.FINALISED_GENERATOR: "LG503",
}


def propose(patient: Patient) -> Proposal:
    return together(
        drafted(KIND, patient.site, cured, partial(_wrap, patient, misuse.session.site.line))
        for misuse, cured in patient.misused(KINDS)
    )


def _wrap(patient: Patient, line: int, draft: Draft) -> None:
    """Raises Unfixable when the session may be needed after its block."""
    statement = patient.statement_at(line)
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value):
            pass
        case _:
            raise Unfixable(f"line {line} does not just give the session a name")
    syntax = patient.syntax
    block = syntax.block(statement)
    rest = block[block.index(statement) + 1 :]
    if not rest or patient.is_rebound(name):
        raise Unfixable(f"`{name}` is bound more than once, or not used in its block")
    _refuse_escapes(patient, statement, rest, name)
    awaited = is_async(patient, name)
    opener = _opener(patient, value, draft)
    unit = syntax.unit(patient.node)
    header = f"{'async ' if awaited else ''}with {opener} as {name}:"
    draft.edit(patient.path, Edit(syntax.start(statement), syntax.end(statement), header))
    draft.edit(patient.path, *syntax.indented(rest[0], rest[-1], unit))
    for number in range(statement.lineno + 1, rest[0].lineno):  # comments between
        if syntax.line(number).strip():
            draft.edit(patient.path, Edit(syntax.starts[number - 1], syntax.starts[number - 1], unit))


def _refuse_escapes(patient: Patient, statement: ast.stmt, rest: list[ast.stmt], name: str) -> None:
    first, last = statement.lineno, rest[-1].end_lineno or rest[-1].lineno
    values = Values(patient, frozenset({name}))
    for node in ast.walk(patient.node):
        match node:
            case ast.Name(id=found) if found == name and not first <= node.lineno <= last:
                raise Unfixable(f"line {node.lineno} uses `{name}` outside of the block that it is made in")
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if node is not patient.node:
                if name in names_in(node):
                    raise Unfixable(f"the function in line {node.lineno} may use `{name}` later")
            case ast.Yield() | ast.YieldFrom():
                raise Unfixable(f"it hands out values in line {node.lineno} while the session is open")
            case ast.Assign(targets=targets, value=ast.Name(id=found)) if found == name:
                if any(not isinstance(target, ast.Name) for target in targets):
                    raise Unfixable(f"line {node.lineno} keeps `{name}` elsewhere")
            case ast.Return(value=ast.expr() as value) if name in names_in(value) and not values.is_plain(value):
                if isinstance(value, ast.Name) or _makes_object(patient, value, name):
                    raise Unfixable(f"line {node.lineno} hands `{name}` on")


def _makes_object(patient: Patient, value: ast.expr, name: str) -> bool:
    """Whether a value keeps the session: an object made with it, a container of it."""
    match value:
        case ast.Call(func=func) if isinstance(patient.meaning(func), FunctionSymbol):
            return False
        case ast.Await() | ast.Call(func=ast.Attribute()):
            return False
    return True


def _opener(patient: Patient, value: ast.Call, draft: Draft) -> str:
    """What the `with` enters. `next(get_db())` runs the generator to its end, as FastAPI would."""
    syntax = patient.syntax
    match value:
        case ast.Call(func=ast.Name(id="next"), args=[ast.Call() as made, *_]):
            symbol = patient.meaning(made.func)
            if not isinstance(symbol, FunctionSymbol) or not symbol.function.is_generator or symbol.function.is_async:
                raise Unfixable("what `next` is called on is no plain generator function of the code base")
            if any(
                isinstance(call.func, Attr) and call.func.name in ("commit", *BLOCKS) for call in calls(symbol.function)
            ):
                draft.doubt(f"`{symbol.function.name}` commits at its end, which did not happen until now")
            manager, edits = from_library(syntax, "contextlib", "contextmanager")
            draft.edit(patient.path, *edits)
            arguments = syntax.text[syntax.end(made.func) : syntax.end(made)]
            return f"{manager}({syntax.source(made.func)}){arguments}"
    maker = patient.meaning(value.func)
    if isinstance(maker, VariableSymbol):
        for step in patient.names.assignments(maker.module, maker.name):
            if isinstance(step.value, Call) and last_name(step.value.func) == "scoped_session":
                raise Unfixable("the session is shared by its thread: end it with remove() where the work ends")
    return syntax.source(value)
