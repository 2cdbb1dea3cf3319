"""Tests that call a handler as a function, without the session that FastAPI would give it.

Such a test gets the `Depends` of the default for a session: a handler that begins to use its session fails it. Tests
are seldom among the files that letgo reads, so those that may call a handler are read here.
"""

import ast
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from letgo.fix.nodes import below, spelled
from letgo.fix.syntax import parse
from letgo.fix.texts import Unfixable

SKIPPED = frozenset({"node_modules", "site-packages", "__pycache__", "venv"})
MOST = 64 * 2**20
"""Characters of tests that are looked through."""


class Called(NamedTuple):
    """A call of what was imported: the last part of its module's name, its own, and what it is given."""

    module: str
    function: str
    positional: int
    keywords: frozenset[str | None]
    is_starred: bool


@lru_cache(maxsize=4096)
def called_without(root: Path, module: str, function: str, parameter: str, position: int) -> str:
    """The test file, relative to `root`, that calls a function without a parameter; empty when there is none.

    `module` is the last part of the name of the function's module, `position` the parameter's among the positional
    ones, or -1.
    """
    found = (path for path, call in _calls_of(root, module, function) if _lacks(call, parameter, position))
    return next(found, "")


@lru_cache(maxsize=4096)
def called(root: Path, module: str, function: str) -> str:
    """The test file, relative to `root`, that calls a function at all; empty when there is none."""
    return next((path for path, _ in _calls_of(root, module, function)), "")


def _calls_of(root: Path, module: str, function: str) -> Iterator[tuple[str, Called]]:
    used = re.compile(rf"{function}(\s*\(|\s+as\b)")
    for path, text in _texts_about(root, module):
        if function in text and used.search(text):
            yield from ((path, call) for call in _calls(text) if (call.module, call.function) == (module, function))


def _lacks(call: Called, parameter: str, position: int) -> bool:
    if call.is_starred or None in call.keywords or parameter in call.keywords:
        return False
    return position < 0 or call.positional <= position


@lru_cache(maxsize=512)
def _calls(text: str) -> tuple[Called, ...]:
    try:
        tree = parse(text)
    except Unfixable:
        return ()
    functions: dict[str, tuple[str, str]] = {}
    modules: dict[str, str] = {}
    found = []
    for node in below(tree):
        match node:
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    functions[alias.asname or alias.name] = (_last(module or ""), alias.name)
                    modules[alias.asname or alias.name] = alias.name
            case ast.Import(names=names):
                modules |= {alias.asname or alias.name: _last(alias.name) for alias in names}
            case ast.Call():
                found.append(node)
    return tuple(call for node in found for call in _called(node, functions, modules))


def _called(node: ast.Call, functions: dict[str, tuple[str, str]], modules: dict[str, str]) -> Iterator[Called]:
    match node.func:
        case ast.Name(id=name) if name in functions:
            module, function = functions[name]
        case ast.Attribute(value=value, attr=function) if spelled(value) in modules:
            module = modules[spelled(value)]
        case _:
            return
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    yield Called(module, function, len(node.args), frozenset(keyword.arg for keyword in node.keywords), starred)


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


@lru_cache(maxsize=512)
def _texts_about(root: Path, module: str) -> tuple[tuple[str, str], ...]:
    return tuple((path, text) for path, text in _texts(root) if module in text)


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
