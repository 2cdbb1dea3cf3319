"""The comments in the leaky bookshop say what letgo finds in it."""

import re
from pathlib import Path

from letgo.rules.registry import RULES

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
