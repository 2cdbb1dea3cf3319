"""Which file an import finds, without running anything.

A file can be imported under every suffix of its path that begins at a place Python would search: a directory outside
any package. `backend/onyx/db/engine.py` is `onyx.db.engine` wherever `backend/` is the working directory, in
`PYTHONPATH`, or installed; which of these holds is not written in the code, so the nearest match to the importing file
is taken.
"""

import sys
from collections.abc import Iterator
from typing import TypeAlias

from letgo.source.codebase import CodeBase
from letgo.source.program import Import, Module

LIBRARIES = frozenset({"fastapi", "fastapi_users", "flask_sqlalchemy", "sqlalchemy", "sqlmodel", "starlette"})
"""What these do is known. Where a copy of one is among the files, its name means the library all the same."""

Parts: TypeAlias = tuple[str, ...]
"""A file's place: all directories down to it, and its name without `.py` (none for `__init__.py`)."""


class ModuleIndex:
    def __init__(self, codebase: CodeBase) -> None:
        root = codebase.root.absolute()
        self._by_place: dict[Parts, Module] = {}
        self._by_last: dict[str, list[tuple[Parts, Module]]] = {}
        self._place: dict[int, Parts] = {}
        self._packages: set[Parts] = set()
        self._found: dict[tuple[str, Parts], Module | None] = {}
        self._members: dict[str, set[str]] | None = None
        self._directories: set[Parts] = set()
        self._modules = codebase.modules
        for directory in (root, *root.parents):
            if not (directory / "__init__.py").is_file():
                break
            self._packages.add(directory.parts)
        for module in codebase.modules:
            self._add(module, root.parts)

    def _add(self, module: Module, root: Parts) -> None:
        *directories, file = module.path.split("/")
        directory = (*root, *directories)
        self._directories.add(directory)
        if file == "__init__.py":
            place = directory
            self._packages.add(place)
            self._by_place[place] = module
        else:
            place = (*directory, file.rpartition(".")[0])
            self._by_place.setdefault(place, module)
        self._place[id(module)] = place
        if place:
            self._by_last.setdefault(place[-1], []).append((place, module))

    def _directory(self, module: Module) -> Parts:
        place = self._place[id(module)]
        return place if _is_package(module) else place[:-1]

    def at(self, place: Parts) -> Module | None:
        return self._by_place.get(place)

    def relative(self, module: Module, level: int, dotted: str) -> Parts:
        """The place that `from ..dotted import` means in `module`; empty when it is above the file system."""
        directory = self._directory(module)
        if level > len(directory):
            return ()
        return (*directory[: len(directory) - level + 1], *(dotted.split(".") if dotted else ()))

    def submodule(self, package: Module, name: str) -> Module | None:
        if not _is_package(package):
            return None
        return self._by_place.get((*self._place[id(package)], name))

    def find(self, dotted: str, importer: Module | None) -> Module | None:
        """The file that `import dotted` in `importer` finds; None for the standard library, known libraries, and those
        that are not among the files."""
        candidates = self._by_last.get(dotted.rpartition(".")[2])
        top = dotted.partition(".")[0]
        if not candidates or top in LIBRARIES or top in sys.stdlib_module_names:
            return None
        directory = self._directory(importer) if importer is not None else ()
        key = (dotted, directory)
        if key not in self._found:
            suffix = tuple(dotted.split("."))
            matches = [
                (place, module)
                for place, module in candidates
                if place[-len(suffix) :] == suffix and self._importable(module, place, len(suffix), directory)
            ]
            matches.sort(key=lambda match: (-_shared(match[0], directory), len(match[0]), match[0]))
            self._found[key] = matches[0][1] if matches else None
        return self._found[key]

    def _importable(self, module: Module, place: Parts, depth: int, importer: Parts) -> bool:
        """Whether Python, run for a file in the directory `importer`, can find the last `depth` parts of `place`."""
        start = place[:-depth]
        is_lone_file = depth == 1 and not _is_package(module)
        if start not in self._packages and not is_lone_file:
            return True
        # A lone file, or something inside a package, is found where the directory itself is run from. That is not so
        # where the directory is known as a package, or where the file wraps the library it is named after.
        if importer and start != importer[: len(start)]:
            return False
        if is_lone_file and any(entry.module.partition(".")[0] == place[-1] for entry in _absolute(module)):
            return False
        while start:
            if self._is_imported(start):
                return False
            start = start[:-1] if start[:-1] in self._packages else ()
        return True

    def _is_imported(self, directory: Parts) -> bool:
        """Whether something in `directory` is imported by the directory's own name anywhere in the code base."""
        if self._members is None:
            self._members = {}
            packages = {place[-1] for place in self._packages if place}
            for module in self._modules:
                for entry in _absolute(module):
                    top, _, rest = entry.module.partition(".")
                    member = rest.partition(".")[0] if rest else (entry.symbol if top in packages else None)
                    if member:
                        self._members.setdefault(top, set()).add(member)
        inside = ((*directory, member) for member in self._members.get(directory[-1], ()))
        return any(place in self._by_place or place in self._directories for place in inside)


def _is_package(module: Module) -> bool:
    return module.path.endswith("__init__.py")


def _absolute(module: Module) -> Iterator[Import]:
    return (entry for entry in module.body.imports if not entry.level)


def _shared(one: Parts, other: Parts) -> int:
    """How many leading directories two places share."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
