"""The examples: what is repaired in them, safely and unsafely, and what is left, is in the files beside each.

Made anew, to be read and committed, by `LETGO_WRITE_EXAMPLES=1 pytest tests/fix/test_examples.py`.
"""

import os
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples" / "repairs").glob("*.py"))
WRITE = bool(os.environ.get("LETGO_WRITE_EXAMPLES"))


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("path", [path for path in EXAMPLES if "." not in path.stem], ids=lambda path: path.stem)
def test_an_example_becomes_what_stands_beside_it(path: Path, unsafe: bool, workshop) -> None:
    golden = path.with_name(f"{path.stem}.{'unsafe' if unsafe else 'safe'}.py")
    text = workshop.fixed(path.read_text(), unsafe=unsafe)
    if WRITE:
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("path", [path for path in EXAMPLES if ".unsafe" in path.stem], ids=lambda path: path.stem)
def test_what_was_repaired_is_repaired_no_further(path: Path, workshop) -> None:
    assert workshop.fixed(path.read_text(), unsafe=True) == path.read_text()


@pytest.mark.parametrize("path", [path for path in EXAMPLES if "." not in path.stem], ids=lambda path: path.stem)
def test_an_example_says_why_the_rest_is_left(path: Path, workshop) -> None:
    workshop.write("module.py", path.read_text())
    _, fixed = workshop.repair(unsafe=True)
    for left in fixed.left:
        assert left.reason
        assert "knows no way" not in left.reason, left
