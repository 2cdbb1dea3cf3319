"""A dependency that has queried lets go before it returns: nobody after it can, without knowing of it."""

import ast
from collections.abc import Iterator

from letgo.fix.expiry import keeps_rows
from letgo.fix.kinds.returns import return_after
from letgo.fix.kinds.waits import is_async
from letgo.fix.nodes import own_nodes
from letgo.fix.patient import Patient
from letgo.fix.releasing import Session, is_entered_with, locks_rows
from letgo.fix.repair import NOTHING, Draft, Proposal, drafted
from letgo.fix.texts import Unfixable
from letgo.fix.writes import written_before
from letgo.holds import Source
from letgo.picture.words import leaves_open

KIND = "let go in the dependency"


def propose(patient: Patient) -> Proposal:
    holds = [hold for hold in patient.holds if any(leaves_open(hold, wait) for wait in hold.waits)]
    lines = {hold.opened_via[0].line if hold.opened_via else hold.opened.line for hold in holds}
    findings = tuple(finding for finding in patient.findings if finding.site.line in lines)
    if not holds or not findings:
        return NOTHING

    def write(draft: Draft) -> None:
        for source in dict.fromkeys(hold.session for hold in holds):
            _release(patient, source, draft)

    return drafted(KIND, patient.site, findings, write)


def _release(patient: Patient, source: Source, draft: Draft) -> None:
    name = patient.variable(source)
    if name is None:
        raise Unfixable(f"the function has no one name for the session of `{source.name}`")
    session = Session(name, is_async(patient, name))
    if not keeps_rows(patient, name):
        if session.is_async:
            raise Unfixable("its rows expire with a commit: make the session with expire_on_commit=False, then again")
        draft.doubt("rows that are read after the commit are loaded again, unless expire_on_commit=False")
    if locks_rows(patient):
        draft.doubt("the commit lets go of row locks, too")
    ends = list(_ends(patient))
    for statement in ends:
        if is_entered_with(patient, statement, name):
            raise Unfixable(f"it returns inside of a `with` of `{name}`, which ends the transaction itself")
        if said := written_before(patient, name, statement.lineno):
            draft.doubt(f"{said}, and that is saved even if the handler fails")
        if isinstance(statement, ast.Return):
            draft.edit(patient.path, *return_after(patient, statement, None, [session.commit], "value"))
        else:
            draft.edit(patient.path, patient.syntax.before(statement, session.commit))
    if not ends:
        raise Unfixable("it does not say where it returns")


def _ends(patient: Patient) -> Iterator[ast.stmt]:
    """The returns, or in a generator the one yield."""
    if not patient.symbol.function.is_generator:
        yield from patient.returns()
        return
    for node in own_nodes(patient.node):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield):
            yield node
