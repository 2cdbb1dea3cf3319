"""The one cause behind many findings: a dependency that ends too late, or a callee that waits for all its callers."""

from letgo.holds import Event, Hold, Misuse, Origin, Root, Site, Wait, WaitKind
from letgo.picture.words import file_and_line, is_in, leaves_open, opening_dependency, place

AT_THE_END = frozenset({WaitKind.SERIALISE, WaitKind.BRANCH, WaitKind.STREAM, WaitKind.TASK})
"""What happens after a handler's own code: it is open then because what lets go runs later still."""


def root_of_hold(hold: Hold, wait: Wait) -> Root | None:
    """The cause of this hold that other handlers may share, or None when it lies in the handler alone."""
    if opener := opening_dependency(hold):
        return open_dependency(opener)
    if leaves_open(hold, wait):
        return open_dependency(hold.function)
    if wait.kind in AT_THE_END and hold.session.origin is Origin.DEPENDENCY:
        return late_end(hold.session.name, hold.released)
    if not is_in(wait.site, hold.function) and wait.via:
        return waiting_callee(wait)
    return None


def root_of_misuse(misuse: Misuse) -> Root | None:
    """A dependency's late end, where the trail of a misuse shows one."""
    ends = [step.site for step in misuse.trail if step.event is Event.RELEASED]
    if misuse.session.origin is Origin.DEPENDENCY and ends:
        return late_end(misuse.session.name, ends[-1])
    return None


def open_dependency(opener: Site) -> Root:
    return Root(
        opener,
        f"{place(opener)} opens a transaction and leaves it open for every function that depends on it",
        f"commit in `{opener.function}` before it returns",
    )


def late_end(name: str, end: Site | None) -> Root | None:
    if end is None:
        return None
    return Root(
        end,
        f"`{name}` ({file_and_line(end)}) lets go only after the function has returned",
        "commit before each return, or in one place for all: a route class that commits when the endpoint returns",
    )


def waiting_callee(wait: Wait) -> Root:
    return Root(
        wait.site,
        f"{place(wait.site)} waits for `{wait.what}` inside the transactions of its callers",
        f"call `{wait.site.function}` only after the commit, or have it commit before it waits",
    )
