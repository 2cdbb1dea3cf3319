"""Which files a code base has: the Python files at and below the paths a user named.

What `.gitignore` says is not taken into account: directories that hold no code of the project are known by what they
are (`is_foreign`), what is hidden is none, and the rest is for the user to exclude.
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
    """A directory or file to be visited: as it is shown, as it was reached, and with all links resolved."""

    shown: str
    location: str
    real: str
    is_directory: bool
    is_link: bool = False


def find(paths: Sequence[Path], root: Path, exclude: Sequence[str] = ()) -> Listing:
    """The Python files at and below `paths`, each real file once.

    A file that is named itself is taken whatever it is called; `exclude` (see `exclusion`) and `is_foreign` count for
    what is found below a directory. Links are followed, and what can be reached without one keeps that path.

    Raises UserError for a path that does not exist.
    """
    base = os.path.realpath(root)
    excluded = exclusion(exclude)
    files: list[SourceFile] = []
    unreadable: list[Unreadable] = []
    seen: set[str] = set()
    waiting = deque(named(path, base) for path in paths)
    while waiting:
        place = waiting.popleft()
        if place.real in seen:
            continue
        seen.add(place.real)
        if not place.is_directory:
            files.append(SourceFile(place.shown, place.real))
            continue
        try:
            found = [inner for inner in entries(place, base) if not excluded(inner.shown)]
        except OSError as error:
            unreadable.append(Unreadable(place.shown, 0, f"the directory can't be listed: {error.strerror}"))
            continue
        # Links come last: whatever also has a path without one has been met there by then.
        waiting.extendleft(inner for inner in found if not inner.is_link)
        waiting.extend(inner for inner in found if inner.is_link)
    return Listing(tuple(sorted(files)), tuple(sorted(unreadable, key=lambda item: item.path)))


def named(path: Path, base: str) -> Place:
    if not os.path.exists(path):
        raise UserError(f"{path}: no such file or directory", "Check the path; it is relative to where letgo is run.")
    real = os.path.realpath(path)
    return Place(relative(real, base), real, real, os.path.isdir(real))


def entries(directory: Place, base: str) -> Iterator[Place]:
    """What is worth a visit in `directory`. Raises OSError when it can't be listed."""
    prefix = "" if directory.shown == "." else f"{directory.shown}/"
    with os.scandir(directory.location) as found:
        for entry in found:
            is_link = entry.is_symlink()
            is_directory = os.path.isdir(entry.path) if is_link else entry.is_dir()
            if entry.name.startswith(".") or (is_foreign(entry) if is_directory else not entry.name.endswith(".py")):
                continue
            # Above the root, the way down may lead through the root itself.
            shown = relative(entry.path, base) if prefix.startswith("../") else prefix + entry.name
            real = os.path.realpath(entry.path) if is_link else os.path.join(directory.real, entry.name)
            yield Place(shown, entry.path, real, is_directory, is_link)


def is_foreign(directory: os.DirEntry[str]) -> bool:
    """Whether a directory holds other people's or generated code: installed, a cache, built, or an environment."""
    if directory.name in BUILT:
        return not os.path.exists(os.path.join(directory.path, "__init__.py"))
    return directory.name in FOREIGN or os.path.exists(os.path.join(directory.path, "pyvenv.cfg"))


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
