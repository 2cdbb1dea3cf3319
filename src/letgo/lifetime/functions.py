"""Following a call into a function: one summary a context, memoised, and what it means for the caller.

A context is the function, what it is given, and the states of the sessions that it can reach. Inside, those sessions
are called `p0`, `p1` ... so that two callers which give the same kind of thing share one summary.
"""

from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import NamedTuple

from letgo.holds import Hold, Misuse, MisuseKind, Origin, Site, Source, Wait
from letgo.lifetime import construction, interpret, objects
from letgo.lifetime.analysis import NOTHING, Analysis, Frame, Part, Summary, Way, Yielded
from letgo.lifetime.effects import FAILED, begin, close, hold, nest, note_failure, note_opening, note_wait
from letgo.lifetime.facts import YIELDS, Followed, Leaves
from letgo.lifetime.sqlalchemy import is_async
from letgo.lifetime.values import (
    EXACT,
    FLASK_SESSION,
    NONE,
    Constant,
    FunctionValue,
    Instance,
    Key,
    Many,
    Object,
    Session,
    Value,
    either,
    keys_of,
    options,
    rename,
    rename_items,
    sessions_of,
    telling,
)
from letgo.lifetime.world import CLOSED, FRESH, NOWHERE, OPEN, UNTOUCHED, Chain, State, Traits, World, join_states
from letgo.source import program as ir
from letgo.source.names import FunctionSymbol

SESSION_NAMES = frozenset({"db", "session", "db_session", "dbsession", "async_session", "async_db", "sess"})
_SESSION_VERBS = frozenset(
    "query execute commit scalars scalar refresh rollback flush exec get_one add_all".split()
)  # fmt: skip


class Activation(NamedTuple):
    """A call that was followed: what a generator needs to go on from its yields, and how its sessions are called
    by the function that called it."""

    value: FunctionValue
    bound: tuple[tuple[str, Value], ...]
    summary: Summary
    names: dict[Key, Key]


def execute(
    frame: Frame,
    world: World,
    value: FunctionValue,
    bound: dict[str, Value],
    line: int,
    *,
    certain: bool = True,
    streaming: bool = False,
    entering: bool = False,
    mark: str = "",
) -> Activation:
    """Follows a call to its end, or a generator that is `entering` to its yields, and does to the caller's world what
    it does.

    `mark` tells the sessions that it gives apart from those of an equal call on the same line.
    """
    frame.touched = True
    analysis = frame.analysis
    names: dict[Key, Key] = {}  # the caller's key -> the callee's
    known = _known_arguments(analysis, value, bound)
    for item in (*known.values(), value.receiver, *[item for _, item in value.captured]):
        for key in keys_of(item):
            if key not in names:
                names[key] = key if key in analysis.shared else f"p{len(names)}"
    inner, arguments = value, tuple(known.items())
    if names:
        inner = value._replace(
            receiver=rename(value.receiver, names.__getitem__),
            captured=rename_items(value.captured, names.__getitem__),
        )
        arguments = rename_items(arguments, names.__getitem__)
    for key in world.sessions:
        if key in analysis.shared:
            names.setdefault(key, key)
    states = {names[key]: world.sessions.get(key, UNTOUCHED) for key in names}
    traits = {names[key]: frame.traits_of(key) for key in names if key not in analysis.shared}
    summary = summarise(analysis, inner, arguments, states, traits, entering=entering)
    outward = {callee: caller for caller, callee in names.items()}
    activation = Activation(inner, arguments, summary, outward)
    _adopt(frame, world, activation, line, mark)
    apply(frame, world, activation, line, certain=certain, streaming=streaming)
    return activation


def _known_arguments(analysis: Analysis, value: FunctionValue, bound: dict[str, Value]) -> dict[str, Value]:
    """The arguments that can matter: a constant only where the function tests it, a text where it compares it."""
    fixed = analysis.fixed(value.symbol.module, value.symbol.function)
    known = ((name, telling(item, name in fixed.tested, name in fixed.compared)) for name, item in bound.items())
    return {name: item for name, item in known if item is not None}


def summarise(
    analysis: Analysis,
    value: FunctionValue,
    arguments: tuple[tuple[str, Value], ...],
    states: dict[Key, State],
    traits: dict[Key, Traits],
    *,
    alone: bool = False,
    entering: bool = False,
) -> Summary:
    """What the function does in this context, from memory if it was followed before. `alone`: nobody known calls it."""
    function = value.symbol.function
    context: Hashable = (
        id(function),
        alone,
        entering,
        value.receiver,
        value.captured,
        arguments,
        tuple(sorted((key, s.phases, s.dirty is None, s.committed, s.expired) for key, s in states.items())),
        tuple((t.expire_on_commit, t.pinned, t.certain) for t in traits.values()),
    )

    def follow() -> Summary:
        frame = Frame(analysis, value)
        frame.entering = entering
        world = _enter(frame, arguments, states, traits)
        interpret.run(frame, [(ir.ENTRY, 0, start) for start in _with_and_without(frame, world, arguments)])
        return finish(frame, alone=alone)

    place = analysis.place(value.symbol.module, function.line)
    return analysis.memo.recall(context, place, follow, lambda: _unchanged(states))


def _unchanged(states: dict[Key, State]) -> Summary:
    return NOTHING._replace(exits={key: _inner_state(state) for key, state in states.items()})


def _inner_state(state: State) -> State:
    """A caller's state as the callee sees it: where it began, ended or was written to is the caller's business."""
    return state._replace(opened=None, released=None, dirty=state.dirty and NOWHERE)


def _enter(
    frame: Frame, arguments: tuple[tuple[str, Value], ...], states: dict[Key, State], traits: dict[Key, Traits]
) -> World:
    """The world that the function begins with."""
    analysis, function = frame.analysis, frame.function
    analysis.memo.note(Followed(frame.site))
    frame.traits = {key: _borrowed(frame, key, known, arguments) for key, known in traits.items()}
    env = dict(frame.value.captured)
    env.update(arguments)
    world = World(env, {key: _inner_state(state) for key, state in states.items()})
    given = dict(arguments)
    first = True
    for param in function.params:
        if first and frame.symbol.owner is not None and frame.value.receiver is not None and not _is_static(function):
            env[param.name] = frame.value.receiver
        elif param.name not in given:
            _fill(frame, world, param)
        first = False
    return world


def _with_and_without(frame: Frame, world: World, arguments: tuple[tuple[str, Value], ...]) -> list[World]:
    """The world, and one more without the session that the caller need not give, where the function asks whether it
    was given."""
    known = {name for name, _ in arguments}
    for param in frame.function.params:
        if (
            param.default == ir.Const(None)
            and param.name not in known
            and isinstance(world.env.get(param.name), Session)
            and param.name in frame.fixed.tested
        ):
            frame.flags |= {param.name}
            without = world.copy()
            without.bind(param.name, NONE)
            return [world, without]
    return [world]


def _is_static(function: ir.Function) -> bool:
    return any(isinstance(decorator, ir.Name) and decorator.id == "staticmethod" for decorator in function.decorators)


def _borrowed(frame: Frame, key: Key, known: Traits, arguments: tuple[tuple[str, Value], ...]) -> Traits:
    name = next((name for name, item in arguments if key in keys_of(item)), known.source.name)
    return known._replace(owned=False, source=Source(Origin.PARAMETER, name, frame.site))


def _fill(frame: Frame, world: World, param: ir.Param) -> None:
    """A parameter that nothing is known to be given to: by its default, its annotation, at last its name."""
    analysis = frame.analysis
    declared = objects.annotation_value(analysis, frame.module, frame.function, param.annotation)
    dotted = objects.is_session_type(analysis, declared)
    certain = dotted is not None
    if (
        dotted is None
        and declared is None
        and param.annotation is None
        and looks_like_a_session(frame.function, param.name)
    ):
        dotted = "sqlalchemy.orm.Session"
    if dotted is not None:
        key = f"a.{param.name}"
        source = Source(Origin.PARAMETER, param.name, frame.site)
        certain = certain and param.default != ir.Const(None)  # it may well be that nobody gives one
        frame.traits[key] = Traits(source, is_async(dotted), None, False, True, False, certain)
        world.sessions[key] = UNTOUCHED
        world.env[param.name] = Session(key)
    elif declared is not None and param.kind in ("positional", "keyword"):
        world.env[param.name] = declared
    elif isinstance(param.default, ir.Const) and param.default.value is None and declared is None:
        return
    elif param.default is not None and not isinstance(param.default, ir.Call):
        default = construction.evaluate_around(analysis, frame.module, frame.function, param.default)
        if not isinstance(default, EXACT):  # whoever gives something may give another
            world.bind(param.name, default)


def looks_like_a_session(function: ir.Function, name: str) -> bool:
    """The last resort: a parameter named as sessions are, in a function that uses a session's verbs."""
    return name in SESSION_NAMES and not _SESSION_VERBS.isdisjoint(function.mentions)


# --- the end of an activation ----------------------------------------------------------------------------------------


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
        tuple(parts[:40]),
        tuple(frame.opens.values())[:4],
        {key: known for key, known in frame.traits.items() if known.owned},
        receiver,
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
        (state.phases, state.committed, state.expired) != (other.phases, other.committed, other.expired)
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


# --- the caller's side -----------------------------------------------------------------------------------------------


def apply(
    frame: Frame, world: World, activation: Activation, line: int, *, certain: bool = True, streaming: bool = False
) -> None:
    """Does to the caller's world what a followed call does, and notes what its waits mean for the open sessions."""
    summary = activation.summary
    call = frame.at(line)
    _note_waits(frame, world, activation, call, certain, streaming)
    for opening in summary.opens:
        opened = opening.at.under(call, certain)
        released = frozenset(activation.names.get(key, key) for key in opening.released)
        note_opening(frame, world, opened, released)
        nest(frame, world, None, opened, released)
    _settle(frame, world, activation, call, certain)


def _note_waits(frame: Frame, world: World, activation: Activation, call: Site, certain: bool, streaming: bool) -> None:
    """What the callee waits for holds the sessions given to it, as it saw, and those that it never heard of."""
    summary, names = activation.summary, activation.names
    before = world.sessions
    for part in summary.parts:
        key = names.get(part.key)
        if key is None or (part.wait.what == YIELDS and not streaming):
            continue
        opened = part.opened.under(call, certain) if part.opened else before.get(key, UNTOUCHED).opened
        hold(frame, key, opened, _lower(part.wait, call), part.certain and certain)
    if FAILED in world.env:  # what only reports an error may be slow: what it holds has stopped already
        return
    looked_after = frozenset(names.values())
    for wait, sure in summary.waits:
        note_wait(frame, world, _lower(wait, call), sure and certain, looked_after)


def _lower(wait: Wait, call: object) -> Wait:
    return Wait(wait.kind, wait.what, wait.site, (call, *wait.via)[:12])  # type: ignore[arg-type]


def _adopt(frame: Frame, world: World, activation: Activation, line: int, mark: str = "") -> None:
    """The callee's own sessions that come back become the caller's."""
    summary, names = activation.summary, activation.names
    if not summary.escaped:
        return
    origin = Origin.CONTEXT if activation.value.manages else Origin.FACTORY
    handed = [summary.returns, summary.receiver, *(point.value for point in summary.yields)]
    alternatives = _alternatives(handed, summary.escaped)
    for key in dict.fromkeys(key for item in handed for key in keys_of(item)):
        if key in names or key not in summary.escaped:
            continue
        first = alternatives.get(key, key)
        traits = summary.escaped[first]
        mine = f"{line}.{mark}{first}"[-48:]
        names[key] = mine
        source = Source(origin, _name(activation.value.symbol), frame.at(line))
        # A session that the callee was taken to be given is somebody else's, whoever that may be.
        frame.traits[mine] = traits._replace(source=source, owned=traits.source.origin is not Origin.PARAMETER)
        world.sessions.pop(mine, None)


def _name(symbol: FunctionSymbol) -> str:
    """What a reader knows a function by: a constructor by its class."""
    return symbol.owner.cls.name if symbol.owner and symbol.function.name == "__init__" else symbol.function.name


def _alternatives(handed: list[Value | None], own: dict[Key, Traits]) -> dict[Key, Key]:
    """Sessions of which the caller gets one or the other (from two branches, two yields) are one to the caller."""
    found: dict[Key, Key] = {}
    for value in handed:
        keys = [option.key for option in options(value) if isinstance(option, Session) and option.key in own]
        keys.sort(key=lambda key: own[key].pinned)
        found.update(dict.fromkeys(keys, keys[0]) if keys else {})
    handed_out = [point for point in handed if isinstance(point, Session) and point.key in own]
    if len(handed_out) > 1:
        keys = sorted((each.key for each in handed_out), key=lambda key: own[key].pinned)
        found.update(dict.fromkeys(keys, keys[0]))
    return found


def _settle(frame: Frame, world: World, activation: Activation, call: object, certain: bool) -> None:
    frame.ways = tuple(
        Way(outward(activation, way.returned), _outer_states(frame, world, activation, way.sessions, call, certain))
        for way in activation.summary.ways
    )
    settled = _outer_states(frame, world, activation, activation.summary.exits, call, certain)
    for own, after in settled.items():
        before = world.sessions.get(own)
        if before is not None and not before.is_open and after.is_open and after.opened is not None:
            begin(frame, world, own, before, after.opened)
    world.sessions.update(settled)
    for key, state in activation.summary.raises.items():
        mine = activation.names.get(key)
        if mine is not None and state.is_open:
            note_failure(frame, world, mine)
            assert frame.raising is not None
            frame.raising[mine] = join_states(
                frame.raising[mine], _outer_state(world.sessions.get(mine), state, call, certain)
            )


def _outer_states(
    frame: Frame, world: World, activation: Activation, sessions: dict[Key, State], call: object, certain: bool
) -> dict[Key, State]:
    """The states that the callee leaves its sessions in, as the caller knows them."""
    found: dict[Key, State] = {}
    for key, state in sessions.items():
        mine = activation.names.get(key) or (key if key in frame.analysis.shared else None)
        if mine is not None:
            outer = _outer_state(world.sessions.get(mine), state, call, certain)
            found[mine] = join_states(found[mine], outer) if mine in found else outer
    return found


def _outer_state(before: State | None, after: State, call: object, certain: bool) -> State:
    opened = after.opened.under(call, certain) if after.opened else (before.opened if before else None)  # type: ignore[arg-type]
    released = after.released or (before.released if before else None)
    dirty = after.dirty and ((before.dirty if before else None) or call)
    return after._replace(opened=opened, released=released, dirty=dirty)  # type: ignore[arg-type]


def outward(activation: Activation, value: Value | None) -> Value | None:
    """A callee's value as the caller knows it."""
    names = activation.names
    return rename(value, lambda key: names.get(key, key))


def resume(
    frame: Frame, world: World, activation: Activation, line: int, raised: bool, *, certain: bool = True
) -> None:
    """A generator goes on after its yields: with the value sent, or with an exception raised there."""
    frame.touched = True
    analysis, summary = frame.analysis, activation.summary
    inner = {callee: world.sessions.get(caller, UNTOUCHED) for callee, caller in activation.names.items()}
    traits = {key: frame.traits_of(caller) for key, caller in activation.names.items() if key not in analysis.shared}
    context: Hashable = (
        "resume", id(summary), raised,
        tuple(sorted((key, s.phases, s.dirty is None, s.committed, s.expired) for key, s in inner.items())),
        tuple((t.expire_on_commit, t.pinned, t.certain) for t in traits.values()),
    )  # fmt: skip
    known, _ = analysis.memo.recall(
        context,
        analysis.place(activation.value.symbol.module, activation.value.symbol.function.line),
        lambda: (_resumed(analysis, activation, inner, traits, raised), summary),  # kept, so that its id stays its own
        lambda: (None, summary),
    )
    if known is None:  # too much was followed already: whoever gives a session is trusted to close it
        _trust(frame, world, activation, line)
        return
    activation = activation._replace(summary=known)
    _adopt(frame, world, activation, line)
    apply(frame, world, activation, line, certain=certain)


def _trust(frame: Frame, world: World, activation: Activation, line: int) -> None:
    symbol = activation.value.symbol
    end = frame.analysis.fixed(symbol.module, symbol.function).site
    for key in activation.summary.escaped:
        mine = activation.names.get(key)
        if mine is not None and mine in world.sessions:
            close(frame, world, mine, line)
            world.sessions[mine] = world.sessions[mine]._replace(released=end)


def _resumed(
    analysis: Analysis, activation: Activation, states: dict[Key, State], traits: dict[Key, Traits], raised: bool
) -> Summary:
    inner = Frame(analysis, activation.value)
    inner.traits = {key: _borrowed(inner, key, known, activation.bound) for key, known in traits.items()}
    for key, known in activation.summary.escaped.items():
        inner.traits[key] = known._replace(owned=not raised and key not in activation.names)
    starts = []
    for point in activation.summary.yields:
        start = point.world.copy()
        for key, state in states.items():
            if key in start.sessions or key not in activation.summary.escaped:
                start.sessions[key] = _inner_state(state)
        block = inner.function.blocks[point.block]
        starts.append((block.error, 0, start) if raised else (point.block, point.step, start))
    live = [start for start in starts if start[0] not in (ir.ERROR, ir.CANCELLED, ir.EXIT)]
    inner.exits.extend(world for number, _, world in starts if number in (ir.ERROR, ir.CANCELLED))
    interpret.run(inner, live)
    if raised:
        inner.exits.extend(inner.errors + inner.cancelled)
    return finish(inner)


def yields_of(activation: Activation) -> Value | None:
    """What a generator hands out."""
    return outward(activation, either(*(point.value for point in activation.summary.yields)))


def at_yields(frame: Frame, world: World, activation: Activation, line: int) -> None:
    """Puts the callee's sessions into the states that they have at its yields."""
    call = frame.at(line)
    settled: dict[Key, State] = {}
    for point in activation.summary.yields:
        for key, state in point.world.sessions.items():
            mine = activation.names.get(key, key if key in frame.analysis.shared else None)
            if mine is not None:
                outer = _outer_state(world.sessions.get(mine), state, call, True)
                settled[mine] = join_states(settled[mine], outer) if mine in settled else outer
    world.sessions.update(settled)


__all__ = [
    "CLOSED", "NONE", "Activation", "Object", "Yielded", "apply", "at_yields", "execute", "finish",
    "looks_like_a_session", "outward", "resume", "summarise", "yields_of",
]  # fmt: skip
