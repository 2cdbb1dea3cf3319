"""What following the sessions of a code base gives: the input of every rule."""

from dataclasses import dataclass

from letgo.holds import Hold, Misuse, Site


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A call that could not be followed although it was given a session; `reason` says why, in words."""

    site: Site
    call: str
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Holds and misuses in the order of their places, without duplicates."""

    holds: tuple[Hold, ...]
    misuses: tuple[Misuse, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
