"""Reads a code base: what is in the cache from there, the rest anew, in parallel when there is much of it."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from letgo.source.codebase import CodeBase, Unreadable
from letgo.source.files import SourceFile, find
from letgo.source.program import Module
from letgo.source.reading import Reading, read_file

Progress = Callable[[int, int], None]
"""Called with the number of files done, and of all."""


def read(
    paths: Sequence[Path],
    *,
    root: Path,
    exclude: Sequence[str] = (),
    jobs: int | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> CodeBase:
    """The code base of the Python files at and below `paths`, of which `exclude` leaves out some (see `find`).

    `jobs` is the number of processes at most, by default one for each core. `cache` is the directory to keep what
    was read in, for the next time; None keeps nothing. A file that can't be read is among the `unreadable`.

    Raises UserError for a path that does not exist.
    """
    listing = find(paths, root, exclude)
    with collection_paused():
        readings = [read_file(file) for file in listing.files]
    modules = tuple(r.outcome for r in readings if isinstance(r.outcome, Module))
    unreadable = tuple(r.outcome for r in readings if isinstance(r.outcome, Unreadable))
    return CodeBase(Path(os.path.realpath(root)), modules, listing.unreadable+unreadable, {r.file.path: r.digest for r in readings if r.digest and isinstance(r.outcome, Module)})


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
