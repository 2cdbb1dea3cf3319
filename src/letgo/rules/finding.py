"""From facts to findings: what all rules have in common."""

from collections.abc import Callable, Iterable, Iterator

from letgo.holds import Confidence, Finding, Hold, Misuse, MisuseKind, Site, Wait
from letgo.lifetime.facts import Facts
from letgo.picture.steps import describe_misuse, steps_of_hold, steps_of_misuse
from letgo.picture.words import leaves_open, outermost
from letgo.rules.roots import root_of_hold, root_of_misuse
from letgo.rules.rule import Rule


def of_waits(
    rule: Rule,
    holds: Iterable[Hold],
    wanted: Callable[[Hold, Wait], bool],
    message: Callable[[Hold, Wait], str],
    advice: Callable[[Hold, Wait], str],
) -> Iterator[Finding]:
    """One finding for each hold with a wait that is `wanted`; `message` and `advice` speak of the first such wait.

    Two holds that show on the same line of the same function, as after two branches that open, are one finding.
    """
    seen: set[tuple[Site, Site]] = set()
    for hold in sorted(holds, key=lambda hold: not hold.certain):
        waits = _distinct(hold, (wait for wait in hold.waits if wanted(hold, wait)))
        if not waits:
            continue
        first = waits[0]
        site = shown_at(hold, first)
        if (hold.function, site) not in seen:
            seen.add((hold.function, site))
            yield Finding(
                code=rule.code,
                rule=rule.name,
                message=message(hold, first) + _and_more(len(waits) - 1),
                help=advice(hold, first),
                site=site,
                handler=hold.function,
                confidence=Confidence.CERTAIN if hold.certain else Confidence.LIKELY,
                rank=rule.rank,
                trace=steps_of_hold(hold, waits),
                root=root_of_hold(hold, first),
            )


def of_misuses(
    rule: Rule,
    misuses: Iterable[Misuse],
    kind: MisuseKind,
    message: Callable[[Misuse], str],
    advice: Callable[[Misuse], str],
) -> Iterator[Finding]:
    """One finding for each place and function of a misuse of `kind`, whatever led there."""
    seen: set[tuple[Site, Site, str]] = set()
    for misuse in sorted(misuses, key=lambda misuse: not misuse.certain):
        place = (misuse.function, misuse.site, misuse.session.name)
        if misuse.kind is kind and place not in seen:
            seen.add(place)
            yield Finding(
                code=rule.code,
                rule=rule.name,
                message=message(misuse),
                help=advice(misuse),
                site=misuse.site,
                handler=misuse.function,
                confidence=Confidence.CERTAIN if misuse.certain else Confidence.LIKELY,
                rank=rule.rank,
                trace=steps_of_misuse(misuse, describe_misuse(misuse.kind)),
                root=root_of_misuse(misuse),
            )


def shown_at(hold: Hold, wait: Wait) -> Site:
    """The line to look at: where the function that owns the session begins to wait; where it opened what others, that
    depend on it, keep open."""
    if leaves_open(hold, wait):
        return outermost(hold.function, hold.opened, hold.opened_via)
    return outermost(hold.function, wait.site, wait.via)


def told_otherwise(facts: Facts) -> Callable[[Hold], bool]:
    """Whether a hold begins at a touch after commit or close: LG104 and LG401 tell that, and once is enough."""
    again = {
        (misuse.function, misuse.site.path, misuse.site.line)
        for misuse in facts.misuses
        if misuse.kind in (MisuseKind.REARMED, MisuseKind.REOPENED)
    }

    def told(hold: Hold) -> bool:
        start = outermost(hold.function, hold.opened, hold.opened_via)
        return any((hold.function, site.path, site.line) in again for site in (start, hold.opened))

    return told


def _distinct(hold: Hold, waits: Iterable[Wait]) -> tuple[Wait, ...]:
    """The waits by the line they are met on, without those that are the same thing on the same line; of what a
    dependency leaves open, one in each endpoint."""
    by_place = {
        (*_met_at(hold, wait), "" if leaves_open(hold, wait) else wait.what): wait for wait in reversed(tuple(waits))
    }
    return tuple(wait for _, wait in sorted(by_place.items()))


def _met_at(hold: Hold, wait: Wait) -> tuple[str, int]:
    """The line that begins to wait: of what a dependency leaves open, that is one in an endpoint."""
    site = (*wait.via, wait.site)[0] if leaves_open(hold, wait) else shown_at(hold, wait)
    return site.path, site.line


def _and_more(others: int) -> str:
    return f" (and {others} more)" if others else ""
