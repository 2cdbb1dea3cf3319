"""F: a session parameter that is never used goes, or gets a name that says so."""

import ast
from functools import partial

from letgo.fix.edits import Edit
from letgo.fix.ownership import End, end_of
from letgo.fix.patient import Patient
from letgo.fix.releasing import is_called_elsewhere
from letgo.fix.repair import Draft, Proposal, drafted, together
from letgo.fix.texts import Unfixable
from letgo.holds import MisuseKind

KIND = "drop the unused session"


def propose(patient: Patient) -> Proposal:
    findings = patient.of("LG506")
    names = [misuse.detail for misuse in patient.misuses if misuse.kind is MisuseKind.UNUSED] if findings else []
    return together(
        drafted(KIND, patient.site, tuple(found for found in findings if f"`{name}`" in found.message),
                partial(_drop, patient, name))
        for name in names
    )  # fmt: skip


def _drop(patient: Patient, name: str, draft: Draft) -> None:
    if caller := is_called_elsewhere(patient, tests=True):
        raise Unfixable(f"`{caller}` calls it, and may pass `{name}`")
    arguments = patient.node.args
    places = _places(arguments)
    argument = next((arg for arg, _ in places if arg.arg == name), None)
    if argument is None:
        raise Unfixable(f"`{name}` is no plain parameter")
    start = patient.syntax.start(argument)
    harmless = end_of(patient.names, patient.dependency_of(name)) is End.CLOSES
    alone = arguments.kwonlyargs == [argument] and arguments.vararg is None
    edit = _removal(patient, places, argument) if harmless and not alone else None
    if edit is None:  # its dependency may do more than give a session: it stays
        edit = Edit(start, start + len(name), f"_{name}")
    draft.edit(patient.path, edit)


def _places(arguments: ast.arguments) -> list[tuple[ast.arg, ast.expr | None]]:
    """The parameters with their defaults, in the order of the text."""
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = [None] * (len(positional) - len(arguments.defaults))
    found: list[tuple[ast.arg, ast.expr | None]] = list(zip(positional, [*missing, *arguments.defaults], strict=True))
    return found + list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))


def _removal(patient: Patient, places: list[tuple[ast.arg, ast.expr | None]], argument: ast.arg) -> Edit | None:
    """The deletion of a parameter with its comma; None where something else stands between it and its neighbour."""
    syntax = patient.syntax
    index = next(number for number, (arg, _) in enumerate(places) if arg is argument)
    default = places[index][1]
    start, end = syntax.start(argument), syntax.end(default or argument)
    if index + 1 < len(places):
        end = syntax.start(places[index + 1][0])
        between = syntax.text[syntax.end(default or argument) : end]
    elif index:
        previous, given = places[index - 1]
        start = syntax.end(given or previous)
        between = syntax.text[start : syntax.start(argument)]
    else:
        after = syntax.text[end:].lstrip()
        return None if after.startswith(",") else Edit(start, end, "")
    return Edit(start, end, "") if not between.strip(" \t\r\n,") else None
