"""The example programs of each rule, read by the whole of letgo: it finds what they say, and nothing else."""

import re
from collections import Counter
from pathlib import Path

import pytest

from letgo.lifetime.follow import follow
from letgo.rules.judging import judge
from letgo.rules.registry import RULES
from letgo.rules.rule import Rule
from letgo.rules.shop import SHOP
from letgo.source.read import read
from letgo.source.settings import Settings

EXPECTED = re.compile(r"# expect: (LG\d+(?:, LG\d+)*)")


def programs(kind: str) -> list[object]:
    return [
        pytest.param(rule, program, id=f"{rule.code}-{number}")
        for rule in RULES
        for number, program in enumerate(getattr(rule, kind))
    ]


def expected(program: str) -> Counter[tuple[int, str]]:
    """Line and code of each `# expect:` comment."""
    return Counter(
        (line, code)
        for line, text in enumerate(program.splitlines(), start=1)
        for found in EXPECTED.finditer(text)
        for code in found[1].split(", ")
    )


def found(program: str, rule: Rule, directory: Path) -> Counter[tuple[int, str]]:
    """Line and code of each finding in a program, the convention's only where it is the rule in question."""
    (directory / "shop.py").write_text(SHOP)
    (directory / "example.py").write_text(program)
    settings = Settings(preview=True, strict=rule.strict, root=directory)
    findings = judge(follow(read([directory], root=directory)), settings)
    assert all(finding.site.path == "example.py" for finding in findings), findings
    return Counter((finding.site.line, finding.code) for finding in findings)


@pytest.mark.parametrize(("rule", "program"), programs("bad"))
def test_a_bad_example_has_the_findings_it_expects(rule: Rule, program: str, tmp_path: Path) -> None:
    assert any(code == rule.code for _, code in expected(program))
    assert found(program, rule, tmp_path) == expected(program)


@pytest.mark.parametrize(("rule", "program"), programs("good"))
def test_a_good_example_has_none(rule: Rule, program: str, tmp_path: Path) -> None:
    assert found(program, rule, tmp_path) == Counter()
