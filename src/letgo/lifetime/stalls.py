"""The shapes in which a request that holds a connection needs what only a request without one can give.

Starlette runs `def` code in 40 threads (https://www.starlette.io/threadpool/): once the pool is empty, they all wait
for a connection, and who has one waits for a thread. In an `async def` endpoint, a synchronous session waits for its
connection on the event loop itself: nobody else comes on to give one back.
"""

from collections.abc import Iterator
from typing import NamedTuple

from letgo.holds import MisuseKind, Origin, WaitKind
from letgo.lifetime.analysis import Frame
from letgo.lifetime.values import Key
from letgo.lifetime.world import Chain, Traits, World

THREADS = 40
AWAITED = (WaitKind.EXTERNAL, WaitKind.SLEEP, WaitKind.PROCESS)


class Stall(NamedTuple):
    """The session that is held, since where, what it stops, and how many users at once are enough, if that is known."""

    key: Key
    opened: Chain | None
    certain: bool
    kind: MisuseKind
    users: int | None


def stalls(frame: Frame, world: World, pool: int | None, needs_thread: bool, entered: set[Key]) -> Iterator[Stall]:
    """The stalls of one endpoint, as it returns. `needs_thread`: its return value is validated in a thread. `entered`
    are the sessions that its dependencies had open when it began."""
    if frame.function.is_async:
        yield from _on_the_event_loop(frame, pool)
        return
    for key, state in world.sessions.items():
        traits = frame.traits.get(key)
        needs_one = key in entered or (needs_thread and state.is_open)  # the first to begin, the other to answer
        if traits is not None and needs_one and _can_stall(traits):
            certain = (state.opened is None or state.opened.certain) and traits.certain
            yield Stall(key, state.opened, certain, MisuseKind.STALL, None if pool is None else pool + THREADS)


def _on_the_event_loop(frame: Frame, pool: int | None) -> Iterator[Stall]:
    for part in frame.parts.values():
        traits = frame.traits.get(part.key)
        if traits is None or not _can_stall(traits) or part.wait.kind not in AWAITED:
            continue
        first = part.wait.via[0] if part.wait.via else part.wait.site
        if first.line in frame.awaited:
            users = None if pool is None else pool + 1
            certain = part.certain and traits.certain
            yield Stall(part.key, part.opened, certain, MisuseKind.EVENT_LOOP_STALL, users)


def _can_stall(traits: Traits) -> bool:
    return not traits.is_async and traits.certain and traits.source.origin is Origin.DEPENDENCY
