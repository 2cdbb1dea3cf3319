"""What a name means in one file that another file defines."""

from pathlib import Path
from textwrap import dedent

import pytest

from letgo.source.names import ClassSymbol, External, FunctionSymbol, ModuleSymbol, Names, Symbol, VariableSymbol
from letgo.source.program import Attr, Call, Const, Expr, Function, Item, Module, Name, Sequence
from letgo.source.read import read


class Tree:
    """A few files on disk, read, and asked by path and dotted name."""

    def __init__(self, root: Path, files: dict[str, str]) -> None:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(dedent(text))
        self.names = Names(read([root], root=root, jobs=1))

    def module(self, path: str) -> Module:
        return next(module for module in self.names.codebase.modules if module.path == path)

    def function(self, path: str, name: str) -> Function:
        return next(function for function in self.module(path).body.functions if function.name == name)

    def cls(self, path: str, name: str) -> ClassSymbol:
        found = self.names.lookup(self.module(path), name)
        assert isinstance(found, ClassSymbol)
        return found

    def meaning(self, path: str, dotted: str, function: Function | None = None) -> str | None:
        return described(self.names.resolve(self.module(path), chain(dotted), function))


@pytest.fixture
def tree(tmp_path: Path):
    return lambda files: Tree(tmp_path, files)


def chain(dotted: str) -> Expr:
    first, *rest = dotted.split(".")
    expr: Expr = Name(first)
    for name in rest:
        expr = Attr(expr, name, 1)
    return expr


def described(symbol: Symbol | None) -> str | None:
    match symbol:
        case FunctionSymbol(module=module, function=function):
            return f"{module.path}:{function.qualname}()"
        case ClassSymbol(module=module, cls=cls):
            return f"{module.path}:{cls.qualname}"
        case ModuleSymbol(module=module):
            return module.path
        case VariableSymbol(module=module, name=name):
            return f"{module.path}:{name}="
        case External(dotted=dotted):
            return dotted
    return None


# --- imports ---------------------------------------------------------------------------------------------------------


def test_a_name_is_followed_through_reexports(tree):
    code = tree(
        {
            "shop/__init__.py": "from .db import get_db",
            "shop/db/__init__.py": "from shop.db.engine import get_db as get_db",
            "shop/db/engine.py": "def get_db(): ...",
            "shop/api.py": "from shop import get_db as database",
        }
    )
    assert code.meaning("shop/api.py", "database") == "shop/db/engine.py:get_db()"


def test_a_submodule_is_an_attribute_of_its_package(tree):
    code = tree(
        {
            "shop/__init__.py": "",
            "shop/db/__init__.py": "",
            "shop/db/engine.py": "def get_db(): ...",
            "main.py": "import shop.db.engine\nimport shop.db.engine as e\nfrom shop import db",
        }
    )
    assert code.meaning("main.py", "shop.db.engine.get_db") == "shop/db/engine.py:get_db()"
    assert code.meaning("main.py", "e.get_db") == "shop/db/engine.py:get_db()"
    assert code.meaning("main.py", "db.engine") == "shop/db/engine.py"


def test_relative_imports_count_their_dots(tree):
    code = tree(
        {
            "a/__init__.py": "here = 1",
            "a/b/__init__.py": "",
            "a/b/c.py": "from . import d\nfrom .. import here\nfrom ..e import f\nfrom ....up import away",
            "a/b/d.py": "",
            "a/e.py": "def f(): ...",
        }
    )
    assert code.meaning("a/b/c.py", "d") == "a/b/d.py"
    assert code.meaning("a/b/c.py", "here") == "a/__init__.py:here="
    assert code.meaning("a/b/c.py", "f") == "a/e.py:f()"
    assert code.meaning("a/b/c.py", "away") is None


def test_packages_without_init_files_are_found(tree):
    code = tree(
        {
            "backend/shop/db/engine.py": "def get_db(): ...",
            "backend/shop/api/items.py": """
                import shop.db.engine
                from shop.db import engine
                from ..db.engine import get_db
                """,
        }
    )
    assert code.meaning("backend/shop/api/items.py", "engine.get_db") == "backend/shop/db/engine.py:get_db()"
    assert code.meaning("backend/shop/api/items.py", "shop.db.engine.get_db") == "backend/shop/db/engine.py:get_db()"
    assert code.meaning("backend/shop/api/items.py", "get_db") == "backend/shop/db/engine.py:get_db()"


def test_of_two_modules_of_one_name_the_nearer_is_taken(tree):
    application = {"app/__init__.py": "", "app/db.py": "def get_db(): ...", "app/main.py": "from app.db import get_db"}
    code = tree({f"{service}/{path}": text for service in ("orders", "users") for path, text in application.items()})
    assert code.meaning("orders/app/main.py", "get_db") == "orders/app/db.py:get_db()"
    assert code.meaning("users/app/main.py", "get_db") == "users/app/db.py:get_db()"


def test_modules_beside_a_script_are_found(tree):
    code = tree(
        {
            "app/main.py": "from database import get_db\nfrom routes.items import show",
            "app/database.py": "def get_db(): ...",
            "app/routes/items.py": "from database import get_db\ndef show(): ...",
        }
    )
    assert code.meaning("app/main.py", "get_db") == "app/database.py:get_db()"
    assert code.meaning("app/main.py", "show") == "app/routes/items.py:show()"
    assert code.meaning("app/routes/items.py", "get_db") == "app/database.py:get_db()"


def test_a_module_in_a_package_does_not_stand_in_for_the_library_it_is_named_after(tree):
    code = tree(
        {
            "app/__init__.py": "",
            "app/redis.py": "import redis\nclient = redis.Redis()",
            "app/openai.py": "class OpenAI: ...",
            "app/cache.py": "import redis\nimport openai\nfrom app.openai import OpenAI\nfrom redis import asyncio",
        }
    )
    assert code.meaning("app/cache.py", "redis.Redis") == "redis.Redis"
    assert code.meaning("app/redis.py", "redis.Redis") == "redis.Redis"
    assert code.meaning("app/cache.py", "openai.OpenAI") == "openai.OpenAI"
    assert code.meaning("app/cache.py", "OpenAI") == "app/openai.py:OpenAI"
    assert code.meaning("app/cache.py", "asyncio") == "redis.asyncio"


def test_a_directory_that_scripts_run_in_may_hold_a_module_of_its_own_name(tree):
    code = tree(
        {
            "backend/app/app.py": "db = object()",
            "backend/app/models/task.py": "from app import db",
        }
    )
    assert code.meaning("backend/app/models/task.py", "db") == "backend/app/app.py:db="


def test_the_standard_library_is_never_shadowed(tree):
    code = tree({"queue.py": "class Queue: ...", "main.py": "import queue"})
    assert code.meaning("main.py", "queue.Queue") == "queue.Queue"


def test_a_copy_of_a_library_that_is_known_among_the_files_changes_nothing(tree):
    found = tree(
        {
            "libs/sqlalchemy/__init__.py": "",
            "libs/sqlalchemy/orm/__init__.py": "from .session import Session",
            "libs/sqlalchemy/orm/session.py": "class Session: ...",
            "app.py": "from sqlalchemy.orm import Session",
        }
    )
    assert found.meaning("app.py", "Session") == "sqlalchemy.orm.Session"
    assert found.meaning("libs/sqlalchemy/orm/__init__.py", "Session") == "libs/sqlalchemy/orm/session.py:Session"


def test_the_checked_directory_may_itself_be_a_package(tree, tmp_path):
    root = tmp_path / "shop"
    root.mkdir()
    code = Tree(root, {"__init__.py": "", "db.py": "def get_db(): ...", "api.py": "from shop.db import get_db"})
    assert code.meaning("api.py", "get_db") == "db.py:get_db()"


def test_star_imports_bring_what_all_lists_or_what_is_public(tree):
    code = tree(
        {
            "m/__init__.py": "from .listed import *\nfrom .open import *\nfrom outside import *",
            "m/listed.py": "__all__ = ['a']\ndef a(): ...\ndef hidden(): ...",
            "m/open.py": "def b(): ...\ndef _private(): ...",
        }
    )
    assert code.meaning("m/__init__.py", "a") == "m/listed.py:a()"
    assert code.meaning("m/__init__.py", "b") == "m/open.py:b()"
    assert code.meaning("m/__init__.py", "hidden") == "outside.hidden"
    assert code.meaning("m/__init__.py", "_private") is None
    assert code.meaning("m/__init__.py", "len") == "builtins.len"


@pytest.mark.parametrize("asked", [("a.py", "b.py"), ("b.py", "a.py")])
def test_cycles_of_star_imports_end_and_hide_nothing(tree, asked):
    code = tree(
        {
            "a.py": "from b import *",
            "b.py": "from a import *\nfrom c import *",
            "c.py": "def found(): ...",
        }
    )
    for path in asked:
        assert code.meaning(path, "found") == "c.py:found()"
        assert code.meaning(path, "missing") is None


def test_an_import_that_leads_back_to_itself_means_nothing(tree):
    code = tree({"a.py": "from b import x", "b.py": "from a import x"})
    assert code.meaning("a.py", "x") is None


def test_imports_for_type_checking_and_optional_ones_count(tree):
    code = tree(
        {
            "a.py": """
                from typing import TYPE_CHECKING
                if TYPE_CHECKING:
                    from b import B
                try:
                    import orjson
                except ImportError:
                    orjson = None
                """,
            "b.py": "class B: ...",
        }
    )
    assert code.meaning("a.py", "B") == "b.py:B"
    assert code.meaning("a.py", "orjson.dumps") == "orjson.dumps"


def test_what_a_module_makes_on_demand_is_a_variable_of_it(tree):
    code = tree({"a.py": "from b import service", "b.py": "def __getattr__(name): ..."})
    assert code.meaning("a.py", "service") == "b.py:service="


# --- names in a module and in functions ------------------------------------------------------------------------------


def test_an_alias_means_what_it_stands_for(tree):
    code = tree(
        {
            "a.py": """
                from sqlalchemy.orm import Session as Base
                class One: ...
                Two = One
                Three = Two
                Database = Base
                Often = One
                Often = Two
                """,
        }
    )
    assert code.meaning("a.py", "Three") == "a.py:One"
    assert code.meaning("a.py", "Database") == "sqlalchemy.orm.Session"
    assert code.meaning("a.py", "Often") == "a.py:Often="


def test_a_name_far_down_a_line_of_aliases_is_a_variable_and_no_error(tree):
    lines = ["class A0: ..."] + [f"A{number} = A{number - 1}" for number in range(1, 2000)]
    code = tree({"a.py": "\n".join(lines)})
    assert code.meaning("a.py", "A1999") is not None
    assert code.meaning("a.py", "A20") == "a.py:A0"
    assert code.meaning("a.py", "A0" + ".x" * 5000) is None


def test_a_local_variable_shadows_a_global_one(tree):
    code = tree(
        {
            "a.py": """
                def get(): ...
                def free(): ...
                def local(free):
                    get = 1
                def declared():
                    global get
                    get = free
                """
        }
    )
    local = code.function("a.py", "local")
    assert code.meaning("a.py", "get", local) is None
    assert code.meaning("a.py", "free", local) is None
    assert code.meaning("a.py", "free", code.function("a.py", "declared")) == "a.py:free()"
    assert code.meaning("a.py", "get", code.function("a.py", "declared")) == "a.py:get()"


def test_functions_see_their_own_imports_and_those_of_the_functions_around(tree):
    code = tree(
        {
            "a.py": """
                def outer():
                    import httpx
                    def helper(): ...
                    class Local: ...
                    def inner():
                        return httpx, helper, Local
                """
        }
    )
    inner = next(each for each in code.function("a.py", "outer").functions if each.name == "inner")
    assert code.meaning("a.py", "httpx.get", inner) == "httpx.get"
    assert code.meaning("a.py", "helper", inner) == "a.py:outer.helper()"
    assert code.meaning("a.py", "Local", inner) == "a.py:outer.Local"
    assert code.meaning("a.py", "httpx.get") is None


def test_assignments_are_unpacked_and_found_in_functions_that_declare_them_global(tree):
    code = tree(
        {
            "a.py": """
                engine, Session = make()
                first = second = build()
                one, two = 1, 2
                maker = None
                def start():
                    global maker
                    maker = sessionmaker()
                def closure():
                    maker = 1
                    def inner():
                        nonlocal maker
                        maker = 2
                """
        }
    )

    def values(name: str) -> list[Expr | None]:
        return [step.value for step in code.names.assignments(code.module("a.py"), name)]

    assert values("Session") == [Item(Call(Name("make"), (), (), 2), Const(1), 2)]
    assert values("first") == values("second") == [Call(Name("build"), (), (), 3)]
    assert values("two") == [Const(2)]
    assert values("maker") == [Const(None), Call(Name("sessionmaker"), (), (), 8)]


# --- classes ---------------------------------------------------------------------------------------------------------


def test_methods_fields_and_nested_classes_are_found_in_bases(tree):
    code = tree(
        {
            "base.py": """
                from typing import Generic, TypeVar
                T = TypeVar("T")
                class Repository(Generic[T]):
                    session: object
                    class Options: ...
                    def get(self): ...
                """,
            "users.py": """
                import base
                class Users(base.Repository[int]):
                    def add(self): ...
                """,
        }
    )
    users = code.cls("users.py", "Users")
    assert described(code.names.member(users, "get")) == "base.py:Repository.get()"
    assert described(code.names.member(users, "Options")) == "base.py:Repository.Options"
    assert code.names.member(users, "missing") is None
    owner, field = code.names.find_field(users, "session")
    assert (described(owner), field.name) == ("base.py:Repository", "session")
    assert code.names.find_method(users, "get").owner is owner
    assert code.names.subclasses(owner) == (users,)
    assert [described(each) for each in code.names.methods_named("add")] == ["users.py:Users.add()"]
    assert code.names.is_subclass(users, {"typing.Generic"})
    assert not code.names.is_subclass(users, {"typing.Protocol"})


def test_a_base_class_that_a_call_made_is_known_by_the_call(tree):
    code = tree(
        {
            "models.py": """
                from sqlalchemy.orm import declarative_base
                Base = declarative_base()
                class User(Base): ...
                """
        }
    )
    assert code.names.is_subclass(code.cls("models.py", "User"), {"sqlalchemy.orm.declarative_base()"})


def test_classes_that_inherit_from_each_other_do_not_hang(tree):
    code = tree({"a.py": "from b import B\nclass A(B): ...", "b.py": "from a import A\nclass B(A): ..."})
    a, b = code.cls("a.py", "A"), code.cls("b.py", "B")
    assert code.names.mro(a) == (a, b)
    assert code.names.subclasses(a) == (b,)


def test_a_property_is_its_getter_and_an_overloaded_function_its_last(tree):
    code = tree(
        {
            "a.py": """
                class A:
                    @property
                    def value(self): return 1
                    @value.setter
                    def value(self, new): ...
                    @overload
                    def get(self, x: int): ...
                    def get(self, x): ...
                """
        }
    )
    cls = code.cls("a.py", "A")
    assert len(code.names.find_method(cls, "value").function.params) == 1
    assert code.names.find_method(cls, "get").function.decorators == ()


def test_symbols_are_made_once(tree):
    code = tree({"a.py": "import b\ndef f(): ...\nclass C:\n    def m(self): ...\nv = 1", "b.py": ""})
    module = code.module("a.py")
    for dotted in ("f", "C", "C.m", "v", "b"):
        expr = chain(dotted)
        assert code.names.resolve(module, expr) is code.names.resolve(module, expr)


def test_only_dotted_names_are_resolved(tree):
    code = tree({"a.py": "def f(): ..."})
    module = code.module("a.py")
    for expr in (Const("f"), Sequence((Name("f"),)), Call(Name("f"), (), (), 1), Attr(Name("f"), "x", 1)):
        assert code.names.resolve(module, expr) is None
