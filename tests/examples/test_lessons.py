"""The lessons: small programs on one idea each, whose comments say what letgo finds in them, and nothing else.

`# expect: LG201` stands on the line of a finding; `# fastapi: 0.110.0` names the version that a lesson is about.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

from letgo.lifetime.follow import follow
from letgo.lifetime.framework import NEWEST
from letgo.rules.judging import judge
from letgo.rules.shop import SHOP
from letgo.source.read import read
from letgo.source.settings import Settings

LESSONS = sorted((Path(__file__).parent / "lessons").rglob("*.py"))
EXPECTED = re.compile(r"# expect: (LG\d+(?:, LG\d+)*)")
VERSION = re.compile(r"^# fastapi: ([\d.]+)", re.MULTILINE)


def expected(lesson: str) -> Counter[tuple[str, int, str]]:
    """Path, line and code of each finding that a comment announces."""
    return Counter(
        ("lesson.py", number, code)
        for number, line in enumerate(lesson.splitlines(), start=1)
        for found in EXPECTED.finditer(line)
        for code in found[1].split(", ")
    )


def found(lesson: str, directory: Path) -> Counter[tuple[str, int, str]]:
    (directory / "shop.py").write_text(SHOP)
    (directory / "lesson.py").write_text(lesson)
    version = VERSION.search(lesson)
    facts = follow(read([directory], root=directory), fastapi=version[1] if version else str(NEWEST))
    findings = judge(facts, Settings(preview=True, root=directory))
    return Counter((finding.site.path, finding.site.line, finding.code) for finding in findings)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_the_findings_it_expects(path: Path, tmp_path: Path) -> None:
    lesson = path.read_text()
    assert found(lesson, tmp_path) == expected(lesson)
