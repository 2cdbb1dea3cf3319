"""Which files a code base has: the Python files at and below the paths a user named.

What `.gitignore` says is not taken into account: directories that hold no code of the project are known by what they
are (`is_foreign`), the rest is for the user to exclude.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from letgo.source.codebase import Unreadable
from letgo.source.errors import UserError

FOREIGN = frozenset({"__pycache__", "__pypackages__", "node_modules", "site-packages", "dist-packages"})
"""Directories that never hold code of the project, wherever they are."""

BUILT = frozenset({"build", "dist"})
"""Directories a build leaves behind, unless they are packages."""


class SourceFile(NamedTuple):
    """`path` is relative to the root, with forward slashes; `location` is where to open it."""

    path: str
    location: str


class Listing(NamedTuple):
    """`files` are ordered by path. `unreadable` are directories that can't be listed and links that lead nowhere."""

    files: tuple[SourceFile, ...]
    unreadable: tuple[Unreadable, ...]


class Place(NamedTuple):
    """A directory or file still to be visited. `real` is its location with all links resolved."""

    location: str
    real: str


def find(paths: Sequence[Path], root: Path, exclude: Sequence[str] = ()) -> Listing:
    """The Python files at and below `paths`, each real file once.

    A file that is named itself is taken whatever it is called; `exclude` (see `exclusion`) and `is_foreign` count for
    what is found below a directory. Links are followed, and what can be reached without one keeps that path.

    Raises UserError for a path that does not exist.
    """
    base = os.path.realpath(root)
    excluded = exclusion(exclude)
    files: dict[str, SourceFile] = {}
    unreadable: list[Unreadable] = []
    seen: set[str] = set()
    waiting = deque(named(path) for path in paths)
    while waiting:
        place = waiting.popleft()
        if place.real in seen:
            continue
        seen.add(place.real)
        shown = relative(place.location, base)
        if not os.path.isdir(place.real):
            files[place.real] = SourceFile(shown, place.real)
            continue
        try:
            entries = list(os.scandir(place.location))
        except OSError as error:
            unreadable.append(Unreadable(shown, 0, f"the directory can't be listed: {error.strerror}"))
            continue
        prefix = "" if shown == "." else f"{shown}/"
        for entry in entries:
            if excluded(prefix + entry.name):
                continue
            if entry.is_symlink():
                # Last, so that whatever also has a path without a link was met there before.
                waiting.extend(behind_link(entry))
            elif entry.is_dir():
                if not is_foreign(entry):
                    waiting.appendleft(Place(entry.path, os.path.join(place.real, entry.name)))
            elif entry.name.endswith(".py"):
                real = os.path.join(place.real, entry.name)
                if real not in seen:
                    seen.add(real)
                    files[real] = SourceFile(prefix + entry.name, real)
    return Listing(tuple(sorted(files.values())), tuple(sorted(unreadable, key=lambda item: item.path)))


def named(path: Path) -> Place:
    if not os.path.exists(path):
        raise UserError(f"{path}: no such file or directory", "Check the path; it is relative to where letgo is run.")
    real = os.path.realpath(path)
    return Place(real, real)


def behind_link(entry: os.DirEntry[str]) -> Iterator[Place]:
    """What a link below a directory leads to, if it is anything to read."""
    real = os.path.realpath(entry.path)
    if os.path.isdir(real):
        if not is_foreign(entry):
            yield Place(entry.path, real)
    elif entry.name.endswith(".py"):
        yield Place(entry.path, real)


def is_foreign(directory: os.DirEntry[str]) -> bool:
    """Whether a directory holds other people's or generated code: hidden, a cache, installed, built, or a venv."""
    name = directory.name
    if name.startswith(".") or name in FOREIGN:
        return True
    if name in BUILT and not os.path.exists(os.path.join(directory.path, "__init__.py")):
        return True
    return os.path.exists(os.path.join(directory.path, "pyvenv.cfg"))


def relative(location: str, base: str) -> str:
    """`location` as it is shown: relative to `base`; as it is when it's on another drive."""
    try:
        return os.path.relpath(location, base).replace(os.sep, "/")
    except ValueError:
        return location.replace(os.sep, "/")


def exclusion(globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path relative to the root is excluded, itself or with a directory above it.

    `*` and `?` stay inside a name, `**` crosses directories. A glob without a slash fits a name at any depth
    (`migrations`, `test_*.py`), one with a slash the path from the root (`app/legacy`, `**/tests/*.py`).
    """
    if not globs:
        return lambda path: False
    pattern = re.compile("|".join(map(translate, globs)))
    return lambda path: pattern.fullmatch(path) is not None


def translate(glob: str) -> str:
    glob = glob.replace(os.sep, "/").removeprefix("./").rstrip("/")
    anywhere = "" if "/" in glob else "(?:.*/)?"
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.lstrip("/"))
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return anywhere + "".join(meanings.get(part, re.escape(part)) for part in parts) + "(?:/.*)?"
