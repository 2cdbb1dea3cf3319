"""The example programs of the rules are real: each one runs as far as an import, with the libraries of today."""

import sys
from types import ModuleType

import pytest

from letgo.rules.registry import RULES
from letgo.rules.shop import SHOP

PROGRAMS = [
    pytest.param(program, id=f"{rule.code}-{kind}{number}")
    for rule in RULES
    for kind, programs in (("bad", rule.bad), ("good", rule.good))
    for number, program in enumerate(programs)
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The module of the examples, with SQLite for the database."""
    database = tmp_path_factory.mktemp("shop") / "shop.db"
    source = SHOP.replace(
        'create_async_engine("postgresql+psycopg://localhost/shop"',
        f'create_async_engine("sqlite+aiosqlite:///{database}"',
    )
    source = source.replace(
        'create_engine("postgresql+psycopg://localhost/shop"', f'create_engine("sqlite:///{database}"'
    )
    assert "postgresql" not in source
    return imported("shop", source)


def imported(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_example_runs(program: str, shop: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shop", shop)
    imported("example", program)
