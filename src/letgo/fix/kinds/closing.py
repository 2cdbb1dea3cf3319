"""LG401, LG402: what still needs the session moves to where the session is open."""

import ast
from functools import partial

from letgo.fix.edits import insert
from letgo.fix.kinds.returns import return_after
from letgo.fix.nodes import With, spelled
from letgo.fix.patient import Patient
from letgo.fix.repair import Draft, Proposal, drafted, together
from letgo.fix.texts import Unfixable
from letgo.holds import Misuse, MisuseKind

KIND = "let go after the last use"
KINDS = {MisuseKind.REOPENED: "LG401", MisuseKind.DETACHED: "LG402"}


def propose(patient: Patient) -> Proposal:
    return together(
        drafted(KIND, patient.site, cured, partial(_cure, patient, misuse)) for misuse, cured in patient.misused(KINDS)
    )


def _cure(patient: Patient, misuse: Misuse, draft: Draft) -> None:
    name = patient.variable(misuse.session)
    statement = patient.statement_at(misuse.site.line)
    if name is None or statement is None:
        raise Unfixable(f"the function has no one name for the session of `{misuse.session.name}`")
    _move(patient, name, statement, draft)


def _move(patient: Patient, name: str, statement: ast.stmt, draft: Draft) -> None:
    """Moves the close below the statement, or the statement into the `with`. Raises Unfixable."""
    syntax = patient.syntax
    block = syntax.block(statement)
    place = block.index(statement)
    for earlier in range(place - 1, -1, -1):
        found = block[earlier]
        if isinstance(found, With) and _opens(found, name):
            _extend(patient, found, block[earlier + 1 : place + 1], draft)
            return
        if _closes(found, name):
            code = syntax.source(found)
            draft.edit(patient.path, syntax.without(found))
            if isinstance(statement, ast.Return):
                draft.edit(patient.path, *return_after(patient, statement, None, [code]))
            else:
                draft.edit(patient.path, syntax.after(statement, code))
            return
    raise Unfixable("where the session is let go and where it is used are in different blocks")


def _opens(node: With, name: str) -> bool:
    return any(isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name for item in node.items)


def _closes(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=func)) | ast.Expr(value=ast.Await(value=ast.Call(func=func))):
            return (
                isinstance(func, ast.Attribute)
                and func.attr in ("close", "aclose", "rollback", "commit")
                and spelled(func.value) == name
            )
    return False


def _extend(patient: Patient, opener: With, statements: list[ast.stmt], draft: Draft) -> None:
    """Moves statements in that stand below a `with`."""
    syntax = patient.syntax
    outer, inner = syntax.indent(opener), syntax.indent(opener.body[0])
    if not inner.startswith(outer) or isinstance(opener.body[-1], ast.Return | ast.Raise):
        raise Unfixable("the `with` can't be made longer")
    unit = inner[len(outer) :]
    draft.edit(patient.path, *syntax.indented(statements[0], statements[-1], unit))
    for number in range((opener.end_lineno or opener.lineno) + 1, statements[0].lineno):
        if syntax.line(number).strip():
            draft.edit(patient.path, insert(syntax.starts[number - 1], unit))
