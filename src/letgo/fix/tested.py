"""Tests that call a handler as a function, without the session that FastAPI would give it.

Such a test gets the `Depends` of the default for a session: a handler that begins to use its session fails it. Tests
are seldom among the files that letgo reads, so they are looked through for the text of such calls.
"""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

SKIPPED = frozenset({"node_modules", "site-packages", "__pycache__", "venv"})
MOST = 64 * 2**20
"""Characters of tests that are looked through."""


@lru_cache(maxsize=4096)
def called_without(root: Path, function: str, parameter: str, position: int) -> str:
    """The test file, relative to `root`, that calls a function without a parameter; empty when there is none.

    `position` is the parameter's among the positional ones, or -1.
    """
    call = f"{function}("
    for path, text in _texts(root):
        at = text.find(call)
        while at >= 0:
            before = text[max(0, at - 4) : at]
            if not (before[-1:].isidentifier() or before == "def ") and _lacks(
                text, at + len(call), parameter, position
            ):
                return path
            at = text.find(call, at + 1)
    return ""


def _lacks(text: str, start: int, parameter: str, position: int) -> bool:
    arguments = _arguments(text, start)
    if any(re.match(rf"\s*({re.escape(parameter)}\s*=[^=]|\*)", argument) for argument in arguments):
        return False
    positional = sum(1 for argument in arguments if not re.match(r"\s*\w+\s*=[^=]", argument))
    return position < 0 or positional <= position


def _arguments(text: str, start: int) -> list[str]:
    """The arguments of a call whose bracket opens before `start`, split at their commas."""
    depth, begin, found = 0, start, []
    for place in range(start, min(len(text), start + 5000)):
        char = text[place]
        if char in "([{":
            depth += 1
        elif char in ")]}":
            if depth == 0:
                found.append(text[begin:place])
                break
            depth -= 1
        elif char == "," and depth == 0:
            found.append(text[begin:place])
            begin = place + 1
    return [argument for argument in found if argument.strip()]


@lru_cache(maxsize=4)
def _texts(root: Path) -> tuple[tuple[str, str], ...]:
    left = MOST
    texts = []
    for path in _files(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        left -= len(text)
        if left < 0:
            break
        texts.append((path.relative_to(root).as_posix(), text))
    return tuple(texts)


def _files(root: Path) -> Iterator[Path]:
    for directory, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in SKIPPED)
        for name in sorted(names):
            if (name.startswith("test_") and name.endswith(".py")) or name.endswith("_test.py"):
                yield Path(directory, name)
