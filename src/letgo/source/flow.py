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
    """`ways` are the blocks where the ways out arrive. A way not in it runs `cleanup`, then goes on in `outer`.

    `varies` is true when the clean-up is not the same on each way.
    """

    __slots__ = ("cleanup", "outer", "shared", "varies", "ways")

    def __init__(
        self,
        outer: "Frame | None",
        ways: dict[Way, int] | None = None,
        cleanup: Callable[[Way], None] | None = None,
        varies: bool = False,
    ) -> None:
        self.outer = outer
        self.ways: dict[Way, int] = ways or {}
        self.cleanup = cleanup
        self.varies = varies
        self.shared: tuple[int, int] | None = None


class Graph:
    """Blocks under construction, as parallel lists; `current` is the block that `steps` belongs to."""

    __slots__ = ("blocks", "current", "dead", "depth", "error", "errors", "frame", "heads", "steps", "successors")

    def __init__(self) -> None:
        self.blocks: list[list[StepNode]] = [[], [], [], []]
        self.successors: list[list[int]] = [[], [], [], []]
        self.errors = [ERROR, ERROR, ERROR, ERROR]
        self.dead: set[int] = set()
        self.heads: set[int] = set()
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

    def begin_loop(self) -> int:
        """Go on in a block that can be come back to."""
        head = self.new()
        self.heads.add(head)
        self.link(self.current, head)
        self.go_on_in(head)
        return head

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
        if len(exits) > 1:
            exits = [block for block in exits if block not in self.dead]
        if not exits:
            self.stop()
        elif len(exits) == 1:
            self.go_on_in(exits[0])
        else:
            block = self.new()
            for start in exits:
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
            if self.depth >= COPIED_DEPTH and not frame.varies:
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
        order = self._reverse_postorder(goals)
        places = [0] * len(goals)
        for number, block in enumerate(order):
            places[block] = number
        numbers = [places[goal] for goal in goals]
        blocks = []
        for block in order:
            ends = tuple([numbers[end] for end in self.successors[block]])
            if len(ends) > 1:
                ends = tuple(dict.fromkeys(ends))
            steps = self.blocks[block]
            blocks.append(Block(tuple(steps), ends, numbers[self.errors[block]] if steps else ERROR))
        return tuple(blocks)

    def _goals(self) -> list[int]:
        """For each block, the first block on the way from it that does something or branches."""
        steps, successors = self.blocks, self.successors
        goals = list(range(len(steps)))
        for block in range(CANCELLED + 1, len(goals)):
            goal = block
            while goal > CANCELLED and not steps[goal] and len(successors[goal]) == 1 and goal not in self.heads:
                goal = successors[goal][0]
            goals[block] = goal
        return goals

    def _reverse_postorder(self, goals: list[int]) -> list[int]:
        """The fixed blocks, then the others that can be reached. In `path`, `~block` says that its ends are done."""
        order: list[int] = []
        seen = {EXIT, ERROR, CANCELLED}
        path = [ENTRY]
        while path:
            block = path.pop()
            if block < 0:
                order.append(~block)
                continue
            block = goals[block]
            if block not in seen:
                seen.add(block)
                path.append(~block)
                if self.blocks[block]:
                    path.append(self.errors[block])
                path += self.successors[block]
        order.pop()
        return [ENTRY, EXIT, ERROR, CANCELLED, *reversed(order)]
