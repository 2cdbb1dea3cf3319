"""D: what a stream reads from the database is read before the response begins, and the session let go."""

import ast
from functools import partial

from letgo.fix.edits import Edit
from letgo.fix.kinds.waits import is_async
from letgo.fix.nodes import free_name, names_in, own_nodes
from letgo.fix.patient import Patient
from letgo.fix.releasing import Session
from letgo.fix.repair import Draft, Proposal, drafted, together
from letgo.fix.texts import Unfixable
from letgo.holds import Finding
from letgo.source.names import FunctionSymbol

KIND = "read before the stream"
CODES = ("LG302", "LG304")


def propose(patient: Patient) -> Proposal:
    return together(
        drafted(KIND, patient.site, (finding,), partial(_read_first, patient, finding))
        for finding in patient.of(*CODES)
    )


def _read_first(patient: Patient, finding: Finding, draft: Draft) -> None:
    if patient.symbol.function.is_generator:
        raise Unfixable("it hands out rows while its session is open: read a page of rows at a time, each in a session")
    statement = patient.statement_at(finding.site.line)
    call = _response(statement)
    if statement is None or call is None:
        raise Unfixable("the response is not made where it is returned")
    name = _session(patient)
    body = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "content"), None)
    if body is None:
        raise Unfixable("what the response streams is not written out")
    stream = _stream(patient, body)
    syntax = patient.syntax
    session = Session(name, is_async(patient, name))
    source = syntax.source(body)
    taken = free_name(patient.node, "parts", "chunks")
    part = free_name(patient.node, "part", "chunk")
    made = f"[{part} async for {part} in {source}]" if stream.function.is_async else f"list({source})"
    draft.edit(patient.path, Edit(syntax.start(body), syntax.end(body), f"iter({taken})"))
    draft.edit(patient.path, syntax.before(statement, f"{taken} = {made}", session.commit, session.close))
    draft.doubt("all of it is in memory before the first byte is sent, and a failure becomes an error response")


def _response(statement: ast.stmt | None) -> ast.Call | None:
    match statement:
        case ast.Return(value=ast.Call(func=func) as call) | ast.Assign(value=ast.Call(func=func) as call):
            name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
            return call if name == "StreamingResponse" else None
    return None


def _session(patient: Patient) -> str:
    """The session that the function asks for, where it asks for one."""
    names = {ending.parameter for ending in patient.endings}
    if len(names) != 1:
        raise Unfixable("it asks for several sessions, or for none by itself")
    (name,) = names
    if patient.is_rebound(name):
        raise Unfixable(f"`{name}` is bound more than once, so it may be another session")
    return name


def _stream(patient: Patient, body: ast.expr) -> FunctionSymbol:
    """The generator that the response runs."""
    if isinstance(body, ast.Call):
        symbol = patient.meaning(body.func)
        if isinstance(symbol, FunctionSymbol) and symbol.function.is_generator:
            _refuse_endless(patient, symbol)
            return symbol
    raise Unfixable("what the response streams is no generator that letgo knows: read what it needs first")


def _refuse_endless(patient: Patient, symbol: FunctionSymbol) -> None:
    syntax = patient.ward.syntaxes.get(symbol.module.path)
    node = syntax.definitions.get(symbol.function.line) if syntax else None
    if node is None:
        raise Unfixable(f"the generator `{symbol.function.name}` was not read")
    for part in own_nodes(node):
        if isinstance(part, ast.While) and (isinstance(part.test, ast.Constant) or not names_in(part.test)):
            raise Unfixable(f"`{symbol.function.name}` may never end: give it a session of its own for each round")
