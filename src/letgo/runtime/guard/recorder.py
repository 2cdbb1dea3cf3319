"""What the guard has found so far: each place once, counted; and what each route has cost. Its memory is bounded."""

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic, time
from typing import TYPE_CHECKING, TypeAlias

from letgo.holds import Confidence
from letgo.runtime.guard.allowing import allowed_by, read_allowlist
from letgo.runtime.guard.frames import site_of
from letgo.runtime.guard.settings import Settings
from letgo.runtime.guard.tracking import Open, log, opened

if TYPE_CHECKING:
    from letgo.runtime.guard.connections import Taken
    from letgo.runtime.guard.judging import Seen
    from letgo.runtime.guard.watch import Watch

Key: TypeAlias = tuple[str, str, str, int]
"""Code, route, path and line of the finding."""


class TransactionHeld(Exception):
    """Raised by a guard in mode `raise`; the message has the picture of every hold of the request."""

    def __init__(self, seen: "tuple[Seen, ...]", root: str) -> None:
        self.seen = seen
        super().__init__("\n\n".join(told(one, root) for one in seen))


@dataclass(slots=True)
class Place:
    """A finding, how often it was made, and the worst of it. `first` and `last` are seconds since the epoch."""

    seen: "Seen"
    count: int = 0
    idle: float = 0.0
    longest: float = 0.0
    first: float = field(default_factory=time)
    last: float = field(default_factory=time)


@dataclass(slots=True)
class Route:
    """What a route has cost: seconds are sums over all its requests."""

    requests: int = 0
    transactions: int = 0
    idle: float = 0.0
    holds: Counter[str] = field(default_factory=Counter)
    leaks: int = 0
    lost: int = 0
    held: int = 0
    exhausted: int = 0


class Recorder:
    """`places` by `Key`, `routes` by template. While `accepted` gives a reason, nothing is recorded.

    Raises `ValueError` when the allowlist is broken.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.allowlist = read_allowlist(settings.allowlist_path)
        self.places: dict[Key, Place] = {}
        self.routes: dict[str, Route] = {}
        self.unplaced = 0
        self.accepted = ""
        self._by_endpoint: dict[tuple[object, ...], Route] = {}
        self._lock = threading.RLock()  # the collector may end a transaction while it is held

    def route(self, name: str) -> Route:
        route = self.routes.get(name)
        if route is None:
            if len(self.routes) >= self.settings.most_places:
                name = "(other routes)"
            route = self.routes.setdefault(name, Route())
        return route

    def worst(self) -> tuple[list[Place], list[tuple[str, Route]]]:
        """The places, and the routes with their names, by how long they were idle in all."""
        with self._lock:
            places = sorted(self.places.values(), key=lambda place: -place.idle)
            return places, sorted(self.routes.items(), key=lambda item: -item[1].idle)

    def finished(self, watch: "Watch") -> None:
        """A request is over."""
        scope = watch.scope
        endpoint = scope.get("method"), id(scope.get("endpoint")), scope.get("root_path")
        route = self._by_endpoint.get(endpoint)
        if route is None:
            with self._lock:
                route = self.route(watch.route())
            if len(self._by_endpoint) < self.settings.most_places:
                self._by_endpoint[endpoint] = route
        route.requests += 1
        route.transactions += watch.transactions
        route.idle += watch.idle

    def report(self, watch: "Watch", seen: "Seen") -> None:
        """Count a finding, and log it the first time, the tenth, the hundredth."""
        finding = seen.finding
        if self.accepted or finding.code in self.settings.ignore or allowed_by(self.allowlist, finding) is not None:
            return
        count = self._count(seen)
        if seen.fails:
            watch.found.append(seen)
        if self.settings.on_finding is not None:
            self.settings.on_finding(seen)
        if count and count == 10 ** (len(str(count)) - 1) and self.settings.mode != "raise":
            log.log(
                logging.WARNING if finding.confidence is Confidence.CERTAIN else logging.INFO,
                "%s%s",
                told(seen, self.settings.root) if count == 1 else headline(seen),
                f" ({count:,} times)" if count > 1 else "",
            )

    def _count(self, seen: "Seen") -> int:
        """How often this place was seen, 0 when there are too many places to know it."""
        finding = seen.finding
        with self._lock:
            route = self.route(seen.route)
            route.holds[finding.code] += 1
            route.leaks += finding.code in ("LG304", "LG501", "LG502")
            key = (finding.code, seen.route, finding.site.path, finding.site.line)
            place = self.places.get(key)
            if place is None:
                if len(self.places) >= self.settings.most_places:
                    self.unplaced += 1
                    return 0
                place = self.places[key] = Place(seen)
            place.count += 1
            place.idle += seen.idle
            place.last = time()
            if seen.idle >= place.longest:
                place.longest, place.seen = seen.idle, seen
            return place.count

    def still_held(self, watch: "Watch", found: Open, now_at: str) -> None:
        """A transaction has been idle for too long, and still is. `now_at` is the stack of who waits."""
        with self._lock:
            self.route(watch.route()).held += 1
        log.warning(
            "%s holds a transaction: idle for %.1f s, open for %.1f s so far\n   opened by `%s` at\n%s\n   now at\n%s",
            watch.route(),
            found.told,
            monotonic() - found.began,
            shortened(found.statement),
            watch.opening_of(found),
            now_at,
        )

    def let_go(self, watch: "Watch", found: Open) -> None:
        """What `still_held` told of is over."""
        log.warning("%s let go after %.0f ms (%s)", watch.route(), (found.last - found.began) * 1000, found.ended)

    def lost(self, watch: "Watch", found: Open, error: BaseException | None) -> None:
        """The database has closed the connection in mid-transaction, or the application has thrown it away."""
        with self._lock:
            self.route(watch.route()).lost += 1
        why = f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0] if error else "invalidated"
        log.warning(
            "%s lost its connection in mid-transaction, %.1f s after it began: %s\n   opened by `%s` at\n%s",
            watch.route(), monotonic() - found.began, why, shortened(found.statement), watch.opening_of(found),
        )  # fmt: skip

    def exhausted(self, watch: "Watch", error: BaseException) -> None:
        """The pool had no connection to give: tell who has them."""
        with self._lock:
            self.route(watch.route()).exhausted += 1
        holders = Counter(f"{found.watch.route()} {found.watch.place_of(found)}" for found in list(opened.values()))
        said = "\n".join(f"   {count:>4} {holder}" for holder, count in holders.most_common(10))
        why = str(error).partition("\n")[0]
        log.warning("%s got no connection: %s\n   who has them:\n%s", watch.route(), why, said)

    def raw_left(self, watch: "Watch", left: "list[Taken]") -> None:
        """Connections taken past `Connection` are not back in their pools though the request is over."""
        with self._lock:
            self.route(watch.route()).leaks += len(left)
        for found in left:
            site = site_of(found.at[0], self.settings.root)
            log.warning("%s has not given back the connection of %s:%d", watch.route(), site.path, site.line)


def headline(seen: "Seen") -> str:
    finding = seen.finding
    return (
        f"{seen.route}: {finding.site.path}:{finding.site.line} {finding.code} {finding.message}; "
        f"idle for {seen.idle * 1000:.0f} ms of {seen.held * 1000:.0f} ms"
    )


def told(seen: "Seen", root: str) -> str:
    """A finding with its picture, as `letgo check` draws it."""
    from letgo.picture.draw import picture
    from letgo.picture.look import Look
    from letgo.runtime.guard.frames import code_at

    finding = seen.finding
    lines = [headline(seen), *picture(finding.trace, lambda site: code_at(site, root), Look(), finding.site)]
    if seen.statement:
        lines.append(f"   statement: {shortened(seen.statement)}")
    return "\n".join(line.rstrip() for line in [*lines, f"   help: {finding.help}"])


def shortened(statement: str, most: int = 100) -> str:
    one_line = " ".join(statement[: most * 4].split())
    return one_line if len(one_line) <= most else one_line[: most - 1] + "…"
