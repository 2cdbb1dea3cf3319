"""Where what was followed of each version of the program is kept, so that the next one begins with what it shares."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from letgo.source.codebase import CodeBase
from letgo.source.outline import Outline, details_of

Outlines = Mapping[str, Outline]


class Memories:
    """Many versions are tried, and each differs in a few functions from one that was tried before."""

    def __init__(self, codebase: CodeBase, directory: Path) -> None:
        """`directory` holds what was found in this version, and is where the others' directories are made."""
        self._versions: list[tuple[Outlines, Path]] = [(codebase.outlines, directory)]

    def of(self, codebase: CodeBase) -> Path:
        """A directory for another version, with what was found in the one that is most like it."""
        _, nearest = min(reversed(self._versions), key=lambda version: _differing(version[0], codebase.outlines))
        directory = self._versions[0][1] / str(len(self._versions))
        directory.mkdir()
        copy_facts(nearest, directory)
        self._versions.append((codebase.outlines, directory))
        return directory


def copy_facts(source: Path, directory: Path) -> None:
    for file in source.glob("facts.*"):
        shutil.copy(file, directory)


def _differing(before: Outlines, now: Outlines) -> tuple[int, int]:
    """How many files mean something else to others, and how many functions are others."""
    changed = [path for path in now if before[path].details != now[path].details]
    meaning = sum(before[path].digest != now[path].digest for path in changed)
    bodies = 0
    for path in changed:
        old, new = details_of(before[path]).bodies, details_of(now[path]).bodies
        bodies += sum(old.get(name) != new.get(name) for name in {*old, *new})
    return meaning, bodies
