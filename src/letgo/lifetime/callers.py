"""What a call that was followed means to its caller: the states and values that come back, and the waits."""

from typing import NamedTuple

from letgo.holds import Origin, Site, Source, Wait
from letgo.lifetime.analysis import Frame, Summary, Way
from letgo.lifetime.background import schedule
from letgo.lifetime.effects import FAILED, begin, hold, nest, note_failure, note_opening, note_wait
from letgo.lifetime.facts import YIELDS
from letgo.lifetime.values import FunctionValue, Key, Session, Value, either, keys_of, options, rename
from letgo.lifetime.world import UNTOUCHED, State, Traits, World, join_states
from letgo.source.names import FunctionSymbol


class Activation(NamedTuple):
    """A call that was followed: what a generator needs to go on from its yields, and how its sessions are called
    by the function that called it."""

    value: FunctionValue
    bound: tuple[tuple[str, Value], ...]
    summary: Summary
    names: dict[Key, Key]


def apply(
    frame: Frame, world: World, activation: Activation, line: int, *, certain: bool = True, streaming: bool = False
) -> None:
    """Does to the caller's world what a followed call does, and notes what its waits mean for the open sessions."""
    summary = activation.summary
    call = frame.at(line)
    _note_waits(frame, world, activation, call, certain, streaming)
    schedule(world, ((_lower(wait, call), sure and certain) for wait, sure in summary.tasks), line)
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
        sure = part.certain and certain and (opened is None or opened.certain)
        hold(frame, key, opened, _lower(part.wait, call), sure)
    if FAILED in world.env:  # what only reports an error may be slow: what it holds has stopped already
        return
    looked_after = frozenset(names.values())
    for wait, sure in summary.waits:
        note_wait(frame, world, _lower(wait, call), sure and certain, looked_after)


def _lower(wait: Wait, call: object) -> Wait:
    return Wait(wait.kind, wait.what, wait.site, (call, *wait.via)[:12])  # type: ignore[arg-type]


def adopt(frame: Frame, world: World, activation: Activation, line: int, mark: str = "") -> None:
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
            note_failure(frame, mine, world.sessions.get(mine, UNTOUCHED))
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
