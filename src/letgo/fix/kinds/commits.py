"""LG505: what was written is committed."""

import ast

from letgo.fix.kinds.returns import return_after
from letgo.fix.kinds.waits import is_async
from letgo.fix.nodes import With, own_nodes
from letgo.fix.patient import Patient
from letgo.fix.releasing import Session, is_entered_with
from letgo.fix.repair import NOTHING, Draft, Proposal, drafted
from letgo.fix.texts import Unfixable
from letgo.holds import Misuse, MisuseKind

KIND = "commit what is written"


def propose(patient: Patient) -> Proposal:
    findings = patient.of("LG505")
    misuses = [misuse for misuse in patient.misuses if misuse.kind is MisuseKind.UNCOMMITTED]
    if not findings or not misuses:
        return NOTHING

    def write(draft: Draft) -> None:
        draft.doubt("what was never saved until now is saved: see that nobody counts on its being dropped")
        for misuse in misuses:
            _commit(patient, misuse, draft)

    return drafted(KIND, patient.site, findings, write)


def _commit(patient: Patient, misuse: Misuse, draft: Draft) -> None:
    name = patient.variable(misuse.session)
    if name is None:
        raise Unfixable(f"the function has no one name for the session of `{misuse.session.name}`")
    session = Session(name, is_async(patient, name))
    for end in _ends(patient, name):
        if isinstance(end, ast.Return):
            if is_entered_with(patient, end, name):
                raise Unfixable(f"it returns inside of a `with` of `{name}`, which ends the transaction itself")
            if any(isinstance(node, ast.ExceptHandler) for node in patient.syntax.above(end)):
                continue
            draft.edit(patient.path, *return_after(patient, end, None, [session.commit]))
        else:
            draft.edit(patient.path, patient.syntax.after(end, session.commit))


def _ends(patient: Patient, name: str) -> list[ast.stmt]:
    """Where the work with the session ends: the returns that leave writes behind, the end of its `with`."""
    for node in own_nodes(patient.node):
        if isinstance(node, With) and any(
            isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name for item in node.items
        ):
            return [node.body[-1]]
    lines = {ending.line for ending in patient.endings if ending.parameter == name and ending.dirty}
    returns: list[ast.stmt] = [node for node in patient.returns() if node.lineno in lines]
    last = patient.node.body[-1]
    if patient.node.end_lineno in lines and not isinstance(last, ast.Return | ast.Raise):
        returns.append(last)
    if not returns:
        raise Unfixable("it does not say where its work with the session ends")
    return returns
