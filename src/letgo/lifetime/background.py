"""Starlette's background tasks: they run once the response was sent, and many dependencies end only after them.

What a task waits for is kept in the world of the path that schedules it: other paths of the request don't wait.
https://www.starlette.io/background/
"""

from collections.abc import Iterable, Iterator

from letgo.holds import Wait
from letgo.lifetime.values import Scheduled, options
from letgo.lifetime.world import World

_TASK = ".task"
"""What the variables begin with that keep the tasks, each with the line that schedules it."""


def schedule(world: World, waits: Iterable[tuple[Wait, bool]], line: int) -> None:
    """Keeps what the tasks that this line schedules will wait for."""
    name = f"{_TASK}{line}"
    found = dict.fromkeys((*_waits(world, name), *waits))
    if found:
        world.bind(name, Scheduled(tuple(found)))


def scheduled(*worlds: World) -> tuple[tuple[Wait, bool], ...]:
    """What the tasks will wait for that were scheduled on the way to any of the worlds; whether that is certain."""
    names = ((world, name) for world in worlds for name in world.env if name.startswith(_TASK))
    return tuple(dict.fromkeys(wait for world, name in names for wait in _waits(world, name)))


def _waits(world: World, name: str) -> Iterator[tuple[Wait, bool]]:
    for value in options(world.env.get(name)):
        if isinstance(value, Scheduled):
            yield from value.waits
