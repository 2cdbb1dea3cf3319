"""Code in a newer Python than the one that runs is read as if it weren't: every call at its line."""

import ast
import inspect
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import letgo.source
from letgo.source.newer import parse, rewrite


def calls(source: str) -> list[tuple[int, str]]:
    """Line and last name of every call."""
    functions = [node.func for node in ast.walk(parse(source)) if isinstance(node, ast.Call)]
    return sorted((function.lineno, ast.unparse(function).split(".")[-1]) for function in functions)


NEWER = {
    "PEP 695, a generic function": (
        """
        def first[T: Base, *Ts, **P](items: list[T]) -> T:
            return take(items)
        """,
        [(2, "take")],
    ),
    "PEP 695, parameters over several lines": (
        """
        async def first[
            T: (int, str),  # one of them ]
            U = list[int],
        ](items: list[T]) -> U:
            return take(items)
        """,
        [(5, "take")],
    ),
    "PEP 695, a generic class": (
        """
        class Repository[Model: Base](Generic[Model], metaclass=make()):
            def get(self): return fetch(Model)
        """,
        [(1, "make"), (2, "fetch")],
    ),
    "PEP 695, type statements": (
        """
        type Pair[T] = tuple[T, T]
        if True: type Plain = Annotated[Session, Depends(get_db)]
        type (x)
        type = type(type)
        """,
        [(2, "Depends"), (3, "type"), (4, "type")],
    ),
    "PEP 696, defaults": (
        """
        class Box[T = int, *Ts = *tuple[int, ...]]:
            value: T = make()
        """,
        [(2, "make")],
    ),
    "PEP 701, the same quotes again": (
        """
        log(f"{row["id"]} and {name("x"):>{width("y")}}" "and more", other())
        """,
        [(1, "log"), (1, "name"), (1, "other"), (1, "width")],
    ),
    "PEP 701, backslashes, comments and line ends in a field": (
        '''
        x = f"{"\\n".join(rows())}"
        y = f"{
            fetch()  # a " and a }
        } {value!r:{
            width()}}".strip()
        z = f"""
        {one("")}
        {f"{f"{two("deep")}"}"}
        """
        ''',
        [(1, "join"), (1, "rows"), (2, "strip"), (3, "fetch"), (5, "width"), (7, "one"), (8, "two")],
    ),
    "PEP 701, what looks like a field and is none": (
        r"""
        x = f"\N{BULLET} {{no()}} {yes("")=} \{really("")}"
        """,
        [(1, "really"), (1, "yes")],
    ),
    "PEP 750, t-strings": (
        """
        html(t"<p>{user()}</p>", t'{row['id']}', tr"\\d{digits("")}" t"")
        """,
        [(1, "digits"), (1, "html"), (1, "user")],
    ),
    "PEP 758, except without parentheses": (
        """
        try:
            work()
        except OSError, errors.Timeout:
            handle()
        try:
            pass
        except* A, types(1, 2)[0]: again()
        except* (C, D):
            pass
        """,
        [(2, "work"), (4, "handle"), (7, "again"), (7, "types")],
    ),
    "PEP 798, unpacking in comprehensions": (
        """
        a = [*row() for row in rows()]
        b = {**row() for row in rows()}
        c = send(*row for row in rows())
        d = [*row, *(row for row in rows())]
        """,
        [(1, "row"), (1, "rows"), (2, "row"), (2, "rows"), (3, "rows"), (3, "send"), (4, "rows")],
    ),
    "PEP 810, lazy imports": (
        """
        lazy import json
        if x: lazy from os import path
        lazy = make()
        raise lazy from error
        """,
        [(3, "make")],
    ),
}


@pytest.mark.parametrize(("source", "expected"), NEWER.values(), ids=NEWER.keys())
def test_newer_syntax_is_read_with_every_call_at_its_line(source: str, expected: list[tuple[int, str]]) -> None:
    assert calls(textwrap.dedent(source).removeprefix("\n")) == expected


@pytest.mark.parametrize(("source", "_"), NEWER.values(), ids=NEWER.keys())
def test_the_rewritten_code_has_as_many_lines(source: str, _: object) -> None:
    assert rewrite(source).count("\n") == source.count("\n")


def test_a_lazy_import_binds_its_name() -> None:
    [node] = parse("lazy from a import b").body
    assert isinstance(node, ast.ImportFrom)
    assert (node.module, node.names[0].name) == ("a", "b")


def test_an_f_string_stays_one() -> None:
    [node] = parse("""x = 'a' f"{b["c"]}" f"{d}" """).body
    assert isinstance(node, ast.Assign)
    assert isinstance(node.value, ast.JoinedStr)


OLDER = [
    '''x = f"{a['b']!r:>{width}} {{}} {c:%H:%M} {d == e} {f != g}" "and" f\'\'\'{h}\'\'\' rf"\\d{i}"''',
    "def type(x): type = x[type(x)]; return type",
    "try:\n    pass\nexcept (A, B):\n    pass\nexcept f(a, b):\n    pass\nexcept:\n    pass",
    "print(*a, **b); c = [*a, *(x for x in y)]; d = {**a, **{k: v for k, v in b}}; e = lambda *a: [i for i in a]",
    "match type:\n    case [*_]:\n        raise lazy from error",
    "x = '''def f[T](): \"'''  # type X = int",
]


@pytest.mark.parametrize("source", OLDER)
def test_code_that_can_be_read_as_it_is_stays_as_it_is(source: str) -> None:
    ast.parse(source)
    assert rewrite(source) == source


def test_nothing_in_our_own_code_would_be_rewritten() -> None:
    for path in Path(inspect.getfile(letgo.source)).parent.glob("*.py"):
        source = path.read_text()
        assert rewrite(source) == source


BROKEN = [
    *("def f(:", "print 'x'", "type X", "except A, B:", "class A[", "def f[T", "x = [*", "type X[", "lazy from x"),
    *('x = f"{a["b"}"', 'f"{', 'f"{}{x["a"]}"', 'f"{"a" b!r c}"', 't"{', 'f"""{x['),
]


@pytest.mark.parametrize("source", BROKEN)
def test_what_is_no_python_of_any_version_is_a_syntax_error(source: str) -> None:
    with pytest.raises(SyntaxError):
        parse(source)


def test_the_error_names_the_line_of_the_file() -> None:
    with pytest.raises(SyntaxError) as caught:
        parse('def f[T](): pass\nx = f"{\na["b"]}"\nx = = 1\n')
    assert caught.value.lineno == 4


def test_questionable_escapes_make_no_warning() -> None:
    parse("x = '\\d'")


LITERALS = st.text(alphabet="ab #:!={}\\", max_size=6).map(
    lambda text: text.replace("{", "{{").replace("}", "}}") + " "
)


@st.composite
def templates(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    quote = draw(st.sampled_from(['"', "'", '"""']))
    fields = draw(st.lists(inner, min_size=1, max_size=3))
    formats = st.sampled_from(["", "!r", ":>10", "="]) | inner.map(lambda code: f":{{{code}}}")
    literals = LITERALS.map(lambda text: text.replace("\\", "\\\\"))
    parts = [draw(literals) + "{" + code + draw(formats) + "}" for code in fields]
    return "f" + quote + "".join(parts) + draw(literals) + quote


EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "go()", "'s'", '"s"', "(\ngo())", "({1: go()}[1])"]),
    lambda inner: inner.map("go({})".format) | inner.map("[\n{}, 1]".format) | templates(inner),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_calls_in_f_strings_keep_their_lines_however_they_are_nested(code: str) -> None:
    source = f"value = ({code})\n"
    expected = [source.count("\n", 0, at) + 1 for at in range(len(source)) if source.startswith("go(", at)]
    assert [line for line, name in calls(source) if name == "go"] == expected
