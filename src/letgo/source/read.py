"""Reads a code base: what is in the cache from there, the rest anew, in several processes when there is much of it."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from letgo.source import cache as store
from letgo.source.codebase import CodeBase, Unreadable
from letgo.source.files import SourceFile, find
from letgo.source.forked import can_fork, shared
from letgo.source.frozen import thaw
from letgo.source.program import Module
from letgo.source.reading import Entry, Reading, digest_of, entry_of, read_file, stamp_of

Outcome = tuple[SourceFile, Reading | Unreadable]
Frozen = tuple[SourceFile, Entry | Unreadable]

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
    digests: dict[str, str] = {}
    modules: dict[str, Module] = {}
    unreadable = list(listing.unreadable)
    with collection_paused():
        stored = store.load(cache) if cache else {}
        for file in listing.files:
            entry = still_true(file, stored.get(file.path))
            if entry and (module := thaw(entry.frozen)):
                entries[file.path], modules[file.path] = entry, module
        new = [file for file in listing.files if file.path not in entries]
        for done, (file, outcome) in enumerate(read_files(new, jobs or cores(), cache is not None), len(entries) + 1):
            match outcome:
                case Unreadable():
                    unreadable.append(outcome)
                case Entry():
                    entries[file.path] = outcome
                    if module := thaw(outcome.frozen):
                        modules[file.path] = module
                case Reading(_, digest, _, module):
                    digests[file.path], modules[file.path] = digest, module
                    if cache:
                        entries[file.path] = entry_of(outcome, lasting=True)
            if progress:
                progress(done, len(listing.files))
        if cache and any(stored.get(path) is not entry for path, entry in entries.items()):
            others = {path: entry for path, entry in stored.items() if (base / path).exists()}
            store.save(cache, others | entries)
    return CodeBase(
        base,
        tuple(module for _, module in sorted(modules.items())),
        tuple(sorted(unreadable, key=lambda item: (item.path, item.line))),
        dict(sorted((digests | {path: entry.digest for path, entry in entries.items()}).items())),
        {path: entry.outline for path, entry in sorted(entries.items()) if entry.outline},
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


def read_files(files: Sequence[SourceFile], jobs: int, lasting: bool) -> Iterator[Outcome | Frozen]:
    """What comes of each file, in any order. Some are read here, the others by copies of this process."""
    sizes = {file: size_of(file) for file in files}
    left = dict.fromkeys(sorted(files, key=sizes.__getitem__, reverse=True))  # what takes long must not come last
    copies = min(jobs, sum(sizes.values()) // WORTH_A_PROCESS) - 1 if can_fork() else 0
    with shared(tuple(left), partial(read_frozen, lasting), copies) as (waiting, results):
        for file in waiting:
            yield file, read_file(file)
            del left[file]
        for result in results:
            for file, outcome in result:
                yield file, outcome
                del left[file]
    for file in left:  # it got lost with a process
        yield file, read_file(file)


def read_frozen(lasting: bool, files: Iterable[SourceFile]) -> list[Frozen]:
    return [(file, _frozen(read_file(file), lasting)) for file in files]


def _frozen(outcome: Reading | Unreadable, lasting: bool) -> Entry | Unreadable:
    return outcome if isinstance(outcome, Unreadable) else entry_of(outcome, lasting=lasting)


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
