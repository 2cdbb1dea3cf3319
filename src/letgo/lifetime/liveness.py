"""Which variables are still read from a block on: what others hold needn't keep paths apart any more."""

from collections.abc import Iterator

from letgo.source.program import Assign, Block, Delete, Function, Name, Next, StepNode
from letgo.source.walk import parts


def still_read(function: Function, names: frozenset[str]) -> tuple[frozenset[str], ...]:
    """For each block those of `names` that may be read from its beginning on, before they are set anew.

    What an exception passes over is not set: on the way to a block's error edge, its assignments don't count. Functions
    inside this one may read what they mention whenever they run.
    """
    always = frozenset().union(*(inner.mentions for inner in function.functions)) & names
    blocks = function.blocks
    uses = [_uses(block, names) for block in blocks]
    found = [read for read, _ in uses]
    before: dict[int, list[int]] = {}
    for number, block in enumerate(blocks):
        for end in (*block.successors, block.error):
            before.setdefault(end, []).append(number)
    waiting = list(range(len(blocks)))
    while waiting:
        number = waiting.pop()
        block, (read, set_anew) = blocks[number], uses[number]
        onwards = frozenset().union(*(found[end] for end in block.successors))
        now = read | (onwards - set_anew) | (found[block.error] if block.steps else frozenset())
        if now != found[number]:
            found[number] = now
            waiting += before.get(number, ())
    return tuple(each | always for each in found)


def _uses(block: Block, names: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a block reads before it sets them, and those that it sets."""
    read: set[str] = set()
    set_anew: set[str] = set()
    for step in block.steps:
        read.update(name for name in _read_by(step) if name in names and name not in set_anew)
        match step:
            case Assign(Name(name), value) if value is not None:
                set_anew.add(name)
            case Next(Name(name)) | Delete(Name(name)):
                set_anew.add(name)
    return frozenset(read), frozenset(set_anew)


def _read_by(step: StepNode) -> Iterator[str]:
    match step:
        case Assign(Name(), value) | Next(Name(), value):
            read: object = value
        case Delete(Name()):
            read = None
        case _:
            read = step
    return (part.id for part in parts(read) if type(part) is Name)
