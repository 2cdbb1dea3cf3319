"""Waits that come to light only when others of the same function are let go before: cured together, or not at all.

A finding tells of one way to a wait. Where another call of the function leads to the same wait, its repair seems to
leave the finding; the next repair then shows what is left. The whole chain is proven as one repair.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import replace
from difflib import SequenceMatcher

from letgo.fix.edits import Edit
from letgo.fix.kinds import waits
from letgo.fix.nodes import Definition
from letgo.fix.program import Look, Looking, Program
from letgo.fix.proving import Trial, compatible, texts_with
from letgo.fix.repair import FunctionKey, Repair
from letgo.fix.syntax import Syntax, syntax_of
from letgo.fix.texts import Unfixable, line_starts
from letgo.holds import Finding
from letgo.source.codebase import CodeBase
from letgo.source.definitions import functions_within

MOST_STEPS = 4
"""Repairs in a chain; each costs one look at the program."""

Proposing = Callable[[Program, Look], Iterable[Repair]]


def chains(
    program: Program, seen: Look, stubborn: frozenset[FunctionKey], propose: Proposing, look: Looking
) -> list[Repair]:
    """One repair for each of the stubborn functions in which a chain of them cures every wait."""
    current, now, pending = program, seen, set(stubborn)
    steps: dict[FunctionKey, list[Repair]] = {}
    touched: dict[FunctionKey, set[FunctionKey]] = {}
    done: list[FunctionKey] = []
    for _ in range(MOST_STEPS):
        repairs = _next(current, now, pending, propose)
        pending &= {repair.place for repair in repairs}
        if not pending:
            break
        for repair in repairs:
            steps.setdefault(repair.place, []).append(repair)
            places = (_function_at(current, path, edit.start) for path, edit in repair.edits)
            touched.setdefault(repair.place, set()).update(places)
        try:
            current = current.changed(texts_with(current, repairs))
        except Unfixable:
            break
        now = look(current.codebase)
        waiting = {_place(finding) for finding in now.wanted if finding.code in waits.CODES}
        done += sorted(pending - waiting)
        pending &= waiting
    return [_as_one(program, current, steps[place], touched[place]) for place in done]


def hopeless(trial: Trial, propose: Proposing) -> frozenset[FunctionKey]:
    """The functions in which a repair left what it was to cure, and nothing can follow it."""
    if not trial.stubborn:
        return frozenset()
    return trial.stubborn - {repair.place for repair in _next(trial.program, trial.look, trial.stubborn, propose)}


def _next(program: Program, seen: Look, places: Set[FunctionKey], propose: Proposing) -> tuple[Repair, ...]:
    about = replace(seen, wanted=tuple(finding for finding in seen.wanted if _place(finding) in places))
    return compatible(repair for repair in propose(program, about) if repair.kind == waits.KIND)


def _place(finding: Finding) -> FunctionKey:
    return (finding.handler.path, finding.handler.function)


def _as_one(program: Program, current: Program, steps: list[Repair], touched: set[FunctionKey]) -> Repair:
    """What the steps have made of the functions that they touched, as one repair of the program without them."""
    first = steps[0]
    edits: list[tuple[str, Edit]] = []
    for path, name in sorted(touched):
        before, after = _lines(program, path, name), _lines(current, path, name)
        edits += ((path, edit) for edit in _differences(*before, after[0]))
    unsafe = "; ".join(dict.fromkeys(step.unsafe for step in steps if step.unsafe))
    return Repair(first.kind, first.function, first.cures, tuple(edits), unsafe)


def _function_at(program: Program, path: str, offset: int) -> FunctionKey:
    """The outermost function that an offset lies in."""
    line = bisect_right(line_starts(program.text(path)), offset)
    module = next(module for module in program.codebase.modules if module.path == path)
    around = (each for each in functions_within(module.body) if each.line <= line <= each.end_line)
    return (path, min(around, key=lambda each: each.line).qualname)


def _lines(program: Program, path: str, name: str) -> tuple[list[str], int]:
    """The lines of a function, and the offset of the first."""
    text = program.text(path)
    node = _definition(program.codebase, syntax_of(text), path, name)
    starts = (*line_starts(text), len(text))
    numbers = range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return [text[starts[number - 1] : starts[number]] for number in numbers], starts[node.lineno - 1]


def _definition(codebase: CodeBase, syntax: Syntax, path: str, name: str) -> Definition:
    module = next(module for module in codebase.modules if module.path == path)
    line = next(function.line for function in functions_within(module.body) if function.qualname == name)
    return syntax.definitions[line]


def _differences(old: list[str], start: int, new: list[str]) -> Iterator[Edit]:
    offsets = [start]
    for line in old:
        offsets.append(offsets[-1] + len(line))
    for tag, low, high, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Edit(offsets[low], offsets[high], "".join(new[first:last]))
