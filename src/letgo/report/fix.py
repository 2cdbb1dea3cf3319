"""What `letgo fix` did: a table of what is fixed and left, by kind of finding and by file, and why the rest stays."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from letgo.holds import Finding
from letgo.picture.look import Look, printable
from letgo.report.outcome import place, plural

SHOWN = 40
"""How many findings that are left a terminal shows."""


class Kept(NamedTuple):
    """A finding that stays, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class Repairs:
    """Paths are as seen from where letgo was run.

    `fixed` are the findings that are gone, `left` those that stay. `diffs` holds the changes by path, `skipped` the
    files that were to be written and were not, with the reason, `unreadable` says of each file that could not be read
    where and why. `unsafe` counts what `--unsafe` would try besides.
    """

    fixed: tuple[Finding, ...]
    left: tuple[Kept, ...]
    diffs: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    unreadable: tuple[str, ...] = ()
    written: bool = True
    seconds: float = 0.0

    @property
    def unsafe(self) -> int:
        return sum(kept.reason.startswith("unsafe: ") for kept in self.left)


def render(repairs: Repairs, style: str, look: Look) -> str:
    match style:
        case "markdown":
            return _markdown(repairs)
        case "json":
            return _json(repairs)
        case "diff":
            return "".join(text for _, text in repairs.diffs)
    return "".join(f"{line.rstrip()}\n" for line in _text(repairs, look))


# --- text ------------------------------------------------------------------------------------------------------------


def _text(repairs: Repairs, look: Look) -> Iterator[str]:
    for kept in repairs.left[:SHOWN]:
        finding = kept.finding
        where = look.paint(printable(place(finding.site.path, finding.site.line)), fg="cyan")
        yield f"{where}: {look.paint(finding.code, fg='red', bold=True)} stays in `{finding.handler.function}`"
        yield f"   {look.paint_code(printable(kept.reason))}"
    if len(repairs.left) > SHOWN:
        yield f"and {len(repairs.left) - SHOWN:,} more that stay; --output-format json names them all"
    if repairs.left:
        yield ""
    for path, reason in repairs.skipped:
        yield f"{look.paint(path, fg='cyan')}: not written: {reason}"
    for heading, rows in _tables(repairs):
        width = max(len(heading), *(len(name) for name, _, _ in rows))
        yield look.paint(f"{heading:<{width}}  fixed   left", dim=True)
        for name, fixed, left in rows:
            yield f"{printable(name):<{width}}  {fixed or '·':>5}  {left or '·':>5}"
        yield ""
    yield look.paint(_summary(repairs), bold=True)
    if repairs.unsafe:
        yield f"{plural(repairs.unsafe, 'finding')} can be repaired where a person judges the change: --unsafe"


def _summary(repairs: Repairs) -> str:
    files = plural(len(repairs.diffs), "file")
    done = "fixed" if repairs.written else "would be fixed"
    fixed, left = plural(len(repairs.fixed), "finding"), f"{len(repairs.left):,} left"
    return f"{fixed} {done} in {files}, {left}, in {repairs.seconds:.2f} s"


def _tables(repairs: Repairs) -> Iterator[tuple[str, list[tuple[str, int, int]]]]:
    """By code and by file: how many are fixed and how many stay."""
    if not (repairs.fixed or repairs.left):
        return
    kept = [kept.finding for kept in repairs.left]
    names = {finding.code: f"{finding.code} {finding.rule}" for finding in (*repairs.fixed, *kept)}
    yield "finding", _rows(Counter(names[f.code] for f in repairs.fixed), Counter(names[f.code] for f in kept))
    yield "file", _rows(Counter(f.handler.path for f in repairs.fixed), Counter(f.handler.path for f in kept))


def _rows(fixed: Counter[str], left: Counter[str]) -> list[tuple[str, int, int]]:
    return [(name, fixed[name], left[name]) for name in sorted({*fixed, *left})]


# --- others ----------------------------------------------------------------------------------------------------------


def _markdown(repairs: Repairs) -> str:
    """For a pull request."""
    lines = [f"### letgo fix: {_summary(repairs)}", ""]
    for heading, rows in _tables(repairs):
        lines += [f"| {heading} | fixed | left |", "|---|--:|--:|"]
        lines += [f"| {_escaped(name)} | {fixed} | {left} |" for name, fixed, left in rows]
        lines.append("")
    if repairs.left:
        lines += ["<details><summary>What is left, and why</summary>", "", "| where | finding | why |", "|---|---|---|"]
        for finding, reason in repairs.left:
            where = f"`{place(finding.site.path, finding.site.line)}`"
            lines.append(f"| {where} | {finding.code} in `{finding.handler.function}` | {_escaped(reason)} |")
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _json(repairs: Repairs) -> str:
    content = {
        "fixed": [_said(finding) for finding in repairs.fixed],
        "left": [_said(kept.finding) | {"reason": kept.reason} for kept in repairs.left],
        "files": [{"path": path, "diff": diff} for path, diff in repairs.diffs],
        "skipped": [{"path": path, "reason": reason} for path, reason in repairs.skipped],
        "unreadable": list(repairs.unreadable),
        "written": repairs.written,
    }
    return json.dumps(content, indent=2) + "\n"


def _said(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "rule": finding.rule,
        "path": finding.site.path,
        "line": finding.site.line,
        "function": finding.handler.function,
    }
