"""What is kept of an expression."""

import ast

import pytest

from letgo.source.lower import lower
from letgo.source.program import (
    Assign,
    Attr,
    Await,
    Bind,
    Call,
    Comprehension,
    Const,
    Delete,
    Dict,
    Either,
    Evaluate,
    Expr,
    Function,
    Group,
    Item,
    Lambda,
    Loop,
    Name,
    Return,
    Sequence,
    Star,
    StepNode,
    Yield,
)


def module(source: str) -> Function:
    return lower(ast.parse(source), "code.py", ()).body


def steps(source: str) -> list[StepNode]:
    """The steps of a function with this body of one line."""
    function = module(f"async def f(): {source}").functions[0]
    return [step for block in function.blocks for step in block.steps]


def value(source: str) -> Expr | None:
    [step] = steps(f"v = {source}")
    assert isinstance(step, Assign)
    return step.value


A, B, C = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a", A),
        ("None", Const(None)),
        ("-1", Const(-1)),
        ("'x'", Const("x")),
        ("b'x'", Group(())),
        ("...", Group(())),
        ("a.b", Attr(A, "b", 1)),
        ("a[0]", Item(A, Const(0), 1)),
        ("a[1:b]", Group((A, B))),
        ("a(b, *c, k=1, **d)", Call(A, (B, Star(C)), (("k", Const(1)), (None, Name("d"))), 1)),
        ("await a()", Await(Call(A, (), (), 1), 1)),
        ("{a: 1, **b}", Dict((A, None), (Const(1), B))),
        ("[a, *b]", Sequence((A, Star(B)))),
        ("(a, 'x')", Sequence((A, Const("x")))),
        ("{a}", Sequence((A,))),
        ("a or b", Either((), (A, B))),
        ("a and b", Either((), (A, B))),
        ("a if b else c", Either((B,), (A, C))),
        ("a + 1 + b * c", Group((A, B, C))),
        ("not a", Group((A,))),
        ("a < 1 < b", Group((A, B))),
        ("1 + 1", Group(())),
        ("f'x{a}{b:>{c}}'", Group((A, B, C))),
        ("(w := a)", Bind("w", A)),
        ("[a for b in c if a]", Comprehension(A, (Loop(B, C, (A,), False),), False, 1)),
        ("(a async for b in c)", Comprehension(A, (Loop(B, C, (), True),), True, 1)),
        ("{a: b for b in c}", Comprehension(Sequence((A, B)), (Loop(B, C, (), False),), False, 1)),
        ("lambda: a", Lambda(0)),
    ],
)
def test_an_expression_is_lowered_to_what_can_matter(source: str, expected: Expr) -> None:
    assert value(source) == expected


def test_a_long_string_is_cut() -> None:
    assert value(repr("x" * 1000)) == Const("x" * 200)


def test_a_long_sum_is_not_deep() -> None:
    """Each of its operands is one level deeper in the tree than the next."""
    names = ast.parse("v = " + "a + " * 500 + "a")
    for _ in range(3):
        names.body[0].value = ast.BinOp(names.body[0].value, ast.Add(), names.body[0].value)  # type: ignore[attr-defined]
    body = lower(names, "code.py", ()).body
    [step] = [step for block in body.blocks for step in block.steps]
    assert isinstance(step, Assign) and isinstance(step.value, Group)
    assert len(step.value.parts) == 501 * 8


def test_a_yield_is_a_step_before_the_statement_that_uses_it() -> None:
    assert steps("x = yield a") == [Yield(A, ".yield1", False, 1), Assign(Name("x"), Name(".yield1"), None, 1)]
    assert steps("yield") == [Yield(None, ".yield1", False, 1)]
    assert steps("b((yield a))") == [
        Yield(A, ".yield1", False, 1),
        Evaluate(Call(B, (Name(".yield1"),), (), 1), 1),
    ]


def test_docstrings_and_constants_are_not_steps() -> None:
    assert steps("'doc'; ...; 1; pass") == []


def test_the_value_of_several_targets_is_evaluated_once() -> None:
    call = Call(A, (), (), 1)
    assert steps("x = y.z = a()") == [
        Assign(Name(".value1"), call, None, 1),
        Assign(Name("x"), Name(".value1"), None, 1),
        Assign(Attr(Name("y"), "z", 1), Name(".value1"), None, 1),
    ]


def test_targets_keep_their_structure() -> None:
    assert steps("(x, *y.z), w[0:1] = a") == [
        Assign(
            Sequence((Sequence((Name("x"), Star(Attr(Name("y"), "z", 1)))), Item(Name("w"), Group(()), 1))), A, None, 1
        )
    ]


def test_an_augmented_assignment_uses_the_old_value() -> None:
    assert steps("x.n += a") == [Assign(Attr(Name("x"), "n", 1), Group((Attr(Name("x"), "n", 1), A)), None, 1)]


def test_each_target_of_del_is_a_step() -> None:
    assert steps("del a, b.c") == [Delete(A, 1), Delete(Attr(B, "c", 1), 1)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Session", Name("Session")),
        ("'Session'", Name("Session")),
        ("'Session | None'", Item(Name("Optional"), Name("Session"), 1)),
        ("None | Session", Item(Name("Optional"), Name("Session"), 1)),
        ("Optional['orm.Session']", Item(Name("Optional"), Attr(Name("orm"), "Session", 1), 1)),
        ("Literal['a']", Item(Name("Literal"), Const("a"), 1)),
        ("'not a type'", Const("not a type")),
        (r"'Pattern[\'\\d\']'", Const(r"Pattern['\d']")),
        (
            "Annotated['Session', Query('x')]",
            Item(Name("Annotated"), Sequence((Name("Session"), Call(Name("Query"), (Const("x"),), (), 1))), 1),
        ),
    ],
)
def test_strings_in_annotations_are_read_as_types(source: str, expected: Expr) -> None:
    assert steps(f"x: {source}") == [Assign(Name("x"), None, expected, 1)]


def test_what_a_string_annotation_names_is_on_the_line_of_the_string() -> None:
    function = module("\n\n\ndef f(\n  x: 'a.B'): ...").functions[0]
    assert function.params[0].annotation == Attr(A, "B", 5)


def test_a_lambda_is_a_function_that_returns_its_expression() -> None:
    [inner] = module("def f():\n return lambda x, *y: a(x)").functions[0].functions
    assert (inner.name, inner.qualname) == ("<lambda>", "f.<lambda>")
    assert [param.kind for param in inner.params] == ["positional", "star"]
    assert inner.blocks[0].steps == (Return(Call(A, (Name("x"),), (), 2), 2),)
