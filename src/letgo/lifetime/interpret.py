"""Follows one activation of a function through its control-flow graph, with what is known of its variables.

A worklist over blocks: each block is followed once for every world that reaches it and differs from those before.
Worlds that agree in their sessions' phases and in the variables that branches test are joined.
"""

import heapq
from collections.abc import Callable
from typing import Any

from letgo.holds import WaitKind
from letgo.lifetime import calls, construction, contexts, functions, objects
from letgo.lifetime.analysis import Frame, Way, Yielded, asked_for_transaction, deciding
from letgo.lifetime.attributes import attribute, item_of, iterate
from letgo.lifetime.effects import DOUBTFUL, FAILED, touch, wait
from letgo.lifetime.facts import YIELDS
from letgo.lifetime.values import (
    EXACT,
    FALSE,
    NONE,
    TRUE,
    ClassValue,
    Constant,
    Entered,
    Factory,
    FunctionValue,
    Instance,
    Lazy,
    Many,
    Object,
    Record,
    Row,
    Session,
    Text,
    Value,
    either,
    options,
    simplify,
)
from letgo.lifetime.world import OPEN, Signature, State, World, join, join_states, signature
from letgo.source import program as ir
from letgo.source.conditions import ANSWER
from letgo.source.names import External

MAX_WORLDS = 10
MAX_VISITS = 400

# --- expressions -----------------------------------------------------------------------------------------------------


def evaluate(frame: Frame, world: World, expr: ir.Expr | None) -> Value | None:
    """The value of an expression; what it does to sessions is done to the world."""
    if expr is None:
        return None
    return _EVALUATE[type(expr)](frame, world, expr)


def _name(frame: Frame, world: World, expr: ir.Name) -> Value | None:
    name = expr.id
    value = world.env.get(name)
    if value is None:
        if name not in frame.names:
            frame.names[name] = objects.named(frame, name)
        return frame.names[name]
    if type(value) is FunctionValue and value.symbol.function in frame.function.functions:
        return capture(frame, world, value)  # a closure sees its variables as they are when it runs
    return value


def capture(frame: Frame, world: World, value: FunctionValue) -> FunctionValue:
    function = value.symbol.function
    around = function.mentions - function.names - {function.name}
    captured = tuple((name, held) for name, held in sorted(world.env.items()) if name in around and name[0] != ".")
    cut = simplify(value._replace(captured=captured))
    return cut if isinstance(cut, FunctionValue) else value


def _const(frame: Frame, world: World, expr: ir.Const) -> Value | None:
    value = expr.value
    if value is None:
        return NONE
    if value is True:
        return TRUE
    if value is False or value == 0:
        return FALSE
    return Text(value) if isinstance(value, str) else None


def _attr(frame: Frame, world: World, expr: ir.Attr) -> Value | None:
    return attribute(frame, world, evaluate(frame, world, expr.value), expr.name, expr.line, expr)


def _item(frame: Frame, world: World, expr: ir.Item) -> Value | None:
    value = evaluate(frame, world, expr.value)
    key = evaluate(frame, world, expr.key)
    return item_of(value, expr.key.value if isinstance(expr.key, ir.Const) else key)


def _star(frame: Frame, world: World, expr: ir.Star) -> Value | None:
    return evaluate(frame, world, expr.value)


def _await(frame: Frame, world: World, expr: ir.Await) -> Value | None:
    value = evaluate(frame, world, expr.value)
    frame.ways = ()
    frame.awaited.add(expr.line)
    return calls.await_value(frame, world, value, expr.line)


def _dict(frame: Frame, world: World, expr: ir.Dict) -> Value | None:
    items: list[tuple[str | int, Value]] = []
    for key, item in zip(expr.keys, expr.values, strict=True):
        if key is not None and not isinstance(key, ir.Const):
            evaluate(frame, world, key)
        value = evaluate(frame, world, item)
        if value is not None and isinstance(key, ir.Const) and isinstance(key.value, str):
            items.append((key.value, value))
    return Record(tuple(items)) if items else None


def _sequence(frame: Frame, world: World, expr: ir.Sequence) -> Value | None:
    values = [evaluate(frame, world, item) for item in expr.items]
    items = tuple((place, value) for place, value in enumerate(values) if value is not None)
    return Record(items) if items else None


def _either(frame: Frame, world: World, expr: ir.Either) -> Value | None:
    decided = _decided(world, expr)
    if decided is not None:
        return evaluate(frame, world, decided)
    for test in expr.tests:
        evaluate(frame, world, test)
    before = world.sessions.copy()
    values = []
    for option in expr.options:
        values.append(evaluate(frame, world, option))
    merge_sessions(world, before)
    found = [value for value in values if value is not None and value != NONE]
    return either(*found) if found else either(*values)


def _decided(world: World, expr: ir.Either) -> ir.Expr | None:
    """The option that is taken for certain, where it is chosen by whether a session or factory is there."""
    if len(expr.options) != 2:
        return None
    for name in deciding(expr):
        value = world.env.get(name)
        if value != NONE and not isinstance(value, Session | Factory):
            continue
        if expr.tests == (ir.Name(name),):
            return expr.options[0 if value != NONE else 1]
        others = [option for option in expr.options if option != ir.Name(name)]
        if len(others) == 1 and value == NONE:  # `db or make()`, `make() if db is None else db`
            return others[0]
        if len(others) == 1 and (expr.tests or name != _root(others[0])):  # but not `db and db.close()`
            return ir.Name(name)
    return None


def _root(expr: ir.Expr) -> str:
    """The variable that an expression begins with: `db` of `db.query(...).all()`."""
    while isinstance(expr, ir.Attr | ir.Item | ir.Call | ir.Await):
        expr = expr.func if isinstance(expr, ir.Call) else expr.value
    return expr.id if isinstance(expr, ir.Name) else ""


def merge_sessions(world: World, before: dict[str, State]) -> None:
    """What was done may not have been done: each session that was there before may still be as it was."""
    for key, state in before.items():
        now = world.sessions.get(key)
        if now is not None and now is not state:
            world.sessions[key] = join_states(now, state)


def _group(frame: Frame, world: World, expr: ir.Group) -> Value | None:
    for part in expr.parts:
        evaluate(frame, world, part)
    return None


def _bind(frame: Frame, world: World, expr: ir.Bind) -> Value | None:
    value = evaluate(frame, world, expr.value)
    world.bind(expr.name, value)
    return value


def _comprehension(frame: Frame, world: World, expr: ir.Comprehension) -> Value | None:
    outer: dict[str, Value | None] = {}
    for loop in expr.loops:
        iterable = evaluate(frame, world, loop.iterable)
        item = iterate(frame, world, iterable, expr.line)
        for name in _target_names(loop.target):
            outer.setdefault(name, world.env.get(name))
        assign(frame, world, loop.target, item, expr.line)
        for condition in loop.conditions:
            evaluate(frame, world, condition)
    element = evaluate(frame, world, expr.element)
    for name, value in outer.items():
        world.bind(name, value)
    return None if element is None else Many(element)


def _target_names(target: ir.Expr) -> list[str]:
    match target:
        case ir.Name(name):
            return [name]
        case ir.Sequence(items):
            return [name for item in items for name in _target_names(item)]
        case ir.Star(value):
            return _target_names(value)
    return []


def _lambda(frame: Frame, world: World, expr: ir.Lambda) -> Value | None:
    function = frame.function.functions[expr.place]
    symbol = frame.analysis.names.function_symbol(frame.module, function, frame.symbol.owner)
    return capture(frame, world, FunctionValue(symbol, None, (), False))


def _call(frame: Frame, world: World, expr: ir.Call) -> Value | None:
    return calls.call(frame, world, expr)


_EVALUATE: dict[type, Callable[[Frame, World, Any], Value | None]] = {
    ir.Name: _name,
    ir.Const: _const,
    ir.Attr: _attr,
    ir.Item: _item,
    ir.Star: _star,
    ir.Await: _await,
    ir.Dict: _dict,
    ir.Sequence: _sequence,
    ir.Either: _either,
    ir.Group: _group,
    ir.Bind: _bind,
    ir.Comprehension: _comprehension,
    ir.Lambda: _lambda,
    ir.Call: _call,
}

# --- assignments -----------------------------------------------------------------------------------------------------


def assign(frame: Frame, world: World, target: ir.Expr, value: Value | None, line: int) -> None:
    """Binds a target. An attribute is kept in the object that the variable holds."""
    match target:
        case ir.Name(name):
            if name in frame.function.globals:
                value = construction.publish(frame, world, name, value)
            world.bind(name, simplify(value))
        case ir.Attr(ir.Name(name), attribute_name, _):
            holder = world.env.get(name)
            if isinstance(holder, Instance):
                world.bind(name, simplify(with_attribute(holder, attribute_name, value)))
            for row in options(holder):
                if isinstance(row, Row):
                    touch(frame, world, row.key, line)
        case ir.Item(ir.Name(name), ir.Const(key), _) if isinstance(key, str | int):
            holder = world.env.get(name)
            known = holder.items if isinstance(holder, Record) else ()
            kept = tuple(item for item in known if item[0] != key)
            if value is not None:
                world.bind(name, simplify(Record((*kept, (key, value)))))
        case ir.Sequence(items):
            for place, item in enumerate(items):
                assign(frame, world, item, item_of(value, place), line)
        case ir.Star(inner):
            assign(frame, world, inner, None, line)
        case ir.Attr(holder_expr, _, _) | ir.Item(holder_expr, _, _):
            evaluate(frame, world, holder_expr)


def with_attribute(holder: Instance, name: str, value: Value | None) -> Instance:
    """The object with an attribute set. A constant is not kept: other methods may set another."""
    kept = [item for item in holder.attributes if item[0] != name]
    if value is not None and not isinstance(value, Constant):
        kept.append((name, value))
    return Instance(holder.cls, tuple(sorted(kept, key=lambda item: item[0])))


# --- steps -----------------------------------------------------------------------------------------------------------


def _evaluate_step(frame: Frame, world: World, step: ir.Evaluate) -> bool:
    evaluate(frame, world, step.value)
    return True


def _assign_step(frame: Frame, world: World, step: ir.Assign) -> bool:
    if step.value is None:
        return True
    value = evaluate(frame, world, step.value)
    if value is None or isinstance(value, Object):
        value = _as_declared(frame, world, step) or value
    assign(frame, world, step.target, value, step.line)
    return True


def _as_declared(frame: Frame, world: World, step: ir.Assign) -> Value | None:
    """What can't be followed is what the variable is annotated as; a session, last of all, by the variable's name."""
    declared = objects.annotation_value(frame.analysis, frame.module, frame.function, step.annotation)
    dotted = objects.is_session_type(frame.analysis, declared)
    if declared is not None and dotted is None:
        return declared
    if not isinstance(step.target, ir.Name) or not isinstance(step.value, ir.Attr | ir.Item | ir.Call | ir.Await):
        return None
    if dotted is None and (step.annotation or not functions.looks_like_a_session(frame.function, step.target.id)):
        return None
    made = step.value.value if isinstance(step.value, ir.Await) else step.value
    if isinstance(made, ir.Call) and _is_outside(frame, made.func):
        return None  # a library that is known has sessions and connections of its own
    return construction.session_from_elsewhere(frame, world, step.target.id, step.line, dotted)


def _is_outside(frame: Frame, func: ir.Expr) -> bool:
    return isinstance(frame.analysis.names.resolve(frame.module, func, frame.function), External)


def _delete_step(frame: Frame, world: World, step: ir.Delete) -> bool:
    if isinstance(step.target, ir.Name):
        world.bind(step.target.id, None)
    return True


def _return_step(frame: Frame, world: World, step: ir.Return) -> bool:
    world.returned = simplify(evaluate(frame, world, step.value))
    world.return_line = step.line
    return True


def _raise_step(frame: Frame, world: World, step: ir.Raise) -> bool:
    evaluate(frame, world, step.value)
    frame.touched = True
    return True


def _enter_step(frame: Frame, world: World, step: ir.Enter) -> bool:
    context = evaluate(frame, world, step.value)
    if step.is_async:
        frame.awaited.add(step.line)
    given, entered = contexts.enter(frame, world, context, step)
    world.bind(f".with{step.key}", entered)
    if step.target is not None:
        assign(frame, world, step.target, given, step.line)
    return True


def _leave_step(frame: Frame, world: World, step: ir.Leave) -> bool:
    entered = world.env.get(f".with{step.key}")
    if entered is not None:
        contexts.leave(frame, world, entered, step)
    return True


def _next_step(frame: Frame, world: World, step: ir.Next) -> bool:
    iterable = evaluate(frame, world, step.iterable)
    if step.key and isinstance(iterable, Lazy) and iterable.kind == "generator":
        item, activation = calls.draw(frame, world, iterable, step.line)
        if isinstance(item, Session):
            world.bind(f".with{step.key}", Entered("generator", activation=activation))
            frame.touched = False  # if that fails, the generator has cleaned up
    else:
        item = iterate(frame, world, iterable, step.line)
    assign(frame, world, step.target, item, step.line)
    return True


def _define_step(frame: Frame, world: World, step: ir.Define) -> bool:
    if not step.is_class:
        function = frame.function.functions[step.place]
        symbol = frame.analysis.names.function_symbol(frame.module, function, frame.symbol.owner)
        world.bind(step.name, FunctionValue(symbol, None, (), objects.manages(frame.analysis, symbol)))
    return True


def _assume_step(frame: Frame, world: World, step: ir.Assume) -> bool:
    """Whether this branch can be taken. A variable tested against None is known on the branch."""
    if type(step.value) is not ir.Name:
        known = _kept_in(world, step.value)
        return known is None or any(_possible(option, step) for option in options(known))
    name = step.value.id
    value = world.env.get(name)
    if step.test == "equals":
        return value is None or _equals(frame, world, value, step)
    if step.test == "instance":
        if FAILED in world.env:  # it asks which exception it is, as a rule
            world.bind(DOUBTFUL, TRUE)
        return value is None or _is_instance(frame, world, name, value, step)
    for option in options(value):
        if _possible(option, step):
            break
    else:
        if value is not None:
            return False
    if name == ANSWER.id:
        world.bind(name, None)
    elif step.test == "none" and step.holds and value is None:
        world.bind(name, NONE)
    elif isinstance(value, Constant | Instance | Session | Row) or value is None:
        pass
    else:
        kept = [option for option in options(value) if _possible(option, step)]
        world.bind(name, either(*kept))
    return True


def _kept_in(world: World, expr: ir.Expr) -> Value | None:
    """What an object is known to keep as an attribute: of `self.db`."""
    match expr:
        case ir.Attr(ir.Name(name), attribute_name, _):
            holder = world.env.get(name)
            if isinstance(holder, Instance):
                return dict(holder.attributes).get(attribute_name)
    return None


def _equals(frame: Frame, world: World, value: Value, step: ir.Assume) -> bool:
    """Whether the value can be one of the constants, or none of them, as the branch has it."""
    others = [evaluate(frame, world, other) for other in step.others]
    if not all(isinstance(option, EXACT) for option in (*options(value), *others)):
        return True
    return any((option in others) == step.holds for option in options(value))


def _is_instance(frame: Frame, world: World, name: str, value: Value, step: ir.Assume) -> bool:
    """Leaves of the value's alternatives those that are, or are not, of one of the classes; whether there are any."""
    classes = [evaluate(frame, world, other) for other in step.others]
    symbols = [cls.symbol for cls in classes if isinstance(cls, ClassValue)]
    if len(symbols) < len(classes):
        return True
    names = frame.analysis.names
    known = [option for option in options(value) if isinstance(option, Instance)]
    of_them = [option for option in known if any(base in symbols for base in names.mro(option.cls))]
    if step.holds and not of_them:
        return True  # an object may be of a subclass of what it is declared as
    kept = [option for option in options(value) if option not in known or (option in of_them) == step.holds]
    if kept:
        world.bind(name, either(*kept))
    return bool(kept)


def _possible(value: Value, step: ir.Assume) -> bool:
    known = value.value if isinstance(value, Constant) else True
    if step.test == "none":
        if isinstance(value, Row):
            return True  # what a query gave may be None
        return (known is None) == step.holds
    if isinstance(value, Constant):
        return bool(known) == step.holds
    if isinstance(value, Session | Instance | FunctionValue | Lazy):
        return step.holds
    return True


_ANY = frozenset({"Exception", "BaseException"})


def _catch_step(frame: Frame, world: World, step: ir.Catch) -> bool:
    if step.name:
        world.bind(step.name, None)
    world.bind(FAILED, TRUE)
    if step.types and _ANY.isdisjoint(step.types):
        world.bind(DOUBTFUL, TRUE)
    return True


_STEPS: dict[type, Callable[[Frame, World, Any], bool]] = {
    ir.Evaluate: _evaluate_step,
    ir.Assign: _assign_step,
    ir.Delete: _delete_step,
    ir.Return: _return_step,
    ir.Raise: _raise_step,
    ir.Enter: _enter_step,
    ir.Leave: _leave_step,
    ir.Next: _next_step,
    ir.Define: _define_step,
    ir.Assume: _assume_step,
    ir.Catch: _catch_step,
}

# --- the graph -------------------------------------------------------------------------------------------------------


def run(frame: Frame, starts: list[tuple[int, int, World]]) -> None:
    """Follows the function from the given places (block, step, world). Fills the frame's exits, errors and yields.

    The blocks' numbers are a reverse postorder: what leads to a block is followed before it. Where several ways meet,
    what has come along so far is kept, so that only a world that adds to it goes on.
    """
    meetings = frame.fixed.meetings
    ends = {ir.EXIT: frame.exits, ir.ERROR: frame.errors, ir.CANCELLED: frame.cancelled}
    met: dict[int, dict[Signature, World]] = {}
    pending: dict[tuple[int, int], list[World]] = {}
    queue: list[tuple[int, int]] = []

    def reach(number: int, world: World, index: int = 0) -> None:
        place = (number, index)
        if place in pending:
            pending[place].append(world)
        elif number in ends:
            ends[number].append(world)
        else:
            pending[place] = [world]
            heapq.heappush(queue, place)

    for number, index, world in starts:
        follow_block(frame, number, index, world, reach)
    visits = 0
    while queue and visits < MAX_VISITS:
        number, index = heapq.heappop(queue)
        worlds = pending.pop((number, index))
        if number in meetings and not index:
            flags = frame.flags and frame.flags & frame.fixed.still_read(frame.function, number)
            worlds = [world.copy() for world in _news(flags, met.setdefault(number, {}), worlds)]
        elif len(worlds) > (MAX_WORLDS if index else 1):  # the ways in which calls ended: twice as many with each call
            worlds = _news(frame.flags, {}, worlds)
        for world in worlds:
            visits += not index
            follow_block(frame, number, index, world, reach)
    if queue:
        frame.analysis.note_unresolved(frame.site, frame.function.qualname, "it has more paths than letgo follows")


def _news(flags: frozenset[str], known: dict[Signature, World], worlds: list[World]) -> list[World]:
    """Joins the worlds with those that are known already. Gives those that add to it."""
    added: dict[Signature, World] = {}
    for world in worlds:
        sign = signature(world, flags)
        before = known.get(sign)
        if before is None and len(known) >= MAX_WORLDS:
            sign = next(iter(known))
            before = known[sign]
        if before is not None:
            world = join(before, world)
            if world is before or world == before:
                continue
        known[sign] = added[sign] = world
    return list(added.values())


def follow_block(frame: Frame, number: int, start: int, world: World, reach: Callable[..., None]) -> None:
    """Follows one block's steps and hands the world on to the successors and, where it may raise, to the error edge."""
    block = frame.fixed.blocks[number]
    failing: dict[str, State] | None = None
    alive = True
    for index in range(start, len(block.steps)):
        step = block.steps[index]
        frame.touched = False
        frame.raising = None
        frame.ways = ()
        if type(step) is ir.Yield:
            _yield(frame, world, step, number, index)
            if frame.entering:
                if failing is not None:
                    reach(block.error, World(world.env, failing, world.returned, world.return_line))
                return
            frame.touched = True
        elif not _STEPS[type(step)](frame, world, step):
            return
        if frame.touched:
            failing = _failing(failing, world.sessions)
            if frame.raising is not None:
                failing = _failing(failing, frame.raising)
        if type(step) is ir.Raise:
            alive = False
            break
        if frame.ways and _tells_apart(frame, step):
            if isinstance(step, ir.Assign) and isinstance(step.target, ir.Name):
                frame.flags |= {step.target.id}
            if failing is not None:
                reach(block.error, World(world.env.copy(), failing, world.returned, world.return_line))
            for way in frame.ways:
                reach(number, _taken(world, step, way), index + 1)
            return
    if failing is not None:
        reach(block.error, World(world.env.copy() if alive else world.env, failing, world.returned, world.return_line))
    if not alive:
        return
    if number in frame.fixed.asking:
        _follow_answers(frame, world, block, reach)
        return
    for successor in block.successors[:-1]:
        reach(successor, world.copy())
    for successor in block.successors[-1:]:
        reach(successor, world)


def _tells_apart(frame: Frame, step: ir.StepNode) -> bool:
    """Whether what a call returned is asked for later: then the ways in which it ended are followed one by one."""
    match step:
        case ir.Assign(ir.Name(name), ir.Call() | ir.Await(ir.Call())):
            return name in frame.fixed.tested
        case ir.Return(ir.Call() | ir.Await(ir.Call())):
            return True
    return False


def _taken(world: World, step: ir.StepNode, way: Way) -> World:
    """The world after a call that ended in this way."""
    taken = world.copy()
    taken.sessions.update(way.sessions)
    if isinstance(step, ir.Return):
        taken.returned = _as_returned(world.returned, way)
    elif isinstance(step, ir.Assign) and isinstance(step.target, ir.Name):
        taken.bind(step.target.id, _as_returned(world.env.get(step.target.id), way))
    return taken


def _as_returned(value: Value | None, way: Way) -> Value | None:
    """What is known of a call's value, in one of the ways in which it ended."""
    if isinstance(way.returned, Constant):
        return way.returned
    return either(*(option for option in options(value) if not isinstance(option, Constant)))


def _follow_answers(frame: Frame, world: World, block: ir.Block, reach: Callable[[int, World], None]) -> None:
    """Hands on to the first successor the world in which a session answered that it's in a transaction, to the other
    one that in which it answered that it's not."""
    value = evaluate(frame, world, asked_for_transaction(block))
    for successor, begun in zip(block.successors, (True, False), strict=True):
        onward = world.copy()
        if not isinstance(value, Session) or _answered(onward, value.key, begun):
            reach(successor, onward)


def _answered(world: World, key: str, begun: bool) -> bool:
    """Whether the session can be in a transaction, or not in one, as the answer says; if so, it is from here on."""
    state = world.sessions.get(key)
    if state is None or begun:
        return True  # whoever gave the session may have begun one
    if state.phases == OPEN:
        return False
    world.sessions[key] = state._replace(phases=state.phases & ~OPEN)
    return True


def _failing(known: dict[str, State] | None, sessions: dict[str, State]) -> dict[str, State]:
    if known is None:
        return sessions.copy()
    for key, state in sessions.items():
        mine = known.get(key)
        if mine is None:
            known[key] = state
        elif mine is not state:
            known[key] = join_states(mine, state)
    return known


def _yield(frame: Frame, world: World, step: ir.Yield, number: int, index: int) -> None:
    value = evaluate(frame, world, step.value)
    if step.delegates:
        iterate(frame, world, value, step.line)
        value = None
    wait(frame, world, WaitKind.STREAM, YIELDS, step.line, True)
    place = (number, index)
    before = frame.yields.get(place)
    after = world.copy()
    after.bind(step.target, None)
    if before is not None:
        value = either(before.value, value)
        after = join(before.world, after)
    frame.yields[place] = Yielded(number, index + 1, after, value)
    world.bind(step.target, None)
