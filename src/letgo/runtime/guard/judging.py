"""From what was seen to what is said: the same `Hold`, `Misuse` and `Finding` as `letgo check` makes from source."""

from dataclasses import dataclass, replace
from time import monotonic
from types import CodeType
from typing import TYPE_CHECKING

from letgo.holds import (
    Confidence,
    Event,
    Finding,
    Hold,
    Misuse,
    MisuseKind,
    Origin,
    Site,
    Source,
    Step,
    Wait,
    WaitKind,
)
from letgo.picture.steps import describe_misuse, steps_of_hold, steps_of_misuse
from letgo.runtime.guard import texts, words
from letgo.runtime.guard.frames import Frame, Stop, line_of, site_of
from letgo.runtime.guard.routes import Handler
from letgo.runtime.guard.waits import text_at

if TYPE_CHECKING:
    from letgo.runtime.guard.tracking import Open
    from letgo.runtime.guard.watch import Watch

AT_RETURN = frozenset({WaitKind.SERIALISE, WaitKind.BRANCH})


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding in a running app: on which route, with which statement, and for how many seconds.

    `idle` is how long the transaction did nothing, `held` how long it was open, up to when it was found.
    """

    finding: Finding
    route: str
    statement: str
    idle: float
    held: float
    hold: Hold | None = None
    in_request: bool = True

    @property
    def fails(self) -> bool:
        """Whether mode `raise` raises it: it is certain, and a request did it."""
        return self.in_request and self.finding.confidence is Confidence.CERTAIN


def when_started(watch: "Watch", found: "Open", streamed: bool, seconds: float) -> None:
    """The response goes out while the transaction is open."""
    handler = watch.handler()
    if handler is None:
        return
    if not streamed:
        line, called = _return_of(handler, watch.status)
        branch = 300 <= watch.status < 400 or called.endswith("Response")
        wait = Wait(WaitKind.BRANCH if branch else WaitKind.SERIALISE, "return", replace(handler.site, line=line))
    elif found.phase and found.at:
        wait = Wait(WaitKind.STREAM, "yield", _yield_in(found.at[0], watch), _via(found, watch, handler)[:-1])
    else:
        line, called = _return_of(handler, watch.status)
        wait = Wait(WaitKind.STREAM, called or "the response", replace(handler.site, line=line))
    if watch.in_request and not any(_same(wait, known) for known in found.waits):
        found.waits.append(replace(wait, seconds=seconds))


def judge(watch: "Watch", found: "Open", ending: tuple[Frame, ...]) -> None:
    """A transaction that waited has ended, in the code that `ending` tells."""
    handler = watch.handler()
    released = site_of(ending[0], watch.settings.root) if ending else None
    source = source_of(watch, found, handler, ending)
    if found.again == "commit" and all(wait.kind in AT_RETURN for wait in found.waits):
        _misuse(watch, found, MisuseKind.REARMED, source, _called_at(found.at), released)
        return
    hold = _hold(watch, found, handler, source, released)
    for kind in dict.fromkeys(wait.kind for wait in hold.waits):
        _report_waits(watch, found, hold, tuple(wait for wait in hold.waits if wait.kind is kind))


def judge_orphan(watch: "Watch", found: "Open") -> None:
    """A transaction is open though its request is over."""
    handler = watch.handler()
    source = source_of(watch, found, handler, ())
    if found.handed_to is not None:
        _misuse(watch, found, MisuseKind.ESCAPES_SCOPE, source, found.handed_to[0].co_name)
    elif watch.error is not None:
        _misuse(watch, found, MisuseKind.ERROR_PATH, source, type(watch.error).__name__)
    elif found.again == "close":
        pass  # told when it was opened again
    else:
        _misuse(watch, found, MisuseKind.NEVER_CLOSED, source)
    hold = _hold(watch, found, handler, source, None)
    if found.handed_to is None:
        for kind in dict.fromkeys(wait.kind for wait in hold.waits):
            _report_waits(watch, found, hold, tuple(wait for wait in hold.waits if wait.kind is kind))
    found.waits.clear()


def judge_nested(watch: "Watch", found: "Open", first: "Open") -> None:
    """A second transaction begins in a request that has one open, on the same engine."""
    source = source_of(watch, first, watch.handler(), ())
    second = _given_in(found.at)
    _misuse(watch, found, MisuseKind.NESTED, source, second.giver if second else "")


def judge_reuse(watch: "Watch", found: "Open") -> None:
    """A session that was closed is used again."""
    source = source_of(watch, found, watch.handler(), ())
    _misuse(watch, found, MisuseKind.REOPENED, source, _called_at(found.at))


def source_of(watch: "Watch", found: "Open", handler: Handler | None, ending: tuple[Frame, ...]) -> Source:
    """Who gave the session: the dependency that ends it, or what the source of the code that opened it says."""
    root = watch.settings.root
    if handler is not None:
        for frame in ending:
            dependency = handler.dependency_with(frame[0])
            if dependency is not None:
                return Source(Origin.DEPENDENCY, frame[0].co_name, handler.site)
    for frame in found.at:
        for given in texts.given(*_place(frame)):
            site = replace(site_of(frame, root), line=given.line)
            if handler is None or given.origin is not Origin.PARAMETER:
                return Source(given.origin, given.giver, site)
            if frame[0] is handler.code and (call := handler.dependencies.get(given.giver)) is not None:
                name = getattr(call, "__name__", type(call).__name__)
                return Source(Origin.DEPENDENCY, name, replace(handler.site, line=given.line))
    if handler is not None and (only := handler.only_generator()) is not None:
        return Source(Origin.DEPENDENCY, only, handler.site)
    site = site_of(found.at[-1], root) if found.at else _nowhere(handler)
    return Source(Origin.PARAMETER, "the session", handler.site if handler is not None else site)


def _report_waits(watch: "Watch", found: "Open", hold: Hold, waits: tuple[Wait, ...]) -> None:
    first, said = waits[0], words.of_wait(waits[0])
    more = f" (and {len(waits) - 1} more)" if len(waits) > 1 else ""
    finding = Finding(
        code=said.code,
        rule=said.rule,
        message=words.message(hold, first) + more,
        help=words.advice(hold, first),
        site=next((site for site in first.via if _in(site, hold.function)), first.site),
        handler=hold.function,
        confidence=Confidence.CERTAIN,
        rank=said.rank,
        trace=steps_of_hold(hold, waits),
    )
    _report(watch, found, finding, hold)


def _misuse(
    watch: "Watch",
    found: "Open",
    kind: MisuseKind,
    source: Source,
    detail: str = "",
    released: Site | None = None,
) -> None:
    handler = watch.handler()
    site = site_of(found.at[0], watch.settings.root) if found.at else _nowhere(handler)
    function = handler.site if handler is not None else site
    certain = kind is not MisuseKind.NESTED
    misuse = Misuse(kind, function, source, site, certain, _trail(site, kind, released), detail)
    said = words.MISUSES[kind]
    finding = Finding(
        code=said.code,
        rule=said.rule,
        message=said.message(misuse),
        help=said.advice(misuse),
        site=site,
        handler=function,
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        rank=said.rank,
        trace=steps_of_misuse(misuse, describe_misuse(kind)),
    )
    _report(watch, found, finding, None)


def _trail(site: Site, kind: MisuseKind, released: Site | None) -> tuple[Step, ...]:
    lasting = kind in (MisuseKind.NEVER_CLOSED, MisuseKind.ERROR_PATH, MisuseKind.ESCAPES_SCOPE)
    steps = [Step(Event.OPENED, site, "the transaction begins" if lasting else describe_misuse(kind))]
    if released is not None:
        steps.append(Step(Event.RELEASED, released, f"only `{released.function}` lets go, afterwards"))
    elif lasting:
        steps.append(Step(Event.NEVER_RELEASED, site, "nothing on this path lets go"))
    return tuple(steps)


def _report(watch: "Watch", found: "Open", finding: Finding, hold: Hold | None) -> None:
    now = found.last if found.ended else monotonic()
    idle = found.idle + (0.0 if found.ended else found.idle_for(now))
    watch.recorder.report(
        watch, Seen(finding, watch.route(), found.statement, idle, now - found.began, hold, watch.in_request)
    )


def _hold(watch: "Watch", found: "Open", handler: Handler | None, source: Source, released: Site | None) -> Hold:
    way = _via(found, watch, handler)
    opened = way[-1] if way else _nowhere(handler)
    function = handler.site if handler is not None else (way[0] if way else opened)
    return Hold(function, source, opened, tuple(found.waits), released, True, way[:-1])


def _via(found: "Open", watch: "Watch", handler: Handler | None) -> tuple[Site, ...]:
    """From the handler down to the innermost frame: by its `def` to a dependency, by its `return` to a stream."""
    root = watch.settings.root
    outside_in = found.at[::-1]
    if handler is None:
        return tuple(site_of(frame, root) for frame in outside_in)
    for number, frame in enumerate(outside_in):
        if frame[0] is handler.code:
            return tuple(site_of(frame, root) for frame in outside_in[number:])
    start = handler.site
    if found.phase:
        start = replace(start, line=_return_of(handler, watch.status)[0])
    return (start, *(site_of(frame, root) for frame in outside_in))


def _return_of(handler: Handler, status: int) -> tuple[int, str]:
    """Line and callee of the `return` that was taken, as far as the status tells; else the definition's line."""
    returns = texts.returns_of(handler.code)
    redirects = [found for found in returns if "Redirect" in found.calls]
    fitting = redirects if 300 <= status < 400 else [found for found in returns if found not in redirects]
    callees = {found.calls.rpartition(".")[2] for found in fitting}
    return (
        fitting[0].line if len(fitting) == 1 else handler.site.line,
        callees.pop() if len(callees) == 1 else "",
    )


def _yield_in(frame: Frame, watch: "Watch") -> Site:
    site = site_of(frame, watch.settings.root)
    return replace(site, line=texts.yield_after(frame[0], site.line) or site.line)


def _given_in(at: tuple[Frame, ...]) -> texts.Given | None:
    return next((given for frame in at for given in texts.given(*_place(frame))), None)


def _place(frame: Frame) -> tuple[CodeType, int]:
    return frame[0], line_of(frame)


def _called_at(at: tuple[Frame, ...]) -> str:
    return text_at(Stop(*at[0], ""))[0] if at else ""


def _nowhere(handler: Handler | None) -> Site:
    return handler.site if handler is not None else Site("<unknown>", 1, "<unknown>")


def _in(site: Site, function: Site) -> bool:
    return (site.path, site.function) == (function.path, function.function)


def _same(one: Wait, other: Wait) -> bool:
    return (one.kind, one.site) == (other.kind, other.site)
