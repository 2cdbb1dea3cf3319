"""Laws of every graph, and that a program's graph has the way the program really takes.

Generated programs call `mark(n)`, which returns a truth value or raises as a generated schedule says. What CPython
then does must be a walk through the graph that ends where the function ended.
"""

import ast
import asyncio
import functools
import importlib.util
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letgo.source.lower import lower
from letgo.source.program import (
    CANCELLED,
    ENTRY,
    ERROR,
    EXIT,
    Assume,
    Block,
    Call,
    Class,
    Const,
    Enter,
    Expr,
    Function,
    Leave,
    Name,
    Raise,
)

# --- every graph -----------------------------------------------------------------------------------------------------


def functions_in(function: Function) -> Iterator[Function]:
    yield function
    for inner in function.functions:
        yield from functions_in(inner)
    for found in function.classes:
        yield from methods_in(found)


def methods_in(found: Class) -> Iterator[Function]:
    for method in found.methods:
        yield from functions_in(method)
    for inner in found.classes:
        yield from methods_in(inner)


def assert_well_formed(function: Function) -> None:
    blocks = function.blocks
    assert blocks[EXIT] == blocks[ERROR] == blocks[CANCELLED] == Block((), (), ERROR)
    assert reachable(blocks) | {EXIT, ERROR, CANCELLED} == set(range(len(blocks)))
    for block in blocks:
        assert len(set(block.successors)) == len(block.successors)
        raises = [type(step) is Raise for step in block.steps]
        assert not any(raises[:-1])
        if block.steps:
            assert raises[-1] == (not block.successors)
        for step in block.steps:
            assert isinstance(step, Assume) or function.line <= step.line <= function.end_line


def reachable(blocks: tuple[Block, ...]) -> set[int]:
    seen: set[int] = set()
    path = [ENTRY]
    while path:
        number = path.pop()
        if number not in seen:
            seen.add(number)
            block = blocks[number]
            path += [*block.successors, *([block.error] if block.steps else [])]
    return seen


@pytest.mark.parametrize("package", ["asyncio", "concurrent", "email", "importlib", "json"])
def test_the_graphs_of_the_standard_library_are_well_formed(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    paths = sorted(Path(spec.submodule_search_locations[0]).rglob("*.py"))
    assert paths
    for path in paths:
        body = lower(ast.parse(path.read_bytes()), str(path), ()).body
        for function in functions_in(body):
            assert_well_formed(function)


# --- generated programs ----------------------------------------------------------------------------------------------

LIMIT = 60
"""Calls of `mark` after which it returns False and raises no more, so that every loop ends."""

Event = tuple[str, int, bool]
"""`("mark", n, raised)`, or `("enter", n, False)` and `("leave", n, raised)` of a `with`."""


CONDITIONS = st.recursive(
    st.sampled_from(["mark(0)", "yes", "no", "none is None", "yes is not None"]),
    lambda inner: st.one_of(
        inner.map(lambda test: f"not ({test})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: "({} {} {})".format(*parts)),
    ),
    max_leaves=3,
)


@st.composite
def bodies(draw: st.DrawFn, depth: int, in_loop: bool) -> str:
    """The statements of a block; each call in it is `mark(0)` until they are numbered."""
    return "\n".join(draw(st.lists(statements(depth, in_loop), min_size=1, max_size=3)))


@functools.cache
def statements(depth: int, in_loop: bool) -> st.SearchStrategy[str]:
    simple = ["mark(0)", "mark(0)", "x = mark(0)", "return mark(0)", "return", "raise Boom", "assert mark(0)"]
    if in_loop:
        simple += ["break", "continue"]
    if depth == 0:
        return st.sampled_from(simple)
    return st.one_of(st.sampled_from(simple), compounds(depth - 1, in_loop))


@st.composite
def compounds(draw: st.DrawFn, depth: int, in_loop: bool) -> str:
    def block(loops: bool = in_loop) -> str:
        return textwrap.indent(draw(bodies(depth, loops)), " ")

    def maybe(text: str) -> str:
        return f"\n{text}\n{block()}" if draw(st.booleans()) else ""

    match draw(st.sampled_from(["if", "while", "for", "try", "finally", "with", "match"])):
        case "if":
            return f"if {draw(CONDITIONS)}:\n{block()}" + maybe(f"elif {draw(CONDITIONS)}:") + maybe("else:")
        case "while":
            return f"while {draw(CONDITIONS)} and mark(0):\n{block(True)}" + maybe("else:")
        case "for":
            return f"for x in range(2):\n{block(True)}" + maybe("else:")
        case "try":
            caught = draw(
                st.sampled_from(
                    ["Boom", "(KeyError, Boom)", "KeyError", "Exception", "BaseException", "CancelledError"]
                )
            )
            return (
                f"try:\n{block()}\nexcept {caught}:\n{block()}" + maybe("except:") + maybe("else:") + maybe("finally:")
            )
        case "finally":
            return f"try:\n{block()}\nfinally:\n{block()}"
        case "with":
            items = draw(st.sampled_from(["manager(0)", "manager(0) as x, manager(0)", "suppress(0)"]))
            return f"with {items}:\n{block()}"
        case _:
            cases = f" case True if {draw(CONDITIONS)}:\n{block()}\n case False | None:\n{block()}\n case _:\n{block()}"
            return "match yes:\n" + "\n".join(
                line if line.startswith(" case") else " " + line for line in cases.splitlines()
            )


@st.composite
def programs(draw: st.DrawFn) -> str:
    pieces = draw(bodies(2, False)).split("(0)")
    numbered = "".join(f"{piece}({number})" for number, piece in enumerate(pieces[:-1])) + pieces[-1]
    header = "async def program(mark, manager, suppress, yes=True, no=False, none=None):\n"
    return header + textwrap.indent(numbered, " ")


class Boom(Exception):
    pass


class Manager:
    def __init__(self, number: int, swallows: bool, events: list[Event]) -> None:
        self.number, self.swallows, self.events = number, swallows, events

    def __enter__(self) -> None:
        self.events.append(("enter", self.number, False))

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> bool:
        self.events.append(("leave", self.number, kind is not None))
        return self.swallows and kind is Boom


def run(source: str, schedule: list[str]) -> tuple[list[Event], set[int]]:
    """What the program did, and the blocks where its graph may end."""
    events: list[Event] = []

    def mark(number: int) -> bool:
        outcome = schedule[len(events) % len(schedule)] if len(events) < LIMIT else "false"
        events.append(("mark", number, outcome in ("boom", "cancel")))
        match outcome:
            case "boom":
                raise Boom
            case "cancel":
                raise asyncio.CancelledError
        return outcome == "true"

    namespace = {"Boom": Boom, "CancelledError": asyncio.CancelledError}
    exec(compile(source, "program.py", "exec"), namespace)
    coroutine = namespace["program"](
        mark, lambda number: Manager(number, False, events), lambda number: Manager(number, True, events)
    )
    try:
        coroutine.send(None)
    except StopIteration:
        return events, {EXIT}
    except (Boom, AssertionError):
        return events, {ERROR}
    except asyncio.CancelledError:
        return events, {ERROR, CANCELLED}
    raise AssertionError("a program does not wait")


VALUES = {"yes": True, "no": False, "none": None}


def ends(function: Function, events: list[Event]) -> set[int]:
    """The blocks where a walk with exactly these events ends."""
    keys = {
        step.key: number
        for block in function.blocks
        for step in block.steps
        if isinstance(step, Enter) and (number := number_of(step.value)) is not None
    }
    seen: set[tuple[int, int, int]] = set()
    path = [(ENTRY, 0, 0)]
    while path:
        state = path.pop()
        if state not in seen:
            seen.add(state)
            path += moves(function.blocks[state[0]], state, events, keys)
    return {block for block, _, done in seen if block in (EXIT, ERROR, CANCELLED) and done == len(events)}


def moves(
    block: Block, state: tuple[int, int, int], events: list[Event], keys: dict[int, int]
) -> list[tuple[int, int, int]]:
    number, position, done = state
    if position == len(block.steps):
        return [(end, 0, done) for end in block.successors]
    step = block.steps[position]
    match step:
        case Assume(test, Name(name), holds) if name in VALUES:
            value = VALUES[name] is None if test == "none" else VALUES[name]
            return [(number, position + 1, done)] if value is holds else []
        case Raise():
            return [(block.error, 0, done)]
        case Enter(key=key):
            expected = ("enter", keys[key])
        case Leave(key=key, raised=raised):
            expected = ("leave", keys[key])
            if done < len(events) and events[done][2] != raised:
                return []
        case _:
            marked = number_of(getattr(step, "value", None))
            if marked is None:
                return [(number, position + 1, done)]
            expected = ("mark", marked)
    if done == len(events) or events[done][:2] != expected:
        return []
    if expected[0] == "mark" and events[done][2]:
        return [(block.error, 0, done + 1)]
    return [(number, position + 1, done + 1)]


def number_of(value: Expr | None) -> int | None:
    """The n of `mark(n)`, `manager(n)` and the like."""
    match value:
        case Call(Name("mark" | "manager" | "suppress"), (Const(int(number)),)):
            return number
    return None


@settings(max_examples=100, deadline=None)
@given(programs(), st.lists(st.sampled_from(["true", "false", "boom", "cancel"]), min_size=1, max_size=12))
def test_what_a_program_does_is_a_way_through_its_graph(source: str, schedule: list[str]) -> None:
    function = lower(ast.parse(source), "program.py", ()).body.functions[0]
    assert_well_formed(function)
    events, expected = run(source, schedule)
    assert ends(function, events) & expected, (events, source)
