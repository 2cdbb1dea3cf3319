"""What each kind of step does to the world; whether control goes on after it."""

from collections.abc import Callable
from typing import Any

from letgo.lifetime import attributes, branches, calls, construction, contexts, expressions, functions, locks, objects
from letgo.lifetime.analysis import Frame
from letgo.lifetime.effects import DOUBTFUL, FAILED
from letgo.lifetime.values import NONE, TRUE, Entered, FunctionValue, Lazy, Object, Value, sessions_of, simplify
from letgo.lifetime.world import World
from letgo.source import program as ir
from letgo.source.names import External


def _evaluate(frame: Frame, world: World, step: ir.Evaluate) -> bool:
    expressions.perform(frame, world, step.value)
    return True


def _assign(frame: Frame, world: World, step: ir.Assign) -> bool:
    if step.value is None:
        return True
    value = expressions.evaluate(frame, world, step.value)
    if value is None or isinstance(value, Object):
        value = _as_declared(frame, world, step) or value
    expressions.assign(frame, world, step.target, locks.as_kept(frame.function, step.target, value), step.line)
    if value == NONE and type(step.target) is ir.Attr and _is_given(frame, step.value):
        expressions.keep_none(world, step.target)
    return True


def _is_given(frame: Frame, value: ir.Expr) -> bool:
    """Whether it is a parameter for a session: then whoever made the object decided that it has none."""
    return type(value) is ir.Name and value.id in functions.session_parameters(frame.analysis, frame.symbol)


def _as_declared(frame: Frame, world: World, step: ir.Assign) -> Value | None:
    """What can't be followed is what the variable is annotated as; a session, last of all, by the variable's name."""
    if step.annotation is None and type(step.target) is not ir.Name:
        return None
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


def _delete(frame: Frame, world: World, step: ir.Delete) -> bool:
    if isinstance(step.target, ir.Name):
        world.bind(step.target.id, None)
    return True


def _return(frame: Frame, world: World, step: ir.Return) -> bool:
    world.returned = simplify(expressions.evaluate(frame, world, step.value))
    world.return_line = step.line
    return True


def _raise(frame: Frame, world: World, step: ir.Raise) -> bool:
    expressions.evaluate(frame, world, step.value)
    frame.touched = True
    return True


def _enter(frame: Frame, world: World, step: ir.Enter) -> bool:
    context = expressions.evaluate(frame, world, step.value)
    if step.is_async:
        frame.awaited.add(step.line)
    given, entered = contexts.enter(frame, world, context, step)
    world.bind(f".with{step.key}", entered)
    if step.target is not None:
        expressions.assign(frame, world, step.target, given, step.line)
    return True


def _leave(frame: Frame, world: World, step: ir.Leave) -> bool:
    entered = world.env.get(f".with{step.key}")
    if entered is not None:
        contexts.leave(frame, world, entered, step)
    return True


def _next(frame: Frame, world: World, step: ir.Next) -> bool:
    iterable = expressions.evaluate(frame, world, step.iterable)
    if step.key and isinstance(iterable, Lazy) and iterable.kind == "generator":
        item, activation = calls.draw(frame, world, iterable, step.line)
        if any(sessions_of(item)):
            world.bind(f".with{step.key}", Entered("generator", activation=activation))
            frame.touched = False  # if that fails, the generator has cleaned up
    else:
        item = attributes.iterate(frame, world, iterable, step.line)
    expressions.assign(frame, world, step.target, item, step.line)
    return True


def _define(frame: Frame, world: World, step: ir.Define) -> bool:
    if not step.is_class:
        function = frame.function.functions[step.place]
        symbol = frame.analysis.names.function_symbol(frame.module, function, frame.symbol.owner)
        world.bind(step.name, FunctionValue(symbol, None, (), objects.manages(frame.analysis, symbol)))
    return True


def _assume(frame: Frame, world: World, step: ir.Assume) -> bool:
    return branches.assume(frame, world, step)


_ANY = frozenset({"Exception", "BaseException"})


def _catch(frame: Frame, world: World, step: ir.Catch) -> bool:
    if step.name:
        world.bind(step.name, None)
    world.bind(FAILED, TRUE)
    if step.types and _ANY.isdisjoint(step.types):
        world.bind(DOUBTFUL, TRUE)
    return True


STEPS: dict[type, Callable[[Frame, World, Any], bool]] = {
    ir.Evaluate: _evaluate,
    ir.Assign: _assign,
    ir.Delete: _delete,
    ir.Return: _return,
    ir.Raise: _raise,
    ir.Enter: _enter,
    ir.Leave: _leave,
    ir.Next: _next,
    ir.Define: _define,
    ir.Assume: _assume,
    ir.Catch: _catch,
}
