"""The phrases that messages, helps and traces are put together from."""

from letgo.holds import Hold, Misuse, Origin, Site, Source, Wait


def place(site: Site) -> str:
    """`load_user` (auth.py:17), without a directory: the trace has the path as seen from where the reader is."""
    return f"`{site.function}` ({file_and_line(site)})"


def file_and_line(site: Site) -> str:
    return f"{site.path.rpartition('/')[2]}:{site.line}"


def is_in(site: Site, function: Site) -> bool:
    """Whether `site` lies in the body of `function` itself."""
    return (site.path, site.function) == (function.path, function.function)


def outermost(function: Site, site: Site, via: tuple[Site, ...]) -> Site:
    """The line of `function` from which `site` is reached, or `site` when `function` does not lead there."""
    return next((step for step in via if is_in(step, function)), site)


def comes_from(source: Source) -> str:
    """How the code came by the session: "session injected by `get_db`"."""
    name = f"`{source.name}`"
    match source.origin:
        case Origin.DEPENDENCY:
            return f"session injected by {name}"
        case Origin.CONTEXT:
            return f"session opened by the `with` block of {name}"
        case Origin.FACTORY:
            return f"session made by {name}"
        case Origin.GENERATOR:
            return f"session taken from the generator {name}"
        case Origin.PARAMETER:
            return f"session handed in as {name}"
        case Origin.ATTRIBUTE:
            return f"session kept in {name}"
        case Origin.GLOBAL:
            return f"session shared as {name}"


def open_since(hold: Hold) -> str:
    """How every message about a hold begins: "transaction open since line 41"."""
    if opener := opening_dependency(hold):
        return f"transaction open since {place(opener)}"
    start = outermost(hold.function, hold.opened, hold.opened_via)
    if start == hold.opened:
        return f"transaction open since line {start.line}"
    return f"transaction open since line {start.line} ({file_and_line(hold.opened)} in `{hold.opened.function}`)"


def inside(hold: Hold, wait: Wait) -> str:
    """Where a wait really happens, when the handler only leads to it: " in `notify` (mail.py:12)"."""
    return "" if is_in(wait.site, hold.function) else f" in {place(wait.site)}"


def let_go_before(hold: Hold, moment: str) -> str:
    """What to do, by where the session came from. `moment` completes "before ..."."""
    name = f"`{hold.session.name}`"
    if opener := opening_dependency(hold):
        return f"{place(opener)} leaves its transaction open: commit there before it returns."
    match hold.session.origin:
        case Origin.DEPENDENCY:
            return f"Commit before {moment}: {name} lets go too late."
        case Origin.CONTEXT:
            return f"End the `with` block of {name} before {moment}."
        case Origin.FACTORY | Origin.GENERATOR:
            return f"Commit and close the session of {name} before {moment}."
        case Origin.PARAMETER:
            return f"Commit {name} before {moment}, or return to the caller that owns it and do this after its commit."
        case Origin.ATTRIBUTE | Origin.GLOBAL:
            return f"Commit or close {name} before {moment}."


def of_task(wait: Wait) -> tuple[str, str]:
    """The name of a task, and what it waits for; nothing, where the session that it was given is held all the time."""
    task, _, inner = wait.what.partition(": ")
    return task, inner


def leaves_open(hold: Hold, wait: Wait) -> bool:
    """Whether the function is a dependency that is over when what depends on it waits."""
    return hold.session.origin is Origin.DEPENDENCY and not any(
        is_in(site, hold.function) for site in (*wait.via, wait.site)
    )


def opening_dependency(hold: Hold) -> Site | None:
    """The line in a dependency of `hold.function` that began the transaction, or None when its own body did.

    What leads from a function to its dependencies stands on its `def` line.
    """
    way = (*hold.opened_via, hold.opened)
    if hold.function in hold.opened_via:
        return way[way.index(hold.function) + 1]
    return None if any(is_in(site, hold.function) for site in way) else hold.opened


def quoted(misuse: Misuse, otherwise: str) -> str:
    """What the misuse is about, as code, or `otherwise` when its detail is not known."""
    return f"`{misuse.detail}`" if misuse.detail else otherwise
