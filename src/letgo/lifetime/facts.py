"""What following the sessions of a code base gives: the input of every rule."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from letgo.holds import Hold, Misuse, Site, Source, Wait

YIELDS = "yield"
"""How the wait of a generator that hands out a value is named."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A call that could not be followed although it was given a session; `reason` says why, in words.

    `failed`: it is a function in which letgo itself failed. What it holds is not known.
    """

    site: Site
    call: str
    reason: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How an endpoint leaves a session, that it asked for as `parameter`, where it returns in `line`.

    `is_open`: on some path a transaction is open there. `ended` and `closed`: on every path it was committed or rolled
    back, and closed. `dirty` is where work was done that no commit has saved.
    """

    function: Site
    parameter: str
    session: Source
    line: int
    is_open: bool
    ended: bool
    closed: bool
    dirty: Site | None
    is_async: bool
    expire_on_commit: bool | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Holds and misuses in the order of their places, without duplicates."""

    holds: tuple[Hold, ...]
    misuses: tuple[Misuse, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    endings: tuple[Ending, ...] = ()


@dataclass(frozen=True, slots=True)
class Followed:
    """A function was followed from somewhere: there is no need to follow it by itself."""

    function: Site


@dataclass(frozen=True, slots=True)
class Streamed:
    """A generator is run by a response, for as long as the client takes."""

    function: Site


@dataclass(frozen=True, slots=True)
class Leaves:
    """A function of this name leaves a shared session open."""

    name: str


Fact: TypeAlias = Hold | Misuse | Unresolved | Ending | Followed | Streamed | Leaves


def collected(found: Iterable[Fact]) -> Facts:
    """What was found on all ways, in whichever order, as facts: of what was seen on several ways, the best view."""
    found = tuple(found)
    streamed = {(fact.function.path, fact.function.function) for fact in found if isinstance(fact, Streamed)}
    holds: dict[Hashable, Hold] = {}
    misuses: dict[Hashable, Misuse] = {}
    unresolved: dict[Hashable, Unresolved] = {}
    endings: dict[Hashable, Ending] = {}
    for fact in found:
        match fact:
            case Hold(waits=(wait,)):
                if wait.what == YIELDS and not wait.via and (wait.site.path, wait.site.function) not in streamed:
                    continue
                met = _first_line(wait) if _outlives(fact) else None
                seen = (fact.function, fact.session.name, fact.session.site, fact.opened, wait.kind, wait.site, met)
                holds[seen] = _better(holds.get(seen), fact)
            case Misuse():
                key = (fact.kind, fact.function, fact.site, fact.session.name)
                misuses[key] = _better(misuses.get(key), fact)
            case Unresolved(site=site, failed=failed):
                known = unresolved.get((site, failed), fact)
                unresolved[site, failed] = min(known, fact, key=lambda each: (each.call, each.reason))
            case Ending():
                way = (fact.function, fact.parameter, fact.line)
                endings[way] = _both(endings.get(way, fact), fact)
    return Facts(
        tuple(_together(sorted(holds.values(), key=_order))),
        tuple(sorted(misuses.values(), key=lambda each: (_place(each.site), each.kind, _place(each.function)))),
        tuple(sorted(unresolved.values(), key=lambda each: (_place(each.site), each.failed))),
        tuple(sorted(endings.values(), key=lambda each: (_place(each.function), each.parameter, each.line))),
    )


def _both(first: Ending, second: Ending) -> Ending:
    """What holds of a return on all the paths that lead to it."""
    if first == second:
        return first
    return replace(
        min(first, second, key=repr),
        is_open=first.is_open or second.is_open,
        ended=first.ended and second.ended,
        closed=first.closed and second.closed,
        dirty=min(filter(None, (first.dirty, second.dirty)), key=_place, default=None),
    )


Seen = TypeVar("Seen", Hold, Misuse)


def _better(known: Seen | None, other: Seen) -> Seen:
    """Of two views of the same thing the one that is certain, or shorter."""
    if known is None or known == other:
        return other
    mine, others = _preference(known), _preference(other)
    return min(known, other, key=repr) if mine == others else known if mine < others else other


def _preference(fact: Hold | Misuse) -> tuple[bool, int]:
    way = (*fact.waits[0].via, *fact.opened_via) if isinstance(fact, Hold) else fact.trail
    return (not fact.certain, len(way))


def _order(hold: Hold) -> tuple[object, ...]:
    wait = hold.waits[0]
    return (_place(hold.function), _place(hold.opened), _place(wait.site), wait.kind, hold.session.name)


def _place(site: Site) -> tuple[str, int]:
    return (site.path, site.line)


def _together(holds: Iterable[Hold]) -> Iterator[Hold]:
    """The holds, with those of one dependency's transaction in all its endpoints as one."""
    shared: dict[tuple[object, ...], Hold] = {}
    for hold in holds:
        wait = hold.waits[0]
        if not _outlives(hold):
            yield hold
            continue
        key = (hold.function, hold.session, hold.opened, wait.kind)
        known = shared.get(key)
        shared[key] = (
            hold if known is None else replace(known, waits=(*known.waits, wait), certain=known.certain or hold.certain)
        )
    yield from shared.values()


def _outlives(hold: Hold) -> bool:
    """Whether the function is over when it is waited: then each endpoint that depends on it is held in its own way."""
    wait = hold.waits[0]
    return not any(_is_in(site, hold.function) for site in (*wait.via, wait.site))


def _first_line(wait: Wait) -> tuple[str, int]:
    """The line from which the wait is reached."""
    return _place((*wait.via, wait.site)[0])


def _is_in(site: Site, function: Site) -> bool:
    return (site.path, site.function) == (function.path, function.function)
