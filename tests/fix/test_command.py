"""`letgo fix`, as a person runs it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from letgo.cli import cli
from letgo.rules.shop import SHOP

HOLDS = """\
import httpx
from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from shop import Order, get_sync_db

router = APIRouter()


@router.get("/orders/{order_id}")
def state_of(order_id: int, db: Session = Depends(get_sync_db)):
    return {"state": db.get_one(Order, order_id).state}


@router.post("/orders/{order_id}")
def mark(order_id: int, db: Session = Depends(get_sync_db)):
    db.add(Order(amount=order_id, state="new", customer_id=1))
    db.flush()
    httpx.post("https://marks.example")
    db.commit()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "module.py").write_text(HOLDS)
    (tmp_path / "pyproject.toml").write_text('[tool.letgo]\nfastapi-version = "0.121.0"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, given: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["fix", *arguments], input=given)
    assert result.exit_code == code, result.output
    return result.output


def test_what_is_safe_is_repaired_and_the_rest_named_with_its_reason(project: Path) -> None:
    output = run(code=1)
    assert "db.close()" in (project / "module.py").read_text()
    assert "LG201 stays in `mark`" in output
    assert "saved even if" in output
    assert "--unsafe" in output


def test_unsafe_repairs_the_rest(project: Path) -> None:
    run("--unsafe")
    assert run().startswith("0 findings fixed")


def test_a_diff_changes_nothing_and_can_be_applied(project: Path) -> None:
    output = run("--diff", code=1)
    assert (project / "module.py").read_text() == HOLDS
    assert "--- a/module.py" in output
    assert "+    db.close()" in output


def test_only_the_selected_rules_are_repaired(project: Path) -> None:
    run("--select", "LG201", "--unsafe")
    text = (project / "module.py").read_text()
    assert text.count("db.commit()") == 2
    assert "db.close()" not in text


def test_the_exit_code_can_tell_of_repairs(project: Path) -> None:
    run("--unsafe", "--exit-non-zero-on-fix", code=1)
    run("--unsafe", "--exit-non-zero-on-fix", code=0)


def test_interactive_shows_each_repair_and_asks(project: Path) -> None:
    output = run("--interactive", "--unsafe", given="n\ny\n", code=1)
    assert output.count("Make it?") == 2
    assert "@@" in output
    assert "you left it" in output


def test_json_names_everything(project: Path) -> None:
    said = json.loads(run("--output-format", "json", "--unsafe"))
    assert {finding["code"] for finding in said["fixed"]} == {"LG101", "LG201"}
    assert said["left"] == []
    assert said["files"][0]["path"] == "module.py"


def test_markdown_is_for_a_pull_request(project: Path) -> None:
    output = run("--output-format", "markdown", code=1)
    assert "| LG101 open-while-serialising | 1 | 0 |" in output
    assert "<details>" in output


def test_check_can_repair_first(project: Path) -> None:
    result = CliRunner().invoke(cli, ["check", "--fix", "--unsafe"])
    assert result.exit_code == 0, result.output
    assert "No transaction is held" in result.output


def test_a_suppressed_finding_is_not_repaired(project: Path) -> None:
    text = HOLDS.replace(".state}\n", ".state}  # letgo: ignore[LG101] it is short\n")
    (project / "module.py").write_text(text)
    run(code=1)
    assert (project / "module.py").read_text() == text


def test_a_file_that_is_no_python_is_named_and_the_others_are_repaired(project: Path) -> None:
    (project / "broken.py").write_text("def f(:\n")
    output = run("--unsafe", code=2)
    assert "broken.py:1: could not be read" in output
    assert (project / "broken.py").read_text() == "def f(:\n"
    assert "db.close()" in (project / "module.py").read_text()
