"""What the kinds of fix have to say of each function that has findings."""

from collections.abc import Iterable, Iterator

from letgo.fix.kinds import KINDS
from letgo.fix.patient import Patient, Style, Ward
from letgo.fix.program import Look, Program
from letgo.fix.repair import Left, Proposal
from letgo.fix.syntax import syntax_of
from letgo.fix.texts import Unfixable
from letgo.holds import Finding, Site
from letgo.lifetime.beginnings import all_functions
from letgo.lifetime.endpoints import endpoints
from letgo.source.forked import can_fork, shared

CHUNK = 8
"""Functions that one process looks at in a row: those of one file share its syntax."""

WORTH_A_PROCESS = 24
"""Functions, which take some 250 ms to find repairs for."""


def proposals(program: Program, seen: Look, style: Style, jobs: int) -> list[Proposal]:
    """In the order of the findings. `jobs` is the largest number of processes."""
    patients = list(enumerate(_patients(program, seen, style)))
    copies = min(jobs, len(patients) // WORTH_A_PROCESS) - 1 if can_fork() else 0
    by_file = sorted(patients, key=lambda each: (each[1].path, each[0]))
    with shared(by_file, _all_proposed, copies, CHUNK) as (waiting, results):
        said = _all_proposed(waiting)
        for more in results:
            said |= more
    lost = [each for each in patients if each[0] not in said]  # with a process
    said |= _all_proposed(lost)
    return [proposal for number, _ in patients for proposal in said[number]]


def _patients(program: Program, seen: Look, style: Style) -> Iterator[Patient]:
    found = {id(endpoint.function.function): endpoint for endpoint in endpoints(seen.names)}
    ward = Ward(seen.names, seen.facts, {path: syntax_of(text) for path, text in program.texts.items()}, found, style)
    symbols = {
        (symbol.module.path, symbol.function.line): symbol
        for symbol in all_functions(seen.names)
        if symbol.module.path in program.files
    }
    for site, findings in _by_function(seen.wanted).items():
        symbol, syntax = symbols.get((site.path, site.line)), ward.syntaxes.get(site.path)
        node = syntax.definitions.get(site.line) if syntax else None
        if symbol is not None and syntax is not None and node is not None:
            yield Patient(ward, site, symbol, syntax, node, findings)


def _by_function(findings: Iterable[Finding]) -> dict[Site, tuple[Finding, ...]]:
    found: dict[Site, tuple[Finding, ...]] = {}
    for finding in findings:
        found[finding.handler] = (*found.get(finding.handler, ()), finding)
    return found


def _all_proposed(patients: Iterable[tuple[int, Patient]]) -> dict[int, list[Proposal]]:
    return {number: list(_proposed(patient)) for number, patient in patients}


def _proposed(patient: Patient) -> Iterator[Proposal]:
    for kind in KINDS:
        try:
            yield kind(patient)
        except Unfixable as reason:
            yield Proposal(left=tuple(Left(finding, str(reason)) for finding in patient.findings))
