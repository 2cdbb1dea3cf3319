"""The control-flow graph of one function, while it is built.

A graph is built block by block: `Graph.steps` is the block under construction. `Frame` says what lies between a
statement and the end of its function: each `try`, `with` and loop around it is one frame, and every jump out of it
(an exception, `return`, `break`, `continue`) passes through the frames from the innermost outwards.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

from letgo.source.program import CANCELLED, ENTRY, ERROR, EXIT, Block, StepNode

Way: TypeAlias = Literal["normal", "error", "cancelled", "return", "break", "continue"]
"""How control leaves a statement. `cancelled` is `asyncio.CancelledError` once it has passed an `except Exception`."""

COPIED_DEPTH = 3
"""Below this depth of `finally` inside `finally`, all ways share one copy: graphs would grow exponentially."""


class Frame:
    """`ways` are the blocks where the ways out arrive. A way not in it runs `cleanup`, then goes on in `outer`."""

    __slots__ = ("cleanup", "outer", "shared", "ways")

    def __init__(
        self, outer: "Frame | None", ways: dict[Way, int] | None = None, cleanup: Callable[[Way], None] | None = None
    ) -> None:
        self.outer = outer
        self.ways: dict[Way, int] = ways or {}
        self.cleanup = cleanup
        self.shared: tuple[int, int] | None = None


class Graph:
    """Blocks under construction, as parallel lists; `current` is the block that `steps` belongs to."""

    __slots__ = ("blocks", "current", "dead", "depth", "error", "errors", "frame", "steps", "successors")

    def __init__(self) -> None:
        self.blocks: list[list[StepNode]] = [[], [], [], []]
        self.successors: list[list[int]] = [[], [], [], []]
        self.errors = [ERROR, ERROR, ERROR, ERROR]
        self.dead: set[int] = set()
        self.depth = 0
        self.error = ERROR
        self.current = ENTRY
        self.steps = self.blocks[ENTRY]
        # `break` outside a loop is an error of the compiler, not of the parser.
        self.frame = Frame(
            None, {"return": EXIT, "error": ERROR, "cancelled": CANCELLED, "break": ERROR, "continue": ERROR}
        )

    def new(self) -> int:
        """A block whose exceptions go where those of the current frame go."""
        self.blocks.append([])
        self.successors.append([])
        self.errors.append(self.error)
        return len(self.blocks) - 1

    def link(self, start: int, end: int) -> None:
        self.successors[start].append(end)

    def go_on_in(self, block: int) -> None:
        self.current = block
        self.steps = self.blocks[block]

    def stop(self) -> None:
        """Nothing follows the current block; what is written after it can't be reached."""
        block = self.new()
        self.dead.add(block)
        self.go_on_in(block)

    def join(self, exits: list[int]) -> None:
        """Go on where the blocks `exits` meet."""
        alive = [block for block in exits if block not in self.dead]
        if not alive:
            self.stop()
        elif len(alive) == 1:
            self.go_on_in(alive[0])
            self.expect(self.error)
        else:
            block = self.new()
            for start in alive:
                self.successors[start].append(block)
            self.go_on_in(block)

    def leave(self, way: Way) -> None:
        """Jump out of the current block: `return`, `break` and the like."""
        self.link(self.current, self.way_out(self.frame, way))
        self.stop()

    def within(self, frame: Frame) -> None:
        """What follows is inside `frame`, or after the frames that were inside it."""
        self.frame = frame
        self.expect(self.way_out(frame, "error"))

    def expect(self, error: int) -> None:
        """Exceptions go to `error` from here on; a block's are all the same, so a begun block is ended."""
        self.error = error
        if not self.steps:
            self.errors[self.current] = error
        elif self.errors[self.current] != error:
            start = self.current
            dead = start in self.dead
            self.go_on_in(self.new())
            if dead:
                self.dead.add(self.current)
            self.link(start, self.current)

    def way_out(self, frame: Frame, way: Way) -> int:
        """The block where `way` arrives when it leaves `frame`. Clean-up code is copied once for each way used."""
        found = frame.ways.get(way)
        if found is None:
            assert frame.outer is not None, way
            found = frame.ways[way] = (
                self.way_out(frame.outer, way) if frame.cleanup is None else self._clean_up(frame, frame.outer, way)
            )
        return found

    def _clean_up(self, frame: Frame, outer: Frame, way: Way) -> int:
        if frame.shared is None:
            copy = self._copy(frame, outer, way)
            if self.depth >= COPIED_DEPTH:
                frame.shared = copy
        else:
            copy = frame.shared
        start, end = copy
        self.link(end, self.way_out(outer, way))
        return start

    def _copy(self, frame: Frame, outer: Frame, way: Way) -> tuple[int, int]:
        assert frame.cleanup is not None
        before, steps, inside, error = self.current, self.steps, self.frame, self.error
        self.depth += 1
        self.frame = outer
        self.error = self.way_out(outer, "error")
        start = self.new()
        self.go_on_in(start)
        frame.cleanup(way)
        end = self.current
        self.depth -= 1
        self.current, self.steps, self.frame, self.error = before, steps, inside, error
        return start, end

    def finish(self) -> tuple[Block, ...]:
        """The graph: reachable blocks only, those after `CANCELLED` in reverse postorder."""
        goals = self._goals()
        order = self._postorder(goals)
        order.reverse()
        numbers = {ENTRY: ENTRY, EXIT: EXIT, ERROR: ERROR, CANCELLED: CANCELLED}
        for block in order:
            if block > CANCELLED:
                numbers[block] = len(numbers)
        return tuple([self._block(block, goals, numbers) for block in numbers])

    def _block(self, block: int, goals: list[int], numbers: dict[int, int]) -> Block:
        steps = self.blocks[block]
        successors = tuple(dict.fromkeys([numbers[goals[end]] for end in self.successors[block]]))
        return Block(tuple(steps), successors, numbers[goals[self.errors[block]]] if steps else ERROR)

    def _goals(self) -> list[int]:
        """For each block, the first block on the way from it that does something or branches."""
        goals = list(range(len(self.blocks)))
        for block in range(CANCELLED + 1, len(goals)):
            goal, seen = block, {block}
            while goal > CANCELLED and not self.blocks[goal] and len(self.successors[goal]) == 1:
                goal = self.successors[goal][0]
                if goal in seen:
                    break
                seen.add(goal)
            goals[block] = goal
        return goals

    def _postorder(self, goals: list[int]) -> list[int]:
        order: list[int] = []
        seen = {ENTRY}
        path = [(ENTRY, iter(self._ends(ENTRY, goals)))]
        while path:
            block, ends = path[-1]
            for end in ends:
                if end not in seen:
                    seen.add(end)
                    path.append((end, iter(self._ends(end, goals))))
                    break
            else:
                order.append(block)
                path.pop()
        return order

    def _ends(self, block: int, goals: list[int]) -> list[int]:
        ends = [goals[end] for end in self.successors[block]]
        if self.blocks[block]:
            ends.append(goals[self.errors[block]])
        ends.reverse()
        return ends
