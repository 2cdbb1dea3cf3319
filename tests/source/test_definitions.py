"""Functions, classes and imports of a file, and what is known of each."""

import ast
import textwrap

from letgo.source.lower import lower
from letgo.source.program import Call, Const, Define, Field, Function, Import, Name, Param


def module(source: str) -> Function:
    return lower(ast.parse(textwrap.dedent(source)), "code.py", ()).body


def test_a_module_is_a_function_that_holds_what_the_file_defines() -> None:
    body = module("""
        import a

        def f(): ...

        if a:
            class C: ...
        else:
            def g(): ...
    """)
    assert (body.name, body.qualname, body.line, body.end_line) == ("<module>", "<module>", 1, 9)
    assert [function.name for function in body.functions] == ["f", "g"]
    assert [found.name for found in body.classes] == ["C"]
    assert [step for block in body.blocks for step in block.steps if isinstance(step, Define)] == [
        Define("f", 0, False, 4),
        Define("C", 0, True, 7),
        Define("g", 1, False, 9),
    ]


def test_an_empty_file_is_a_module() -> None:
    assert module("").end_line == 1


def test_imports_are_kept_wherever_they_are_made() -> None:
    body = module("""
        import a.b, a.b as c
        if TYPE_CHECKING:
            from .x import y as z
        def f():
            try:
                from .. import w
            except ImportError:
                from v import *
    """)
    assert body.imports == (
        Import("a", "a", None, 0),
        Import("c", "a.b", None, 0),
        Import("z", "x", "y", 1),
    )
    assert body.functions[0].imports == (Import("w", "", "w", 2), Import("*", "v", "*", 0))


def test_qualified_names_are_pythons_without_locals() -> None:
    body = module("""
        class C:
            def m(self):
                def inner(): ...
            class D:
                def n(self): ...
        def outer():
            class E:
                def k(self): ...
    """)
    [c] = body.classes
    [m] = c.methods
    assert [m.qualname, m.functions[0].qualname] == ["C.m", "C.m.inner"]
    assert c.classes[0].methods[0].qualname == "C.D.n"
    assert body.functions[0].classes[0].methods[0].qualname == "outer.E.k"


def test_a_function_begins_at_its_def_and_has_all_its_parameters() -> None:
    [function] = module("""
        @route("/")
        async def f(a, /, b: B = 1, *args, c, d=2, **rest) -> R:
            yield a
    """).functions
    assert (function.line, function.end_line) == (3, 4)
    assert function.is_async and function.is_generator
    assert function.decorators == (Call(Name("route"), (Const("/"),), (), 2),)
    assert function.returns == Name("R")
    assert function.params == (
        Param("a", None, None, "positional"),
        Param("b", Name("B"), Const(1), "positional"),
        Param("args", None, None, "star"),
        Param("c", None, None, "keyword"),
        Param("d", None, Const(2), "keyword"),
        Param("rest", None, None, "double_star"),
    )


def test_a_yield_that_is_never_reached_makes_a_generator() -> None:
    assert module("def f():\n return\n yield").functions[0].is_generator


def test_names_are_those_that_the_body_binds() -> None:
    [function] = module("""
        def f(p):
            global g
            g = a = 1
            b: int
            for c, *d in x: ...
            with x as e: ...
            try: ...
            except x as h: ...
            if (i := x): ...
            [j for k in x]
            import m.n
            def o(): q = 1
            match x:
                case [r, *s] | {"t": u, **v}: ...
            w.attribute, w[0] = x
    """).functions
    assert function.names == set("pabcdehimorsuv")
    assert function.globals == {"g"}


def test_mentions_are_the_identifiers_of_a_function_and_of_those_in_it() -> None:
    [function] = module("""
        @a
        def f(x=b) -> "c":
            d.e(f=1)
            def g():
                lambda: h
    """).functions
    assert function.mentions == set("abcdefh")


def test_a_class_has_the_fields_of_its_body_also_under_an_if() -> None:
    [found] = module("""
        @a
        class C(B, metaclass=M):
            x: int = 1
            if v:
                y = z = d()
            w.u = 2
            @property
            def p(self): ...
            @p.setter
            def p(self, value): ...
    """).classes
    assert found.bases == (Name("B"),)
    assert found.keywords == (("metaclass", Name("M")),)
    assert found.decorators == (Name("a"),)
    assert found.fields == (
        Field("x", Name("int"), Const(1), 4),
        Field("y", None, Call(Name("d"), (), (), 6), 6),
        Field("z", None, Call(Name("d"), (), (), 6), 6),
    )
    assert [method.name for method in found.methods] == ["p", "p"]


def test_a_function_in_finally_is_one_function_on_all_ways() -> None:
    [function] = module("""
        def f():
            try:
                return x()
            finally:
                def g(): ...
                h = lambda: y
                class C: ...
    """).functions
    assert [inner.name for inner in function.functions] == ["g", "<lambda>"]
    assert len(function.classes) == 1
