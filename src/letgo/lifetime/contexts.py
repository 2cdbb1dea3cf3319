"""`with` and `async with`: what entering gives, and what leaving does."""

from typing import TypeAlias

from letgo.lifetime import callers, calls, construction, exitstacks, functions
from letgo.lifetime.analysis import Frame, receiver_name
from letgo.lifetime.effects import arm, close, commit, rollback
from letgo.lifetime.locks import is_contended
from letgo.lifetime.values import (
    AnyOf,
    Entered,
    Factory,
    FunctionValue,
    Instance,
    Key,
    Lazy,
    Object,
    Session,
    Stack,
    Transaction,
    Value,
    either,
    options,
)
from letgo.lifetime.world import RELEASED, UNTOUCHED, Chain, World
from letgo.source.program import Call, Enter, Leave, Name

Entering: TypeAlias = tuple[Value | None, Value | None]
"""What `as` is given, and what must be kept for the leaving: an `Entered`, or several."""


def enter(frame: Frame, world: World, context: Value | None, step: Enter) -> Entering:
    """What `as` is given, and what must be kept for the leaving."""
    match context:
        case Session(key):
            _check_out(frame, world, key, step)
            return context, Entered("session", key)
        case Transaction(key, closes):
            _check_out(frame, world, key, step)
            return Session(key), Entered("transaction", key, closes)
        case Lazy(_, _, "context" | "generator"):
            return _enter_generator(frame, world, context, step.line)
        case Instance():
            return _enter_object(frame, world, context, step)
        case Stack():
            return context, Entered("stack", value=context)
        case Object(dotted):
            is_lock = dotted in ("asyncio.Lock", "asyncio.Condition")
            if not is_lock or is_contended(frame.analysis, frame.module, receiver_name(step.value)):
                _wait_at(frame, world, dotted, ("__aenter__" if step.is_async else "__enter__"), step.line)
            return context, Entered("external", value=context)
        case AnyOf(parts):
            return _any_of([enter(frame, world, part, step) for part in parts])
        case None if isinstance(step.value, Call) and isinstance(step.target, Name):
            return _enter_by_name(frame, world, step.target.id, step)
    return None, None


def _any_of(found: list[Entering]) -> Entering:
    """One of several context managers: any of the objects, or else the first that holds a session."""
    own = [(given, entered) for given, entered in found if isinstance(entered, Entered) and entered.kind != "external"]
    if own and all(entered.kind == "object" for _, entered in own):
        return either(*(given for given, _ in own)), either(*(entered for _, entered in own))
    return own[0] if own else found[0]


def _check_out(frame: Frame, world: World, key: Key, step: Enter) -> None:
    """A Connection is checked out when it is made, not with its first statement as a session's is.

    Whatever its factory was declared to make, what `async with` enters is asynchronous.
    """
    traits = frame.traits_of(key)
    if step.is_async and key in frame.traits:
        frame.traits[key] = traits._replace(is_async=True)
    if traits.is_connection:
        arm(frame, world, key, Chain(frame.at(step.line), (), True, traits.source.name.removeprefix("engine.")))
        frame.touched = False  # if that fails, there is nothing to give back


def _enter_by_name(frame: Frame, world: World, name: str, step: Enter) -> Entering:
    """The last resort: `with unknown() as session`, in a function that uses a session's verbs."""
    if not functions.looks_like_a_session(frame.function, name):
        return None, None
    assert isinstance(step.value, Call)
    opener = receiver_name(step.value.func)
    session = construction.new_session(
        frame, world, Factory(opener or name, step.is_async, None, False, False), step.line, certain=False
    )
    return session, Entered("session", session.key)


def _enter_generator(frame: Frame, world: World, context: Lazy, line: int) -> Entering:
    activation = functions.execute(frame, world, context.function, dict(context.arguments), line, entering=True)
    callers.at_yields(frame, world, activation, line)
    frame.touched = False  # if that fails, the generator has cleaned up
    given = callers.yields_of(activation)
    declared = construction.declared_session(frame, world, context.function.symbol, given, line)
    if declared is not None:
        return declared, Entered("declared", declared.key)
    return given, Entered("generator", activation=activation)


def _enter_object(frame: Frame, world: World, context: Instance, step: Enter) -> Entering:
    name = "__aenter__" if step.is_async else "__enter__"
    method = frame.analysis.names.find_method(context.cls, name)
    if method is None:
        return context, Entered("object", value=context)
    activation = calls.run(frame, world, FunctionValue(method, context, (), False), calls.NO_ARGUMENTS, step.line)
    given = callers.outward(activation, activation.summary.returns)
    after = callers.outward(activation, activation.summary.receiver) or context
    return given, Entered("object", value=after)


def leave(frame: Frame, world: World, value: Value, step: Leave) -> None:
    """Ends the block. What the context manager does then is done to the world; where paths entered different ones,
    what each of them does."""
    for entered in options(value):
        assert isinstance(entered, Entered)
        _leave(frame, world, entered, step)
    frame.touched = False


def _leave(frame: Frame, world: World, entered: Entered, step: Leave) -> None:
    match entered.kind:
        case "session":
            close(frame, world, entered.key, step.line)
        case "declared":  # whoever gives it lets go of it, whether it is closed or not
            state = world.sessions.get(entered.key, UNTOUCHED)
            world.sessions[entered.key] = state._replace(phases=RELEASED, released=frame.at(step.line))
        case "transaction":
            if step.raised:
                rollback(frame, world, entered.key, step.line)
            else:
                commit(frame, world, entered.key, step.line)
            if entered.closes:
                close(frame, world, entered.key, step.line)
        case "generator":
            assert isinstance(entered.activation, callers.Activation)
            functions.resume(frame, world, entered.activation, step.line, step.raised)
        case "stack":
            assert isinstance(entered.value, Stack)
            exitstacks.leave(frame, world, entered.value, step)
        case "object":
            _leave_object(frame, world, entered.value, step)
        case "external":
            assert isinstance(entered.value, Object)
            for name in ("__aexit__", "__exit__"):
                _wait_at(frame, world, entered.value.dotted, name, step.line)


def _leave_object(frame: Frame, world: World, value: Value | None, step: Leave) -> None:
    if not isinstance(value, Instance):
        return
    for name in ("__aexit__", "__exit__"):
        method = frame.analysis.names.find_method(value.cls, name)
        if method is not None:
            calls.run(frame, world, FunctionValue(method, value, (), False), calls.NO_ARGUMENTS, step.line)
            return


def _wait_at(frame: Frame, world: World, dotted: str, name: str, line: int) -> None:
    kind = frame.analysis.waits.wait_of(f"{dotted}.{name}")
    if kind is not None:
        calls.external_wait(frame, world, kind, dotted, line)
