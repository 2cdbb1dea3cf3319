"""The end of an activation: what it amounts to for its callers, and what is wrong with its own sessions."""

from collections.abc import Iterable
from dataclasses import replace

from letgo.holds import Hold, Misuse, MisuseKind, Origin, Site, Wait
from letgo.lifetime.analysis import Frame, Part, Summary, Way
from letgo.lifetime.background import scheduled
from letgo.lifetime.effects import FAILED
from letgo.lifetime.facts import YIELDS, Leaves
from letgo.lifetime.values import (
    FLASK_SESSION,
    NONE,
    Constant,
    Instance,
    Key,
    Many,
    Value,
    either,
    options,
    sessions_of,
)
from letgo.lifetime.world import CLOSED, FRESH, NOWHERE, OPEN, Chain, State, Traits, World, join_states


def finish(frame: Frame, *, called: bool = True, alone: bool = False) -> Summary:
    """What the activation amounts to. The holds of its own sessions are its own findings; the others' go up, if there
    is a caller."""
    exits, returns = _joined(frame.exits)
    raises, _ = _joined(frame.errors)
    fails, _ = _joined(frame.errors + frame.cancelled)
    receiver = _final_receiver(frame)
    held = [world.env.get(param.name) for world in frame.exits for param in frame.function.params]
    objects_given = (value for value in held if isinstance(value, Instance))
    reachable = [returns, receiver, *(point.value for point in frame.yields.values()), *objects_given]
    escaped = {key for item in reachable for key in sessions_of(item)} if called else set()
    parts: list[Part] = []
    for part in frame.parts.values():
        traits = frame.traits.get(part.key)
        ours = part.opened is not None if traits is None else traits.owned and (alone or part.key not in escaped)
        if ours:
            _emit(frame, part, exits, frame.traits_of(part.key))
        else:
            parts.append(part)
    if any(state.is_open and state.opened and key in frame.analysis.shared for key, state in exits.items()):
        frame.analysis.memo.note(Leaves(frame.function.name))
    _check_closing(frame, exits, fails, escaped)
    _check_shared(frame, exits, fails)
    _check_commits(frame, escaped)
    return Summary(
        returns,
        exits,
        _ways(frame.exits),
        raises,
        tuple(frame.yields.values()),
        _few(frame.waits.values()),
        _few(scheduled(*frame.exits)),
        tuple(parts[:40]),
        tuple(frame.opens.values())[:4],
        {key: known for key, known in frame.traits.items() if known.owned},
        receiver,
        bool(frame.errors or frame.cancelled),
    )


def _joined(worlds: list[World]) -> tuple[dict[Key, State], Value | None]:
    sessions: dict[Key, State] = {}
    for world in worlds:
        for key, state in world.sessions.items():
            sessions[key] = join_states(sessions[key], state) if key in sessions else state
    return sessions, either(*(world.returned for world in worlds))


def _ways(worlds: list[World]) -> tuple[Way, ...]:
    """The exits by the constant that they return: None, True, False or something else. What no constant tells from
    the others is one way."""
    found: dict[Constant | None, list[World]] = {}
    for world in worlds:
        value = world.returned if world.return_line else NONE
        found.setdefault(value if isinstance(value, Constant) else None, []).append(world)
    joined = [(value, *_joined(alike)) for value, alike in found.items()]
    ways = tuple(Way(value or returned, sessions) for value, sessions, returned in joined)
    differ = any(_unlike(way.sessions, ways[0].sessions) for way in ways[1:])
    return ways if differ else ()


def _unlike(first: dict[Key, State], second: dict[Key, State]) -> bool:
    return first.keys() != second.keys() or any(
        (state.phases, state.committed, state.expired, state.deletes)
        != (other.phases, other.committed, other.expired, other.deletes)
        for state, other in zip(first.values(), map(second.__getitem__, first), strict=True)
    )


def _final_receiver(frame: Frame) -> Value | None:
    if frame.symbol.owner is None or not frame.function.params or frame.value.receiver is None:
        return None
    name = frame.function.params[0].name
    kept: dict[str, Value | None] = {}
    last = None
    for option in options(either(*(world.env.get(name) for world in frame.exits))):
        if isinstance(option, Instance):
            last = option
            for attribute, value in option.attributes:
                kept[attribute] = either(kept[attribute], value) if attribute in kept else value
    known = tuple((attribute, value) for attribute, value in sorted(kept.items()) if value is not None)
    return last and Instance(last.cls, known)


def _few(waits: Iterable[tuple[Wait, bool]]) -> tuple[tuple[Wait, bool], ...]:
    """A few waits of each kind, the nearest and most certain first."""
    kept: list[tuple[Wait, bool]] = []
    for wait, certain in sorted(waits, key=lambda item: (not item[1], len(item[0].via))):
        if sum(1 for other, _ in kept if other.kind == wait.kind) < 3:
            kept.append((wait, certain))
    return tuple(kept)


def _emit(frame: Frame, part: Part, exits: dict[Key, State], traits: Traits) -> None:
    if part.wait.what == YIELDS and not part.wait.via and frame.value.manages:
        return
    last = exits.get(part.key)
    released = last.released if last is not None and not last.phases & OPEN else None
    opened = part.opened or Chain(traits.source.site, (), True)
    holder = holder_of(frame, traits, part.wait, opened)
    wait, way = part.wait, opened.via
    if holder != frame.site:  # seen from the dependency, the endpoint's call of it is no part of the way
        wait = Wait(wait.kind, wait.what, wait.site, _without(frame.site, wait.via))
        way = _without(frame.site, way)
    certain = part.certain and traits.certain
    local = holder == frame.site and traits.source.site != NOWHERE
    source = traits.source if local else replace(traits.source, site=holder)
    frame.analysis.memo.note(Hold(holder, source, opened.site, (wait,), released, certain, way))


def holder_of(frame: Frame, traits: Traits, wait: Wait, opened: Chain) -> Site:
    """Who answers for a hold: the dependency that waits or that asked for the session, else the function at hand."""
    asked = traits.source.site
    if wait.via and wait.via[0] == frame.site:
        inner = wait.via[1] if len(wait.via) > 1 else wait.site
        return frame.analysis.definitions.get((inner.path, inner.function), inner)
    began = opened.via[0] if opened.via else opened.site
    mine = (began.path, began.function) == (frame.site.path, frame.site.function) and began != frame.site
    if traits.source.origin is Origin.DEPENDENCY and asked != frame.site and not mine:
        return asked
    return frame.site


def _without(first: Site, via: tuple[Site, ...]) -> tuple[Site, ...]:
    return via[1:] if via and via[0] == first else via


def _check_closing(frame: Frame, exits: dict[Key, State], raises: dict[Key, State], escaped: set[Key]) -> None:
    """Sessions that the function made itself must be given back on every way out."""
    collected = _collected(frame)
    for key, traits in frame.traits.items():
        if not traits.owned or traits.pinned or traits.source.origin not in (Origin.FACTORY, Origin.GENERATOR):
            continue
        if key in collected:
            continue
        if key in escaped:
            if traits.source.origin is Origin.GENERATOR:  # its generator is over: whoever gets it must close it
                frame.analysis.misuse(
                    MisuseKind.FINALISED_GENERATOR, frame.site, traits.source, traits.source.site, False
                )
            continue
        state, failed = exits.get(key), raises.get(key)
        kind = None
        if traits.source.origin is Origin.GENERATOR and state is not None and state.phases & ~(CLOSED | FRESH):
            kind = MisuseKind.FINALISED_GENERATOR
        elif state is not None and state.is_open:
            kind = None if _was_reopened(frame, traits) else MisuseKind.NEVER_CLOSED
        elif failed is not None and failed.is_open:
            kind = MisuseKind.ERROR_PATH
        if kind is not None:
            frame.analysis.misuse(kind, frame.site, traits.source, traits.source.site, traits.certain)


def _collected(frame: Frame) -> set[Key]:
    """Sessions that a list or dict has several of: one name stands for all of them, and so can't be judged."""
    held = (value for world in frame.exits for value in world.env.values() if isinstance(value, Many))
    return {key for value in held for key in sessions_of(value)}


def _check_shared(frame: Frame, exits: dict[Key, State], raises: dict[Key, State]) -> None:
    """Who gives a shared session back at its end must do so after an exception, too."""
    for key, state in exits.items():
        failed = raises.get(key)
        if key in frame.traits or state.phases != CLOSED or failed is None or not failed.is_open:
            continue
        if state.released is not None and state.released.function == frame.function.qualname:
            source = frame.analysis.shared[key].source
            if source.name != FLASK_SESSION.name:
                frame.analysis.misuse(MisuseKind.ERROR_PATH, frame.site, source, state.released, False)


def _was_reopened(frame: Frame, traits: Traits) -> bool:
    """Whether the session was closed and is open again for a reason that is told already."""
    return any(
        isinstance(fact, Misuse)
        and fact.kind is MisuseKind.REOPENED
        and (fact.function, fact.session) == (frame.site, traits.source)
        for fact in frame.analysis.memo.found()
    )


def _check_commits(frame: Frame, escaped: set[Key]) -> None:
    """What was written into a session that is given back without a commit is lost; after an exception it is meant."""
    exits, _ = _joined([world for world in frame.exits if FAILED not in world.env])
    for key, state in exits.items():
        traits = frame.traits.get(key)
        if state.dirty and traits and traits.owned and key not in escaped and state.phases == CLOSED:
            frame.analysis.misuse(MisuseKind.UNCOMMITTED, frame.site, traits.source, state.dirty, traits.certain)
