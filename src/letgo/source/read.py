"""Reads a code base: what is in the cache from there, the rest anew, in several processes when there is much of it."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from letgo.source import cache as store
from letgo.source.codebase import CodeBase, Unreadable
from letgo.source.files import SourceFile, find
from letgo.source.forked import can_fork, finish, start, stop
from letgo.source.frozen import thaw
from letgo.source.program import Module
from letgo.source.reading import Entry, digest_of, read_file, stamp_of

Outcome = tuple[SourceFile, Entry | Unreadable]

WORTH_A_PROCESS = 750_000
"""Bytes of source, which take some 200 ms to read."""


def read(
    paths: Sequence[Path],
    *,
    root: Path,
    exclude: Sequence[str] = (),
    jobs: int | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CodeBase:
    """The Python files at and below `paths`, without those that `exclude` fits (see `find`).

    `jobs` is the largest number of processes, by default one for each core. `cache` is the directory to keep what was
    read in for the next time; None keeps nothing. `progress` is called with the number of files done and that of all.
    A file that can't be read is among the `unreadable` of the result.

    Raises UserError for a path that does not exist.
    """
    base = Path(os.path.realpath(root))
    listing = find(paths, base, exclude)
    entries: dict[str, Entry] = {}
    modules: dict[str, Module] = {}
    unreadable = list(listing.unreadable)
    with collection_paused():
        stored = store.load(cache) if cache else {}
        for file in listing.files:
            entry = still_true(file, stored.get(file.path))
            if entry and (module := thaw(entry.frozen)):
                entries[file.path], modules[file.path] = entry, module
        new = [file for file in listing.files if file.path not in entries]
        for done, (file, outcome) in enumerate(read_files(new, jobs or cores()), start=len(entries) + 1):
            if isinstance(outcome, Unreadable):
                unreadable.append(outcome)
            elif module := thaw(outcome.frozen):
                entries[file.path], modules[file.path] = outcome, module
            if progress:
                progress(done, len(listing.files))
        if cache and any(stored.get(path) is not entry for path, entry in entries.items()):
            others = {path: entry for path, entry in stored.items() if (base / path).exists()}
            store.save(cache, others | entries)
    return CodeBase(
        base,
        tuple(module for _, module in sorted(modules.items())),
        tuple(sorted(unreadable, key=lambda item: (item.path, item.line))),
        {path: entry.digest for path, entry in sorted(entries.items())},
        {path: entry.outline for path, entry in sorted(entries.items())},
    )


def still_true(file: SourceFile, entry: Entry | None) -> Entry | None:
    """`entry` if it's about what the file holds now, with the file's stamp of now."""
    if entry is None:
        return None
    try:
        stamp = stamp_of(file.location)
        if stamp and stamp == entry.stamp:
            return entry
        if digest_of(Path(file.location).read_bytes()) != entry.digest:
            return None
    except OSError:
        return None
    return entry if stamp == entry.stamp else entry._replace(stamp=stamp)


def read_files(files: Sequence[SourceFile], jobs: int) -> Iterator[Outcome]:
    """What comes of each file, in any order. A share of them is read here, the others by copies of this process."""
    own, *others = shares(files, jobs if can_fork() else 1)
    children = [(start(partial(read_share, share)), share) for share in others]
    try:
        for file in own:
            yield file, read_file(file)
        while children:
            child, share = children.pop()
            outcomes = finish(child) if child else None
            yield from read_share(share) if outcomes is None else outcomes
    finally:
        for child, _ in children:
            if child:
                stop(child)


def read_share(files: Sequence[SourceFile]) -> list[Outcome]:
    return [(file, read_file(file)) for file in files]


def shares(files: Sequence[SourceFile], most: int) -> list[list[SourceFile]]:
    """`files` in parts of about the same size: as many as are worth a process each, `most` at most and one at least."""
    sizes = sorted(((size_of(file), file) for file in files), reverse=True)
    total = sum(size for size, _ in sizes)
    count = max(1, min(most, total // WORTH_A_PROCESS))
    parts: list[list[SourceFile]] = [[] for _ in range(count)]
    filled = [0] * count
    for size, file in sizes:
        least = filled.index(min(filled))
        parts[least].append(file)
        filled[least] += size
    return parts


def size_of(file: SourceFile) -> int:
    try:
        return Path(file.location).stat().st_size
    except OSError:
        return 0


def cores() -> int:
    """The number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def collection_paused() -> Iterator[None]:
    """Without cyclic garbage collection, which finds nothing in syntax trees and takes two thirds of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
