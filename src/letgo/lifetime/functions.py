"""Following a call into a function: one summary a context, memoised, and what it means for the caller.

A context is the function, what it is given, and the states of the sessions that it can reach. Inside, those sessions
are called `p0`, `p1` ... so that two callers which give the same kind of thing share one summary.
"""

from collections.abc import Hashable

from letgo.holds import Origin, Source
from letgo.lifetime import attributes, construction, interpret, objects
from letgo.lifetime.analysis import NOTHING, Analysis, Frame, Summary
from letgo.lifetime.callers import Activation, adopt, apply
from letgo.lifetime.effects import close
from letgo.lifetime.facts import Followed
from letgo.lifetime.finishing import finish
from letgo.lifetime.sqlalchemy import is_async
from letgo.lifetime.values import (
    EXACT,
    NONE,
    Factory,
    FunctionValue,
    Key,
    Session,
    Value,
    either,
    keys_of,
    rename,
    rename_items,
    telling,
)
from letgo.lifetime.world import NOWHERE, UNTOUCHED, State, Traits, World
from letgo.source import program as ir
from letgo.source.names import External, FunctionSymbol
from letgo.source.walk import stand_ins

SESSION_NAMES = frozenset({"db", "session", "db_session", "dbsession", "async_session", "async_db", "sess"})
_MAY_GIVE_SESSIONS = ("builtins.", "sqlalchemy.", "sqlmodel.")
_SESSION_VERBS = frozenset(
    "query execute commit scalars scalar refresh rollback flush exec get_one add_all".split()
)  # fmt: skip


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
    if summary.fails or (value.symbol.owner and attributes.is_abstract(analysis, value.symbol)):
        frame.touched = True
    outward = {callee: caller for caller, callee in names.items()}
    activation = Activation(inner, arguments, summary, outward)
    adopt(frame, world, activation, line, mark)
    apply(frame, world, activation, line, certain=certain, streaming=streaming)
    return activation


def _known_arguments(analysis: Analysis, value: FunctionValue, bound: dict[str, Value]) -> dict[str, Value]:
    """The arguments that can matter: a constant only where the function tests it, a text where it compares it."""
    fixed = analysis.fixed(value.symbol.module, value.symbol.function)
    nothing = session_parameters(analysis, value.symbol) if NONE in bound.values() else frozenset()
    known = (
        (name, telling(item, name in fixed.tested or name in nothing, name in fixed.compared))
        for name, item in bound.items()
    )
    return {name: item for name, item in known if item is not None}


def session_parameters(analysis: Analysis, symbol: FunctionSymbol) -> frozenset[str]:
    """The parameters that are taken to be given a session, if nothing is known to be given to them."""
    return frozenset(param.name for param in symbol.function.params if _session_type(analysis, symbol, param))


def _session_type(analysis: Analysis, symbol: FunctionSymbol, param: ir.Param) -> str | None:
    """The dotted type of the session that a parameter is declared as or, at last, named like."""
    declared = objects.annotation_value(analysis, symbol.module, symbol.function, param.annotation)
    dotted = objects.is_session_type(analysis, declared)
    if dotted is None and is_named_like_a_session(analysis, symbol, param):
        return "sqlalchemy.orm.Session"
    return dotted


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
        *_telling(states, traits),
    )

    def follow() -> Summary:
        frame = Frame(analysis, value)
        frame.entering = entering
        world = _enter(frame, arguments, states, traits)
        interpret.run(frame, [(ir.ENTRY, 0, start) for start in _with_and_without(frame, world, arguments)])
        return finish(frame, alone=alone)

    place = analysis.place(value.symbol.module, function.line)
    return analysis.memo.recall(context, place, follow, lambda: _unchanged(states), wanders=not states)


def _telling(states: dict[Key, State], traits: dict[Key, Traits]) -> tuple[Hashable, Hashable]:
    """What of the sessions at hand tells one context from another."""
    return (
        tuple(
            (key, s.phases, s.dirty is None, s.committed, s.expired, s.deletes, s.expunged)
            for key, s in sorted(states.items())
        ),
        tuple((t.is_async, t.expire_on_commit, t.pinned, t.certain) for t in traits.values()),
    )


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
    dotted = _session_type(analysis, frame.symbol, param)
    certain = param.annotation is not None
    if dotted is not None:
        key = f"a.{param.name}"
        source = Source(Origin.PARAMETER, param.name, frame.site)
        certain = certain and param.default != ir.Const(None)  # it may well be that nobody gives one
        frame.traits[key] = Traits(source, is_async(dotted), None, False, True, False, certain)
        world.sessions[key] = UNTOUCHED
        world.env[param.name] = Session(key)
    elif declared is not None and param.kind in ("positional", "keyword"):
        if isinstance(declared, Factory):
            declared = declared._replace(name=param.name)
        elif param.default is None and isinstance(param.annotation, ir.Name | ir.Attr):
            declared = objects.injected(declared)
        world.bind(param.name, either(declared, NONE) if objects.may_be_none(param.annotation) else declared)
    elif isinstance(param.default, ir.Const) and param.default.value is None and declared is None:
        return
    elif param.default is not None and not isinstance(param.default, ir.Call):
        default = construction.evaluate_around(analysis, frame.module, frame.function, param.default)
        if not isinstance(default, EXACT):  # whoever gives something may give another
            world.bind(param.name, default)


def is_named_like_a_session(analysis: Analysis, symbol: FunctionSymbol, param: ir.Param) -> bool:
    """The last resort for a parameter that nothing else is known of."""
    function = symbol.function
    if param.annotation is not None or not looks_like_a_session(function, param.name):
        return False
    others = (analysis.names.resolve(symbol.module, call.func, function) for call in stand_ins(function, param.name))
    return all(not isinstance(other, External) or other.dotted.startswith(_MAY_GIVE_SESSIONS) for other in others)


def looks_like_a_session(function: ir.Function, name: str) -> bool:
    """Whether a variable is named as sessions are, in a function that uses a session's verbs."""
    return name in SESSION_NAMES and not _SESSION_VERBS.isdisjoint(function.mentions)


# --- generators -------------------------------------------------------------------------------------------------------


def resume(
    frame: Frame, world: World, activation: Activation, line: int, raised: bool, *, certain: bool = True
) -> None:
    """A generator goes on after its yields: with the value sent, or with an exception raised there."""
    frame.touched = True
    analysis, summary = frame.analysis, activation.summary
    inner = {callee: world.sessions.get(caller, UNTOUCHED) for callee, caller in activation.names.items()}
    traits = {key: frame.traits_of(caller) for key, caller in activation.names.items() if key not in analysis.shared}
    context: Hashable = ("resume", id(summary), raised, *_telling(inner, traits))
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
    adopt(frame, world, activation, line)
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
