"""Findings for a person at a terminal: the worst first, each with its picture, each cause told once."""

from collections.abc import Iterator

from letgo.holds import Confidence, Finding, Site
from letgo.picture.draw import picture
from letgo.picture.look import Look, printable
from letgo.report.outcome import Outcome, place, plural
from letgo.rules.grouping import FindingGroup, groups
from letgo.source.lines import code_below

LISTED = 5
"""How many places of one cause are named before the rest is only counted."""


def render(outcome: Outcome, look: Look, *, expand: bool = False, statistics: bool = False) -> str:
    """The findings and a summary, or with `statistics` a table by rule. `expand` names every place of a cause."""
    parts: list[str] = []
    if statistics:
        parts += _statistics(outcome, look)
    else:
        for group in groups(outcome.findings):
            parts += _group(group, outcome, look, expand) if len(group.findings) > 1 else _single(group, outcome, look)
    parts += _unresolved(outcome, look)
    parts += _unreadable(outcome, look)
    parts += _stale(outcome, look)
    parts += _summary(outcome, look)
    return "".join(f"{line.rstrip()}\n" for line in parts)


def _single(group: FindingGroup, outcome: Outcome, look: Look) -> Iterator[str]:
    finding = group.findings[0]
    yield _headline(finding.site, finding.code, finding.message, finding.confidence, look)
    yield from picture(finding.trace, code_below(outcome.root), look, finding.site)
    yield _help(finding.help, look)
    yield ""


def _group(group: FindingGroup, outcome: Outcome, look: Look, expand: bool) -> Iterator[str]:
    """A cause that many findings share: the first of them drawn, the others named."""
    assert group.root is not None
    first = group.findings[0]
    certain = sum(finding.confidence is Confidence.CERTAIN for finding in group.findings)
    certainty = _counts(certain, len(group.findings) - certain)
    yield _headline(group.root.site, group.code, group.headline, certainty, look)
    yield from picture(first.trace, code_below(outcome.root), look, first.site)
    yield _help(group.root.cure, look)
    listed = group.findings if expand else group.findings[:LISTED]
    width = max(len(place(finding.site.path, finding.site.line)) for finding in listed)
    for finding in listed:
        yield f"   {_where(finding, width, look)}  {printable(finding.handler.function)}"
    if len(listed) < len(group.findings):
        yield look.paint(f"   and {len(group.findings) - len(listed):,} more; --expand names them all", dim=True)
    yield ""


def _where(finding: Finding, width: int, look: Look) -> str:
    where = printable(place(finding.site.path, finding.site.line))
    return look.paint(where, fg="cyan") + " " * (width - len(where))


def _headline(site: Site, code: str, message: str, certainty: str, look: Look) -> str:
    where = look.paint(printable(place(site.path, site.line)), bold=True)
    painted_code = look.paint(code, fg="red", bold=True)
    return f"{where} {painted_code} {look.paint_code(printable(message))} {look.paint(f'[{certainty}]', dim=True)}"


def _help(text: str, look: Look) -> str:
    return f"   {look.paint('help:', fg='green', bold=True)} {look.paint_code(printable(text))}"


def _counts(certain: int, likely: int) -> str:
    """`certain` when all are, otherwise how many are what."""
    if not likely:
        return "certain"
    return f"{certain:,} certain, {likely:,} likely" if certain else "likely"


def _statistics(outcome: Outcome, look: Look) -> Iterator[str]:
    names = {finding.code: finding.rule for finding in outcome.findings}
    for code, count in outcome.by_code().items():
        yield f"{count:>6,}  {look.paint(code, fg='red', bold=True)}  {names[code]}"
    if outcome.findings:
        yield ""


def _unresolved(outcome: Outcome, look: Look) -> Iterator[str]:
    if outcome.unresolved:
        yield look.paint(f"{plural(len(outcome.unresolved), 'call')} could not be followed:", bold=True)
        for call in outcome.unresolved:
            where = look.paint(printable(place(call.site.path, call.site.line)), fg="cyan")
            yield f"   {where} {printable(call.call)}: {printable(call.reason)}"
        yield ""


def _unreadable(outcome: Outcome, look: Look) -> Iterator[str]:
    if outcome.unreadable:
        files = len({found.path for found in outcome.unreadable})
        yield look.paint(f"{plural(files, 'file')} could not be read:", fg="red", bold=True)
        for found in outcome.unreadable:
            yield f"   {look.paint(printable(place(found.path, found.line)), fg='cyan')} {printable(found.reason)}"
        yield ""


def _stale(outcome: Outcome, look: Look) -> Iterator[str]:
    if outcome.stale:
        entries = "suppression matches" if len(outcome.stale) == 1 else "suppressions match"
        yield look.paint(f"{len(outcome.stale):,} {entries} nothing any more:", fg="red", bold=True)
        for stale in outcome.stale:
            where = look.paint(printable(place(stale.site.path, stale.site.line)), fg="cyan")
            yield f"   {where} {printable(stale.what)}: {stale.cure}"
        yield ""


def _summary(outcome: Outcome, look: Look) -> Iterator[str]:
    certain, likely = outcome.count(Confidence.CERTAIN), outcome.count(Confidence.LIKELY)
    if outcome.findings:
        found = look.paint(plural(len(outcome.findings), "finding"), fg="red", bold=True)
        said = [f"{found} ({_counts(certain, likely)})"]
    else:
        said = [look.paint("No transaction is held", fg="green", bold=True)]
    if outcome.suppressed:
        said.append(f"{len(outcome.suppressed):,} suppressed")
    if outcome.unreadable:
        said.append(look.paint(f"{len(outcome.unreadable):,} unreadable", fg="red"))
    yield f"{', '.join(said)}; {plural(outcome.files, 'file')} in {outcome.seconds:.2f} s"
