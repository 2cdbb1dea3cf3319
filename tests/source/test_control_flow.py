"""Which calls are made in which order, on each way through a function.

A way is written as the calls on it: `a b -> return`. `b!` is a call that raised, `(` and `)` begin and end a `with`,
`)!` ends it because of an exception. Each edge is taken once at most.
"""

import ast
import textwrap
from collections.abc import Iterator

from letgo.source.lower import lower
from letgo.source.program import (
    CANCELLED,
    ENTRY,
    ERROR,
    EXIT,
    Assign,
    Assume,
    Attr,
    Await,
    Block,
    Call,
    Catch,
    Enter,
    Evaluate,
    Expr,
    Function,
    Leave,
    Name,
    Raise,
    Return,
    StepNode,
)

ENDS = {EXIT: "return", ERROR: "error", CANCELLED: "cancelled"}


def first_function(source: str) -> Function:
    return lower(ast.parse(textwrap.dedent(source)), "code.py", ()).body.functions[0]


def ways(source: str) -> set[str]:
    """All ways through the first function, but those on which a call raises with nothing around it."""
    return set(_ways(first_function(source).blocks, ENTRY, (), frozenset()))


def _ways(
    blocks: tuple[Block, ...], number: int, events: tuple[str, ...], taken: frozenset[tuple[int, int]]
) -> Iterator[str]:
    if number in ENDS:
        yield " ".join((*events, "->", ENDS[number]))
        return
    block = blocks[number]
    for step in block.steps:
        event = _event(step)
        if event == "raise":
            yield from _along(blocks, (number, block.error), (*events, event), taken)
        elif event:
            if event[0].isalpha() and block.error != ERROR:
                yield from _along(blocks, (number, block.error), (*events, event + "!"), taken)
            events = (*events, event)
    for end in block.successors:
        yield from _along(blocks, (number, end), events, taken)


def _along(
    blocks: tuple[Block, ...], edge: tuple[int, int], events: tuple[str, ...], taken: frozenset[tuple[int, int]]
) -> Iterator[str]:
    if edge not in taken:
        yield from _ways(blocks, edge[1], events, taken | {edge})


def _event(step: StepNode) -> str:
    match step:
        case Evaluate(value=Call(func=Name(id=name)) | Await(value=Call(func=Name(id=name)))):
            return name
        case Assign(target=Name(id=".answer"), value=Call(func=Name(id=name))):
            return name
        case Return(value=Call(func=Name(id=name))):
            return name
        case Enter():
            return "("
        case Leave(raised=raised):
            return ")!" if raised else ")"
        case Raise():
            return "raise"
    return ""


def test_the_branches_of_an_if_meet_again() -> None:
    assert ways("def f():\n if x: a()\n elif y: b()\n else: c()\n d()") == {
        "a d -> return",
        "b d -> return",
        "c d -> return",
    }


def test_what_follows_a_return_on_every_branch_is_not_in_the_graph() -> None:
    source = """
        def f():
            if x:
                return a()
            else:
                return b()
            c()
    """
    assert ways(source) == {"a -> return", "b -> return"}


def test_and_evaluates_its_right_side_only_when_the_left_was_true() -> None:
    source = "def f():\n if a() and b(): c()"
    assert ways(source) == {"a -> return", "a b -> return", "a b c -> return"}


def test_not_or_is_decomposed_as_well() -> None:
    source = "def f():\n if not (a() or b()): c()"
    assert ways(source) == {"a -> return", "a b -> return", "a b c -> return"}


def test_while_true_is_left_by_break_alone() -> None:
    source = """
        def f():
            while True:
                a()
                if x:
                    break
                b()
            c()
    """
    assert ways(source) == {"a c -> return", "a b a c -> return"}


def test_an_endless_loop_never_returns() -> None:
    assert ways("def f():\n while True:\n  pass") == set()
    assert len(first_function("def f():\n while x:\n  while True:\n   pass").blocks) > CANCELLED


def test_the_else_of_a_loop_runs_unless_it_was_broken() -> None:
    source = """
        def f():
            for x in y:
                if x:
                    break
            else:
                a()
            b()
    """
    assert ways(source) == {"b -> return", "a b -> return"}


def test_continue_goes_back_to_the_head_of_the_loop() -> None:
    source = """
        def f():
            for x in y:
                if x:
                    continue
                a()
    """
    assert ways(source) == {"-> return", "a -> return"}


def test_a_case_is_tried_after_those_before_it_did_not_match() -> None:
    source = """
        def f():
            match x:
                case 1:
                    a()
                case y if b():
                    c()
                case _:
                    d()
                case 2:
                    e()
    """
    assert ways(source) == {"a -> return", "b c -> return", "b d -> return"}


def test_an_assertion_that_fails_raises() -> None:
    assert ways("def f():\n assert x\n a()") == {"a -> return", "raise -> error"}


def test_an_exception_that_a_handler_may_not_catch_goes_outwards() -> None:
    source = """
        def f():
            try:
                a()
            except ValueError:
                b()
    """
    assert ways(source) == {"a -> return", "a! b -> return", "a! -> error"}
    assert ways(source.replace("ValueError", "")) == {"a -> return", "a! b -> return"}


def test_except_exception_in_an_async_function_lets_cancellation_pass() -> None:
    body = """
            try:
                a()
            except Exception:
                b()
            finally:
                c()
    """
    handled = {"a c -> return", "a! b c -> return"}
    in_handler = {"a! b! c -> error"}
    assert ways("def f():" + body) == handled | in_handler
    assert ways("async def f():" + body) == handled | in_handler | {"a! c -> cancelled"}


def test_cancellation_is_caught_by_the_next_handler_that_names_it() -> None:
    source = """
        async def f():
            try:
                try:
                    await a()
                except Exception:
                    pass
            except OSError:
                b()
            except asyncio.CancelledError:
                c()
    """
    assert ways(source) == {"a -> return", "a! -> return", "a! c -> return"}


def test_an_async_function_that_catches_cancellation_itself_is_not_left_by_it() -> None:
    source = """
        async def f():
            try:
                await a()
            except asyncio.CancelledError:
                b()
            except Exception:
                c()
    """
    assert ways(source) == {"a -> return", "a! b -> return", "a! c -> return"}


def test_else_is_not_covered_by_the_handlers() -> None:
    source = """
        def f():
            try:
                a()
            except Exception:
                b()
            else:
                return c()
    """
    assert ways(source) == {"a c -> return", "a! b -> return"}


def test_finally_runs_on_every_way_out() -> None:
    source = """
        def f():
            while True:
                try:
                    if x:
                        break
                    if y:
                        return a()
                    b()
                finally:
                    c()
            d()
    """
    assert ways(source) == {
        "c d -> return",
        "a c -> return",
        "a! c -> error",
        "b! c -> error",
        "b c c d -> return",
    }


def test_a_return_in_finally_swallows_the_exception() -> None:
    source = """
        def f():
            try:
                raise ValueError
            finally:
                return a()
    """
    assert ways(source) == {"raise a -> return"}


def test_with_is_left_on_every_way_out_and_inside_out() -> None:
    source = """
        def f():
            with x, y:
                if z:
                    return a()
                b()
            c()
    """
    assert ways(source) == {
        "( ( a ) ) -> return",
        "( ( a! )! )! -> error",
        "( ( b ) ) c -> return",
        "( ( b! )! )! -> error",
    }


def test_a_with_that_fails_to_begin_is_not_left() -> None:
    function = first_function("def f():\n with x as y:\n  a()")
    enter = next(block for block in function.blocks if any(type(step) is Enter for step in block.steps))
    assert enter.error == ERROR


def test_suppress_goes_on_after_the_with() -> None:
    source = """
        def f():
            with contextlib.suppress(OSError):
                a()
            b()
    """
    assert ways(source) == {"( a ) b -> return", "( a! )! -> error", "( a! )! b -> return"}
    assert ways(source.replace("suppress", "closing")) == {"( a ) b -> return", "( a! )! -> error"}


def test_leave_steps_have_the_key_of_their_enter() -> None:
    function = first_function("def f():\n with x, y:\n  with z:\n   a()")
    steps = [step for block in function.blocks for step in block.steps]
    entered = [step.key for step in steps if isinstance(step, Enter)]
    left = [step.key for step in steps if isinstance(step, Leave) and not step.raised]
    assert len(set(entered)) == 3
    assert left == entered[::-1]


def test_finally_in_finally_does_not_make_the_graph_grow_exponentially() -> None:
    source = "x()"
    for _ in range(18):
        source = f"try:\n a()\nfinally:\n{textwrap.indent(source, ' ')}"
    function = first_function("def f():\n" + textwrap.indent(source, " "))
    assert len(function.blocks) < 2000


def test_a_with_in_finally_in_finally_is_left_as_it_should_be() -> None:
    source = """
        def f():
            with x:
                return a()
    """
    for _ in range(5):
        source = f"def f():\n try:\n  pass\n finally:\n{textwrap.indent(textwrap.dedent(source).split(':', 1)[1], ' ')}"
    assert ways(source) == {"( a ) -> return", "( a! )! -> error"}


def test_a_branch_knows_how_its_test_came_out() -> None:
    function = first_function("def f(db):\n if db is not None and not db.closed: a()")
    assumed = {
        (step.test, ".".join(_chain(step.value)), step.holds)
        for block in function.blocks
        for step in block.steps
        if isinstance(step, Assume)
    }
    assert assumed == {
        ("none", "db", True),
        ("none", "db", False),
        ("truth", "db.closed", True),
        ("truth", "db.closed", False),
    }


def _chain(value: Expr) -> Iterator[str]:
    if isinstance(value, Name):
        yield value.id
    elif isinstance(value, Attr):
        yield from _chain(value.value)
        yield value.name


def test_a_test_of_an_assignment_says_what_the_name_is() -> None:
    function = first_function("def f():\n if (x := a()) is None: b()")
    assumed = [step for block in function.blocks for step in block.steps if isinstance(step, Assume)]
    assert assumed == [Assume("none", Name("x"), True), Assume("none", Name("x"), False)]


def test_a_handler_knows_the_types_it_catches() -> None:
    source = """
        def f():
            try:
                a()
            except (ValueError, errors.Missing) as error:
                pass
            except OSError:
                pass
    """
    caught = [step for block in first_function(source).blocks for step in block.steps if isinstance(step, Catch)]
    assert [(step.types, step.name) for step in caught] == [
        (("ValueError", "errors.Missing"), "error"),
        (("OSError",), None),
    ]
