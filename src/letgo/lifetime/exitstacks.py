"""`contextlib.ExitStack` and `AsyncExitStack`: what is entered on a stack is left when the stack is.

https://docs.python.org/3/library/contextlib.html#contextlib.ExitStack
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from letgo.lifetime import calls, contexts
from letgo.lifetime.analysis import Frame
from letgo.lifetime.values import Entered, FunctionValue, Partial, Record, Stack, Value, keys_of, options
from letgo.lifetime.world import World
from letgo.source.program import Const, Enter, Leave

if TYPE_CHECKING:
    from letgo.lifetime.calls import Arguments


def make(world: World, line: int) -> Stack:
    stack = Stack(f".stack{line}")
    world.bind(stack.name, Record(()))
    return stack


def method(frame: Frame, world: World, stack: Stack, name: str, arguments: Arguments, line: int) -> Value | None:
    first = arguments.positional[0] if arguments.positional else None
    match name:
        case "enter_context" | "enter_async_context":
            step = Enter(Const(None), None, name == "enter_async_context", 0, line)
            given, entered = contexts.enter(frame, world, first, step)
            _push(frame, world, stack, entered)
            return given
        case "push" | "push_async_exit":
            if isinstance(first, FunctionValue | Partial):
                _push(frame, world, stack, Entered("callback", value=first))
            else:
                _, entered = contexts.enter(frame, world, first, Enter(Const(None), None, False, 0, line))
                _push(frame, world, stack, entered)
            return first
        case "callback" | "push_async_callback" if first is not None:
            keywords = tuple((key, value) for key, value in arguments.keywords.items() if value is not None)
            _push(frame, world, stack, Entered("callback", value=Partial(first, arguments.positional[1:], keywords)))
            return first
        case "close" | "aclose":
            leave(frame, world, stack, Leave(0, False, line))
        case "pop_all":
            return stack
    return None


def _push(frame: Frame, world: World, stack: Stack, value: Value | None) -> None:
    held = world.env.get(stack.name)
    for entered in options(value):
        assert isinstance(entered, Entered)
        if isinstance(held, Record):
            held = Record((*held.items, (len(held.items), entered)))
            world.bind(stack.name, held)
            continue
        for key in (entered.key, *keys_of(entered.value)):  # somebody else's stack: whoever has it will leave it
            if key in frame.traits:
                frame.traits[key] = frame.traits[key]._replace(owned=False)


def leave(frame: Frame, world: World, stack: Stack, step: Leave) -> None:
    """Leaves all that was entered, the last first."""
    held = world.env.get(stack.name)
    if not isinstance(held, Record):
        return
    world.bind(stack.name, Record(()))
    for _, entered in reversed(held.items):
        assert isinstance(entered, Entered)
        if entered.kind == "callback":
            result = calls.apply(frame, world, entered.value, calls.NO_ARGUMENTS, step.line)
            calls.await_value(frame, world, result, step.line)
        else:
            contexts.leave(frame, world, entered, step)
