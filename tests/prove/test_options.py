"""From the command line and the settings to a plan, with a word on each mistake."""

import subprocess
import sys
from pathlib import Path

import pytest

from letgo.prove import extras
from letgo.prove.models import Schedule
from letgo.prove.options import plan_of
from letgo.source.errors import UserError
from letgo.source.settings import find_settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "users.py").write_text("")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.letgo]\nstrict = true\n[tool.letgo.prove]\napp = "app.main:app"\nusers = 500\nhold = "1m"\n'
        'scenario = "users.py"\nsetup = "alembic upgrade head"\nthreshold = ["errors < 1%"]\n'
    )
    return tmp_path


def test_a_plan_is_what_the_settings_say_with_the_command_line_over_them(project: Path) -> None:
    plan = plan_of({"users": 50, "ramp_up": "500ms"}, project)
    assert plan.app is not None
    assert plan.app.name == "app.main:app"
    assert plan.schedule == Schedule(50, 0.5, 60.0, 1.0)
    assert plan.scenario == project / "users.py"
    assert plan.setup == ("alembic upgrade head",)
    assert [threshold.expression for threshold in plan.thresholds] == ["errors < 1%"]


def test_an_address_on_the_command_line_takes_the_place_of_an_app_in_the_settings(project: Path) -> None:
    plan = plan_of({"url": "http://127.0.0.1:8000", "dsn": "postgresql://x@y/z"}, project)
    assert plan.app is None
    assert plan.url == "http://127.0.0.1:8000"


def test_the_settings_of_check_and_of_prove_live_in_one_file(project: Path) -> None:
    assert find_settings([project], known_rules=()).strict


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "say what to prove"),
        ({"app": "shop"}, "is not the name of an app"),
        ({"app": "a:b", "url": "http://x"}, "say what to prove"),
        ({"url": "http://x"}, "has its database already"),
        ({"url": "nowhere", "dsn": "x"}, "--url is 'nowhere'"),
        ({"app": "a:b", "hold": "soon"}, "--hold is 'soon'"),
        ({"app": "a:b", "users": 0}, "--users is 0"),
        ({"app": "a:b", "port": 99999}, "--port is 99999"),
        ({"app": "a:b", "scenario": "none.py"}, "which is no file"),
        ({"app": "a:b", "app_dir": "none"}, "which is no directory"),
        ({"app": "a:b", "threshold": ("speed > 9",)}, "no metric 'speed'"),
        ({"app": "a:b", "locustfile": __file__, "rate": 5.0}, "a locustfile brings its own users"),
    ],
)
def test_a_mistake_is_told_as_such(tmp_path: Path, given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan_of(given, tmp_path)


def test_a_mistake_in_the_settings_is_told_with_its_line(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(file.read_text() + "usres = 5\n")
    with pytest.raises(UserError, match=r"pyproject.toml:10: usres is not a setting of prove") as error:
        plan_of({}, project)
    assert error.value.hint == "Did you mean 'users'?"


def test_a_missing_extra_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(UserError) as error:
        extras.need("psycopg", "httptools")
    assert error.value.message == "this needs psycopg and httptools: pip install 'letgo[prove]'"


def test_the_command_line_starts_without_what_only_prove_needs() -> None:
    script = (
        "import sys, letgo.cli\nfrom letgo.prove import command\n"
        "print({'psycopg', 'httptools', 'uvloop', 'rich', 'sqlalchemy', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
