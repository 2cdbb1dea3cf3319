"""The comments in the leaky bookshop say what letgo finds in it."""

import re
from pathlib import Path

from letgo.lifetime.follow import follow
from letgo.lifetime.framework import NEWEST
from letgo.rules.judging import judge
from letgo.rules.registry import RULES
from letgo.source.read import read
from letgo.source.settings import Settings

BOOKSHOP = Path(__file__).parents[2] / "examples" / "leaky"
EXPECTED = re.compile(r"# expect: (LG\d{3})")


def expected() -> set[tuple[str, int, str]]:
    """Path, line and code of each finding that a comment announces."""
    return {
        (path.relative_to(BOOKSHOP).as_posix(), number, code)
        for path in BOOKSHOP.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for code in EXPECTED.findall(line)
    }


def test_the_bookshop_shows_every_rule_but_the_convention() -> None:
    assert {code for _, _, code in expected()} == {rule.code for rule in RULES if not rule.strict}


def test_letgo_finds_in_the_bookshop_what_it_expects_and_nothing_else() -> None:
    facts = follow(read([BOOKSHOP], root=BOOKSHOP), fastapi=str(NEWEST))
    findings = judge(facts, Settings(preview=True, root=BOOKSHOP))
    assert {(finding.site.path, finding.site.line, finding.code) for finding in findings} == expected()
