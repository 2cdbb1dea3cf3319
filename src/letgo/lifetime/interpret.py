"""Follows one activation of a function through its control-flow graph, with what is known of its variables.

A worklist over blocks: each block is followed once for every world that reaches it and differs from those before.
Worlds that agree in their sessions' phases and in the variables that branches test are joined.
"""

import heapq
from collections.abc import Callable

from letgo.holds import WaitKind
from letgo.lifetime import attributes, branches, expressions, steps
from letgo.lifetime.analysis import Frame, Way, Yielded, asked_for_transaction
from letgo.lifetime.effects import wait
from letgo.lifetime.facts import YIELDS
from letgo.lifetime.values import Constant, Session, Value, either, options
from letgo.lifetime.world import Signature, State, World, join, join_states, signature
from letgo.source import program as ir

MAX_WORLDS = 10
MAX_VISITS = 400


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
        elif not steps.STEPS[type(step)](frame, world, step):
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
    value = expressions.evaluate(frame, world, asked_for_transaction(block))
    for successor, begun in zip(block.successors, (True, False), strict=True):
        onward = world.copy()
        if not isinstance(value, Session) or branches.answered(onward, value.key, begun):
            reach(successor, onward)


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
    value = expressions.evaluate(frame, world, step.value)
    if step.delegates:
        attributes.iterate(frame, world, value, step.line)
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
