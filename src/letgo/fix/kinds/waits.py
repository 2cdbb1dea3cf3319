"""B, E: the session is let go before the code waits for another service, a sleep, a lock, a template, a second session.

A commit gives the connection back, and the session begins anew when it is used again.
"""

import ast
from collections.abc import Iterator
from dataclasses import replace
from itertools import dropwhile
from typing import NamedTuple

from letgo.fix.edits import Edit
from letgo.fix.expiry import keeps_rows
from letgo.fix.kinds.callees import inside, parted
from letgo.fix.nodes import With, free_name, names_in, own_nodes, spelled
from letgo.fix.patient import Patient
from letgo.fix.releasing import Session, doubts_of_callers, is_entered_with, locks_rows
from letgo.fix.repair import NOTHING, Draft, Left, Proposal, Repair
from letgo.fix.texts import Unfixable
from letgo.fix.writes import written_before
from letgo.holds import MisuseKind, Origin, Site, Source, WaitKind
from letgo.picture.words import file_and_line, leaves_open, outermost

KIND = "let go before the wait"
CODES = ("LG102", "LG201", "LG202", "LG203", "LG204", "LG504")
KINDS = frozenset({WaitKind.EXTERNAL, WaitKind.SLEEP, WaitKind.PROCESS, WaitKind.COMPUTE, WaitKind.RENDER})
FETCHED = frozenset("all fetchall list sorted tuple set scalars_all first one".split())


class Waiting(NamedTuple):
    """A session is open, since `opened` as the function sees it, while the function waits at `line`.

    `ways` are those from the function down to the query and to the wait.
    """

    source: Source
    opened: Site
    line: int
    site: Site
    renders: bool
    ways: tuple[tuple[Site, ...], tuple[Site, ...]] = ((), ())


def propose(patient: Patient) -> Proposal:
    findings = patient.of(*CODES)
    if not findings:
        return NOTHING
    repairs: list[Repair] = []
    left: list[Left] = []
    waits = list(_waits(patient))
    for finding in findings:
        # One finding tells of the first wait of a hold, and counts the others.
        own = [wait for wait in waits if wait.line == finding.site.line]
        opened = {wait.opened for wait in own}
        mine = [wait for wait in waits if wait in own or (wait.opened in opened and finding.code != "LG504")]
        draft = Draft()
        try:
            if not own:
                raise Unfixable("where it waits was not understood")
            for wait in mine:
                _release(patient, wait, draft)
        except Unfixable as reason:
            left.append(Left(finding, str(reason)))
            continue
        repairs += draft.repair(KIND, patient.site, (finding,))
    return Proposal(tuple(_together(repairs)), tuple(left))


def _together(repairs: list[Repair]) -> Iterator[Repair]:
    """The safe repairs as one and the unsafe as another: two waits of one transaction need each other."""
    for unsafe in (False, True):
        same = [repair for repair in repairs if bool(repair.unsafe) is unsafe]
        if same:
            edits = tuple(dict.fromkeys(edit for repair in same for edit in repair.edits))
            cures = tuple(finding for repair in same for finding in repair.cures)
            why = "; ".join(dict.fromkeys(repair.unsafe for repair in same if repair.unsafe))
            yield Repair(KIND, same[0].function, cures, edits, why)


def _waits(patient: Patient) -> Iterator[Waiting]:
    for hold in patient.holds:
        opened = outermost(patient.site, hold.opened, hold.opened_via)
        for wait in hold.waits:
            if wait.kind in KINDS and not leaves_open(hold, wait):
                site = outermost(patient.site, wait.site, wait.via)
                ways = (_way(patient.site, hold.opened, hold.opened_via), _way(patient.site, wait.site, wait.via))
                yield Waiting(hold.session, opened, site.line, wait.site, wait.kind is WaitKind.RENDER, ways)
    for misuse in patient.misuses:
        if misuse.kind is MisuseKind.NESTED:
            yield Waiting(misuse.session, patient.site, misuse.site.line, misuse.site, False)


def _way(function: Site, site: Site, via: tuple[Site, ...]) -> tuple[Site, ...]:
    """The lines that lead from a function to a place."""
    inner = dropwhile(lambda step: (step.path, step.function) != (function.path, function.function), via)
    return (*inner, site)


# --- one wait --------------------------------------------------------------------------------------------------------


def _release(patient: Patient, wait: Waiting, draft: Draft) -> None:
    """Raises Unfixable when nothing sound can be done here."""
    name = patient.variable(wait.source)
    if name is None:
        raise Unfixable(f"the function has no one name for the session of `{wait.source.name}`")
    statement = patient.statement_at(wait.line)
    if statement is None:
        raise Unfixable(f"line {wait.line} is in a function inside of this one")
    if is_entered_with(patient, statement, name):
        raise Unfixable(f"it waits inside of a `with` of `{name}`, which ends the transaction itself")
    _refuse_live_rows(patient, statement, name)
    session = Session(name, is_async(patient, name))
    calls = parted(*wait.ways)
    if calls and not (wait.renders and _call(statement)):
        _release_inside(patient, session, wait, calls, draft)
        return
    hoisted: list[str] = []
    if wait.opened.line == wait.line or statement.lineno <= wait.opened.line <= (statement.end_lineno or 0):
        hoisted = _hoisted(patient, statement, session, wait, draft)
    _doubt(patient, session, wait, statement, draft)
    moved = _later_commit(patient, statement, session) if wait.renders and not hoisted else None
    if moved is not None:
        draft.edit(patient.path, moved)
    place = statement if hoisted else _above_openers(patient, statement, wait, name)
    draft.edit(patient.path, patient.syntax.before(place, *hoisted, session.commit))


def _release_inside(patient: Patient, session: Session, wait: Waiting, calls: int, draft: Draft) -> None:
    """Lets go in the function where the ways to the query and to the wait part. Raises Unfixable."""
    opened, waiting = (way[calls] for way in wait.ways)
    callee, name = inside(patient, session.name, wait.ways, calls)
    statement = callee.statement_at(waiting.line)
    if statement is None or not opened.line < statement.lineno:
        where = f"{wait.site.function}` ({file_and_line(wait.site)})"
        raise Unfixable(f"line {wait.line} leads both to the query and to the wait in `{where}: let go between them")
    if is_entered_with(callee, statement, name):
        raise Unfixable(f"`{callee.node.name}` waits inside of a `with` of `{name}`, which ends the transaction itself")
    _refuse_live_rows(callee, statement, name)
    _doubt(patient, session, wait, statement, draft)
    if said := written_before(callee, name, statement.lineno):
        draft.doubt(f"{said}, and that is saved even if what comes after line {statement.lineno} fails")
    draft.doubt(f"whoever gives `{name}` to `{callee.node.name}` may count on one transaction")
    place = _above_openers(callee, statement, wait._replace(opened=opened), name)
    draft.edit(callee.path, callee.syntax.before(place, replace(session, name=name).commit))


def _above_openers(patient: Patient, statement: ast.stmt, wait: Waiting, session: str) -> ast.stmt:
    """The statement, or the `with` that it comes first in: what that enters, as a client, takes its time, too."""
    for node in patient.syntax.above(statement):
        if not isinstance(node, With) or node.body[0] is not statement or node.lineno <= wait.opened.line:
            break
        if any(session in names_in(item) for item in node.items):
            break
        statement = node
    return statement


def _doubt(patient: Patient, session: Session, wait: Waiting, statement: ast.stmt, draft: Draft) -> None:
    """What may be different afterwards."""
    for doubt in doubts_of_callers(patient, session.name) if patient.endpoint else ():
        draft.doubt(doubt)
    if not keeps_rows(patient, session.name):
        if session.is_async:
            raise Unfixable("its rows expire with a commit: make the session with expire_on_commit=False, then again")
        draft.doubt("rows that are read after the commit are loaded again, unless expire_on_commit=False")
    if locks_rows(patient):
        draft.doubt("the commit lets go of row locks, too")
    if wait.source.origin in (Origin.PARAMETER, Origin.ATTRIBUTE, Origin.GLOBAL):
        draft.doubt(f"whoever gave `{session.name}` may count on one transaction")
    if said := written_before(patient, session.name, statement.lineno):
        draft.doubt(f"{said}, and that is saved even if what comes after line {statement.lineno} fails")


def is_async(patient: Patient, name: str) -> bool:
    """Whether the function awaits what the session does, or opens it with `async with`."""
    if any(ending.parameter == name and ending.is_async for ending in patient.endings):
        return True
    for node in own_nodes(patient.node):
        match node:
            case ast.Await(value=ast.Call(func=ast.Attribute(value=receiver))) if spelled(receiver) == name:
                return True
            case ast.AsyncWith(items=items):
                if any(isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name for item in items):
                    return True
    return False


def _refuse_live_rows(patient: Patient, statement: ast.stmt, session: str) -> None:
    """A commit inside of a loop over a result that is still being fetched takes the cursor away."""
    for node in patient.syntax.above(statement):
        if isinstance(node, ast.For | ast.AsyncFor) and session in names_in(node.iter) and not _is_fetched(node.iter):
            raise Unfixable(f"the loop in line {node.lineno} still fetches rows: read them all before it, with .all()")


def _is_fetched(node: ast.expr) -> bool:
    match node:
        case ast.Await(value=inner):
            return _is_fetched(inner)
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name in FETCHED or not isinstance(node.func, ast.Attribute) or not _is_session_call(node)
    return False


def _is_session_call(node: ast.Call) -> bool:
    match node.func:
        case ast.Attribute(attr="query" | "execute" | "scalars" | "stream" | "stream_scalars" | "exec" | "yield_per"):
            return True
        case ast.Attribute(value=ast.Call() as inner):
            return _is_session_call(inner)
    return False


def _later_commit(patient: Patient, statement: ast.stmt, session: Session) -> Edit | None:
    """The deletion of a commit that stands right after the wait, and is to stand before it."""
    block = patient.syntax.block(statement)
    place = block.index(statement)
    if place + 1 < len(block):
        following = block[place + 1]
        if isinstance(following, ast.Expr) and patient.syntax.source(following) == session.commit:
            try:
                return patient.syntax.without(following)
            except Unfixable:
                return None
    return None


# --- a query inside of the waiting statement -------------------------------------------------------------------------


def _hoisted(patient: Patient, statement: ast.stmt, session: Session, wait: Waiting, draft: Draft) -> list[str]:
    """The statements that read, before the wait, what the waiting call is given. Raises Unfixable."""
    call = _call(statement)
    if call is None or not wait.renders:
        where = f"{wait.site.function}` ({file_and_line(wait.site)})"
        if (wait.site.path, wait.site.function) == (patient.site.path, patient.site.function):
            raise Unfixable(f"line {wait.line} queries and waits in one statement: split it")
        raise Unfixable(f"line {wait.line} leads both to the query and to the wait in `{where}: let go between them")
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    if any(isinstance(argument, ast.Starred) for argument in arguments):
        raise Unfixable("what the template is given is not written out")
    hoisted = []
    used = [argument for argument in arguments if not isinstance(argument, ast.Name | ast.Constant)]
    taken: list[str] = []
    for argument in used:
        if not (session.name in names_in(argument) or any(isinstance(node, ast.Call) for node in ast.walk(argument))):
            continue
        name = free_name(patient.node, *(n for n in ("context", "values", "data", "context_2") if n not in taken))
        taken.append(name)
        source = patient.syntax.source(argument)
        hoisted.append(f"{name} = {source}")
        draft.edit(patient.path, Edit(patient.syntax.start(argument), patient.syntax.end(argument), name))
    if not hoisted:
        raise Unfixable(f"line {wait.line} queries and renders in one call: split it")
    return hoisted


def _call(statement: ast.stmt) -> ast.Call | None:
    match statement:
        case ast.Return(value=ast.Call() as call) | ast.Assign(value=ast.Call() as call):
            return call
        case ast.Return(value=ast.Await(value=ast.Call() as call)):
            return call
    return None
