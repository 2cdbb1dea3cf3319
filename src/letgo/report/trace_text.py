"""What letgo believes of one function: the answer of `letgo trace`, made to be argued with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from letgo.holds import Finding, Hold, Misuse, Site
from letgo.lifetime.facts import Unresolved
from letgo.picture.draw import picture
from letgo.picture.look import Look, printable
from letgo.picture.steps import steps_of_hold, steps_of_misuse
from letgo.report.outcome import place
from letgo.source.lines import code_below


@dataclass(frozen=True, slots=True)
class Belief:
    """All that was found out about `function`; `findings` are those of every rule, also of those that are off."""

    root: Path
    function: Site
    holds: tuple[Hold, ...]
    misuses: tuple[Misuse, ...]
    unresolved: tuple[Unresolved, ...]
    findings: tuple[Finding, ...]


def render(belief: Belief, look: Look) -> str:
    """The picture of each hold and misuse, the calls that could not be followed, and what the rules say of it."""
    site = belief.function
    lines = [look.paint(printable(f"{place(site.path, site.line)} {site.function}"), bold=True), ""]
    if not (belief.holds or belief.misuses):
        lines += [look.paint("No transaction is held here, as far as letgo can see.", fg="green"), ""]
    for hold in belief.holds:
        lines += [look.paint(f"A hold, {'certain' if hold.certain else 'likely'}:", bold=True)]
        lines += [*picture(steps_of_hold(hold, hold.waits), code_below(belief.root), look), ""]
    for misuse in belief.misuses:
        certainty = "certain" if misuse.certain else "likely"
        said = misuse.kind.value.replace("-", " ") + (f": {misuse.detail}" if misuse.detail else "")
        lines += [look.paint(printable(f"{said}, {certainty}:"), bold=True)]
        lines += [*picture(steps_of_misuse(misuse, said), code_below(belief.root), look, misuse.site), ""]
    lines += _unresolved(belief, look)
    lines += _findings(belief, look)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _unresolved(belief: Belief, look: Look) -> Iterator[str]:
    if belief.unresolved:
        yield look.paint("Could not be followed:", bold=True)
        for call in belief.unresolved:
            yield f"  line {call.site.line}: {printable(call.call)}: {printable(call.reason)}"
        yield ""


def _findings(belief: Belief, look: Look) -> Iterator[str]:
    if belief.findings:
        yield look.paint("The rules say:", bold=True)
        for finding in belief.findings:
            code = look.paint(finding.code, fg="red", bold=True)
            yield f"  line {finding.site.line}: {code} {look.paint_code(printable(finding.message))}"
