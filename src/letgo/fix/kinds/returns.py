"""A, C: the response is built first, then the session is let go, then the response is returned, on every path."""

import ast
from collections.abc import Iterator
from typing import NamedTuple, TypeGuard

from letgo.fix.edits import Edit
from letgo.fix.imports import from_library
from letgo.fix.kinds.models import is_row, may_not_fit, validated
from letgo.fix.nodes import free_name, names_in, own_nodes
from letgo.fix.ownership import End, end_of
from letgo.fix.patient import Patient
from letgo.fix.plain import Values
from letgo.fix.releasing import Session, doubts_of_callers, is_entered_with, module_name
from letgo.fix.repair import NOTHING, Draft, Left, Proposal, together
from letgo.fix.tested import called
from letgo.fix.texts import Unfixable
from letgo.holds import Finding
from letgo.lifetime.facts import Ending

KIND = "let go before the return"
CODES = ("LG101", "LG103", "LG104", "LG301", "LG901")


class Way(NamedTuple):
    """One return, None where the function just ends, and how it leaves the session."""

    ending: Ending
    statement: ast.Return | None
    line: int


def propose(patient: Patient) -> Proposal:
    findings = patient.of(*CODES)
    if not findings or patient.symbol.function.is_generator:
        return NOTHING
    by_parameter: dict[str, list[Ending]] = {}
    for ending in patient.endings:
        by_parameter.setdefault(ending.parameter, []).append(ending)
    if not by_parameter:
        return NOTHING
    return together(_of_session(patient, findings, endings) for endings in by_parameter.values())


def _of_session(patient: Patient, findings: tuple[Finding, ...], endings: list[Ending]) -> Proposal:
    first = endings[0]
    session = Session(first.parameter, first.is_async)
    strict = any(finding.code == "LG901" for finding in findings)
    if patient.is_rebound(session.name):
        return Proposal(left=_left(findings, f"`{session.name}` is bound more than once, so it may be another session"))
    ways = [way for ending in endings for way in _ways(patient, ending) if _needs(ending, strict)]
    safe, unsafe, left = Draft(), Draft(), dict[int, str]()
    others = list(doubts_of_callers(patient, session.name))
    tolerates = _tolerates_failure(patient, session.name)
    values = Values(patient, frozenset({session.name}))
    for way in ways:
        draft = Draft()
        for doubt in others:
            draft.doubt(doubt)
        if tolerates:
            draft.doubt("the function goes on after a commit that has failed: another one may fail, too")
        try:
            _release(patient, values, session, way, draft, strict)
        except Unfixable as reason:
            left[way.line] = str(reason)
            continue
        kept = unsafe if draft.doubts else safe
        kept.edits += draft.edits
        for doubt in draft.doubts:
            kept.doubt(f"line {way.line}: {doubt}")
    return _proposal(patient, findings, ways, (safe, unsafe), left)


def _proposal(
    patient: Patient,
    findings: tuple[Finding, ...],
    ways: list[Way],
    drafts: tuple[Draft, Draft],
    left: dict[int, str],
) -> Proposal:
    """Findings go with the repair that makes them go away: those of one return with that, others with the last."""
    safe, unsafe = drafts
    doubtful = {int(doubt.split()[1].rstrip(":")) for doubt in unsafe.doubts}
    lines = {way.line for way in ways}
    cured: dict[bool, list[Finding]] = {True: [], False: []}
    stay: list[Left] = []
    for finding in findings:
        line = finding.site.line
        if line in left:
            stay.append(Left(finding, left[line]))
        elif line in lines:
            cured[line not in doubtful].append(finding)
        elif finding.code == "LG104" and not left:
            cured[not unsafe.edits].append(finding)
        elif finding.code == "LG104":
            stay.append(Left(finding, next(iter(left.values()))))
    repairs = [
        *safe.repair(KIND, patient.site, tuple(cured[True])),
        *unsafe.repair(KIND, patient.site, tuple(cured[False])),
    ]
    return Proposal(tuple(repairs), tuple(stay))


def _needs(ending: Ending, strict: bool) -> bool:
    return ending.is_open or (strict and not (ending.ended and ending.closed))


def _ways(patient: Patient, ending: Ending) -> Iterator[Way]:
    found = [node for node in patient.returns() if node.lineno == ending.line]
    if found:
        yield from (Way(ending, node, ending.line) for node in found)
    elif ending.line == patient.node.end_lineno:
        yield Way(ending, None, ending.line)


def _left(findings: tuple[Finding, ...], reason: str) -> tuple[Left, ...]:
    return tuple(Left(finding, reason) for finding in findings)


# --- one return ------------------------------------------------------------------------------------------------------


def _release(patient: Patient, values: Values, session: Session, way: Way, draft: Draft, strict: bool) -> None:
    """Raises Unfixable when this return can't be repaired."""
    ending, statement = way.ending, way.statement
    if statement is None:
        last = patient.node.body[-1]
        draft.edit(patient.path, patient.syntax.after(last, *_code(patient, session, way, draft, True)))
        return
    if is_entered_with(patient, statement, session.name):
        raise Unfixable(f"it returns inside of a `with` of `{session.name}`, which ends the transaction itself")
    value = statement.value
    written = None
    if _streams(value) and session.name in names_in(value):
        raise Unfixable(f"what it returns uses `{session.name}` while it is sent")
    plain = values.is_plain(value)
    if not plain and value is not None:
        written, plain = _materialised(patient, values, value, draft, ending.expire_on_commit is not False or strict)
    code = _code(patient, session, way, draft, plain or bool(draft.doubts))
    if ending.dirty and written is None and may_not_fit(patient, values, value):
        draft.doubt(f"what line {ending.dirty.line} writes is saved even if what is returned fails its response model")
    draft.edit(patient.path, *return_after(patient, statement, written, code))


def _streams(value: ast.expr | None) -> TypeGuard[ast.Call]:
    match value:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in ("StreamingResponse", "EventSourceResponse")
    return False


def _materialised(
    patient: Patient, values: Values, value: ast.expr, draft: Draft, is_needed: bool
) -> tuple[str | None, bool]:
    """What to return in the place of a value that may be a row, and whether that is free of the session. `is_needed`
    says that a row could not be read after the release."""
    made = validated(patient, values, value)
    if made is not None and (made.certain or is_needed):
        if not made.certain:
            name = patient.node.name
            if test := called(patient.names.codebase.root, module_name(patient.path), name):
                raise Unfixable(f"{test} may have `{name}` return what is no row: make it the response model by hand")
            draft.doubt(f"`{_short(patient, value)}` is made into the response model, which a finished response is not")
        return made.source, True
    if is_needed:
        if is_row(patient, values, value):
            raise Unfixable(
                "it returns a row, which is read after that: return plain values, or declare a response model"
            )
        draft.doubt(
            f"`{_short(patient, value)}` may be read from the database when it is serialised, "
            "and would then be without its session"
        )
    return None, False


def _short(patient: Patient, value: ast.expr) -> str:
    what = patient.syntax.source(value)
    return what if len(what) < 40 and "\n" not in what else "what is returned"


def _code(patient: Patient, session: Session, way: Way, draft: Draft, plain: bool) -> list[str]:
    """The statements that let go, as the session's owner would at the end."""
    ending = way.ending
    owner = end_of(patient.names, patient.dependency_of(ending.parameter))
    failed = way.statement is not None and _in_handler(patient, way.statement)
    if failed:
        if ending.dirty and owner is not End.CLOSES:
            draft.doubt(
                f"what line {ending.dirty.line} wrote before the exception is rolled back here, "
                "where the dependency may commit it"
            )
        ends = [session.rollback]
    else:
        if ending.dirty and owner is not End.COMMITS:
            draft.doubt(f"what line {ending.dirty.line} writes was never committed until now")
        ends = [session.commit]
    if ending.ended and not ending.is_open and _ends_itself(patient, session.name):
        ends = []
    if plain and patient.ward.style == "runtime":
        name, edits = from_library(patient.syntax, "letgo.runtime", "release")
        if name != "release":
            raise Unfixable(f"`letgo.runtime.release` has another name here: {name}")
        draft.edit(patient.path, *edits)
        return [session.released("rollback" if failed else "commit")]
    return [*ends, session.close] if plain else ends


def _calls(patient: Patient, session: str, *methods: str) -> Iterator[ast.Call]:
    """The calls of methods on the session itself."""
    for node in own_nodes(patient.node):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if name == session:
                if method in methods:
                    yield node


def _ends_itself(patient: Patient, session: str) -> bool:
    """Whether the handler commits or rolls back in its own text: a second commit would only be noise."""
    return any(_calls(patient, session, "commit", "rollback"))


def _tolerates_failure(patient: Patient, session: str) -> bool:
    """Whether a commit of the handler may fail, and the handler goes on as if nothing had happened."""
    for call in _calls(patient, session, "commit"):
        for node in patient.syntax.above(call):
            if isinstance(node, ast.Try) and not any(call in ast.walk(handler) for handler in node.handlers):
                for handler in node.handlers:
                    if not any(isinstance(part, ast.Raise | ast.Return) for part in ast.walk(handler)):
                        return True
    return False


def _in_handler(patient: Patient, statement: ast.stmt) -> bool:
    return any(isinstance(node, ast.ExceptHandler) for node in patient.syntax.above(statement))


def return_after(
    patient: Patient, statement: ast.Return, written: str | None, code: list[str], name: str = "response"
) -> Iterator[Edit]:
    """Edits that put `code` between the making of a value and its return. `written` is what to make in its stead."""
    syntax, value = patient.syntax, statement.value
    start = syntax.start(statement)
    lead, indent = _lead(patient, statement)
    stands = isinstance(value, ast.Name | ast.Constant | None) and written is None
    if stands:
        if lead is not None:
            text = lead + "".join(f"{line}{syntax.line_end}{indent}" for line in code)
            yield Edit(syntax.text.rindex(":", 0, start) + 1, start, text)
        else:
            yield syntax.before(statement, *code)
        return
    assert value is not None
    if not syntax.ends_its_line(statement):
        raise Unfixable(f"line {statement.end_lineno} holds more than one statement")
    name = free_name(patient.node, name, "answer", "result")
    if lead is not None:
        yield Edit(syntax.text.rindex(":", 0, start) + 1, start, lead)
    yield Edit(start, start + len("return"), f"{name} =")
    if written is not None:
        yield Edit(syntax.start(value), syntax.end(value), written)
    at = syntax.after_line(statement.end_lineno or statement.lineno)
    missing = "" if syntax.text[at - 1] in "\r\n" else syntax.line_end
    yield Edit(at, at, missing + syntax.lines(indent, *code, f"return {name}"))


def _lead(patient: Patient, statement: ast.stmt) -> tuple[str | None, str]:
    """What must come before a statement so that it begins a line (None when it does), and its indentation."""
    syntax = patient.syntax
    try:
        return None, syntax.indent(statement)
    except Unfixable:
        parent = syntax.parents[statement]
        before = syntax.text[syntax.starts[statement.lineno - 1] : syntax.start(statement)]
        alone = len(syntax.block(statement)) == 1 and before.rstrip(" \t").endswith(":")
        if (
            not alone
            or not isinstance(parent, ast.If | ast.For | ast.While | ast.With)
            or parent.lineno != statement.lineno
        ):
            raise
        line = syntax.line(statement.lineno)
        indent = line[: len(line) - len(line.lstrip(" \t\f"))] + syntax.unit(patient.node)
        return syntax.line_end + indent, indent
