"""The pages of the rules: each whole, each in the docs as it is in the code."""

from pathlib import Path

import pytest

from letgo.rules.pages import documents, page
from letgo.rules.registry import RULES
from letgo.rules.rule import Rule

DOCS = Path(__file__).parents[2] / "docs"
SECTIONS = ["## What it does", "## Why is this bad", "## Example", "## Known problems", "## Fix safety"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_page_has_all_sections_in_order(rule: Rule) -> None:
    assert [line for line in page(rule).splitlines() if line.startswith("## ")] == SECTIONS
    assert "Use instead:" in page(rule)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_lives_in_the_file_of_its_name(rule: Rule) -> None:
    assert rule.check.__module__ == f"letgo.rules.{rule.name.replace('-', '_')}"


def test_the_docs_hold_what_the_rules_say() -> None:
    written = {path: (DOCS / path).read_text(encoding="utf-8") for path in documents()}
    assert written == documents(), "the rules have changed: run `python docs/write_rules.py`"


def test_the_docs_hold_no_page_of_a_rule_that_is_gone() -> None:
    assert {f"rules/{file.name}" for file in (DOCS / "rules").iterdir()} == documents().keys() - {"rules.md"}
