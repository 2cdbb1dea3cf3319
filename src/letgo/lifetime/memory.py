"""Keeps what was found of each root for the next run, beside what was read of the files.

A root's facts depend on the bodies of the functions that it was followed into, and on what the names of the whole code
base mean, which the modules' outlines tell. So the facts are kept under a key of all outlines, and those of a root are
believed while none of its functions has changed: where they have moved, the facts move with them. Like the cache of
modules, this is data from a place that others may write to: it is read as plain values and the types of facts, and
whatever is wrong with it, it is as if it were not.
"""

import io
import json
import os
import pickle
import sys
import zlib
from bisect import bisect_right
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from letgo import holds
from letgo.lifetime import facts
from letgo.lifetime.facts import Fact
from letgo.lifetime.findings import Findings, Outcome, Outcomes
from letgo.lifetime.memo import body_of
from letgo.source import cache
from letgo.source.codebase import CodeBase
from letgo.source.outline import details_of

MANY = 16
"""How many sources are kept apart: each run in which something has changed adds one or two."""


class Memory(NamedTuple):
    """Where facts are kept, and under which key."""

    directory: Path
    key: str

    @property
    def file(self) -> Path:
        return self.directory / f"facts.{sys.implementation.cache_tag}"


def memory_in(directory: Path, codebase: CodeBase, *said: object) -> Memory:
    """The memory of this code base as its outlines are now, where all else that facts depend on is as `said`."""
    outlines = sorted((path, outline.digest) for path, outline in codebase.outlines.items())
    key = blake2b(repr((code(), said, outlines)).encode(), digest_size=16)
    return Memory(directory, key.hexdigest())


def code() -> str:
    """A digest of letgo's own code, as far as facts depend on it."""
    here = Path(__file__).parent
    digest = blake2b(cache.key().encode(), digest_size=16)
    for path in (*sorted(here.glob("*.py")), here.parent / "holds.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Recalled(NamedTuple):
    """What was found before and still holds. `facts` are all there are to find, None when something has changed; if
    not, `sources` are what each of the roots gave."""

    facts: tuple[Fact, ...] | None
    sources: list[Outcomes]


NOTHING = Recalled(None, [])


def recall(memory: Memory, codebase: CodeBase) -> Recalled:
    """What was found before and still holds, with lines as they are now."""
    try:
        with memory.file.open("rb") as file:
            header = json.loads(file.readline())
            content = file.read()
        if header["key"] != memory.key or header["checksum"] != zlib.crc32(content):
            return NOTHING
        changes = _changes(header["outlines"], codebase)
        changed = {code for path, change in changes.items() if change.bodies for code in (path, *change.bodies)}
        found, sources = content[: header["size"]], content[header["size"] :]
        if not changed:
            return Recalled(Thaw(io.BytesIO(found), changes).load(), [])
        return Recalled(
            None, [_still_true(Outcomes(*source), changed) for source in Thaw(io.BytesIO(sources), changes).load()]
        )
    except Exception:  # what damaged or hostile bytes lead to is not limited to a few types
        return NOTHING


class Change(NamedTuple):
    """How a module differs from what it was: the bodies that are others now, and by how much lines moved from each of
    the `starts` on."""

    bodies: frozenset[str]
    starts: tuple[int, ...]
    moves: tuple[int, ...]

    def moved(self, line: int) -> int:
        place = bisect_right(self.starts, line) - 1
        return line + self.moves[place] if place >= 0 else line


def _changes(before: Mapping[str, str], codebase: CodeBase) -> dict[str, Change]:
    """The modules that have changed, although their outlines have not: that is what the key says."""
    changes = {}
    for path, outline in codebase.outlines.items():
        details = before[path].encode()
        if details != outline.details:
            old, new = details_of(outline._replace(details=details)), details_of(outline)
            changed = {name for name in {*old.bodies, *new.bodies} if old.bodies.get(name) != new.bodies.get(name)}
            moved = dict(sorted((line, now - line) for line, now in zip(old.lines, new.lines, strict=True)))
            bodies = frozenset(body_of(path, name) for name in changed)
            changes[path] = Change(bodies, tuple(moved), tuple(moved.values()))
    return changes


def _still_true(source: Outcomes, changed: set[str]) -> Outcomes:
    touched = sum(1 << number for number, code in enumerate(source.code) if code in changed)
    roots = {name: Outcome(*found) for name, found in source.roots.items()}
    return source._replace(roots={name: found for name, found in roots.items() if not found.code & touched})


def keep(memory: Memory, codebase: CodeBase, findings: Findings) -> None:
    """Replaces the memory as a whole. Does nothing where it can't."""
    sources = sorted((source.outcomes() for source in findings.sources), key=lambda each: -len(each.roots))[:MANY]
    found = _frozen(tuple(findings.facts()))
    content = found + _frozen([tuple(source) for source in sources if source.roots])
    details = {path: outline.details.decode() for path, outline in codebase.outlines.items()}
    header = {"key": memory.key, "checksum": zlib.crc32(content), "size": len(found), "outlines": details}
    with suppress(OSError):
        cache.make(memory.directory)
        unfinished = memory.directory / f"unfinished.{os.urandom(8).hex()}"
        try:
            unfinished.write_bytes(json.dumps(header).encode() + b"\n" + content)
            unfinished.replace(memory.file)
        finally:
            unfinished.unlink(missing_ok=True)


# --- bytes -----------------------------------------------------------------------------------------------------------


def _shapes(module: Any) -> dict[tuple[str, str], Any]:
    return {
        (module.__name__, name): value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }


SHAPES = _shapes(holds) | _shapes(facts)
"""The types of facts and of their parts, by module and name."""

Reduction = Callable[[Any], tuple[Any, tuple[Any, ...]]]


def _as_call(shape: Any) -> Reduction:
    """How a value is written: as a call of its type."""
    if issubclass(shape, Enum):
        return lambda value: (shape, (value.value,))
    if issubclass(shape, tuple):
        return lambda value: (shape, tuple(value))
    names = [field.name for field in fields(shape)]
    return lambda value: (shape, tuple([getattr(value, name) for name in names]))


REDUCTIONS = {shape: _as_call(shape) for shape in SHAPES.values()} | {Outcome: lambda found: (tuple, (tuple(found),))}


def _frozen(value: object) -> bytes:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.dispatch_table = REDUCTIONS
    pickler.dump(value)
    return buffer.getvalue()


class Thaw(pickle.Unpickler):
    """Reads what `_frozen` wrote, with lines as they are after the changes, and refuses the name of anything else."""

    def __init__(self, file: io.BytesIO, changes: Mapping[str, Change]) -> None:
        super().__init__(file)
        self.changes = changes

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "tuple"):
            return tuple
        shape = SHAPES[module, name]
        if not self.changes:
            return shape
        return {holds.Site: self.site, facts.Ending: self.ending}.get(shape, shape)

    def site(self, path: str, line: int, function: str) -> holds.Site:
        change = self.changes.get(path)
        return holds.Site(path, change.moved(line) if change else line, function)

    def ending(
        self, function: holds.Site, parameter: str, session: holds.Source, line: int, *rest: Any
    ) -> facts.Ending:
        return facts.Ending(function, parameter, session, self.site(function.path, line, "").line, *rest)
