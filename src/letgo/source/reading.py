"""Reads one file: from its bytes to its text, its syntax tree and its module."""

import errno
import stat
import time
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from letgo.source.codebase import Unreadable
from letgo.source.files import SourceFile
from letgo.source.frozen import freeze
from letgo.source.ignores import find_ignores
from letgo.source.lower import lower
from letgo.source.newer import parse
from letgo.source.outline import Outline, outline
from letgo.source.program import Module
from letgo.source.recursion import on_a_larger_stack, recursion_limit
from letgo.source.text import NotText, decode

PARSING = 50_000
"""Python 3.11 makes syntax trees of three times as many levels, in 3 KB of stack each. Later versions have a limit of
their own, which can't be raised."""

LOWERING = 10_000
"""Frames for what comes after: an expression of 3,000 levels can still be followed."""


class Stamp(NamedTuple):
    """What the file system says of a file: while all of it stays, so does the content. Times are in nanoseconds."""

    size: int
    modified: int
    changed: int
    inode: int


class Reading(NamedTuple):
    """What a file holds, as it was read just now. `stamp` as in `Entry`."""

    stamp: Stamp | None
    digest: str
    text: str
    module: Module


class Entry(NamedTuple):
    """What is known of a file: its module, frozen, the digest of the content it was made from, and its outline (None
    where nobody will ask for it).

    `stamp` is None when the file had changed so shortly before that it could change again under the same stamp.
    """

    stamp: Stamp | None
    digest: str
    frozen: bytes | memoryview
    outline: Outline | None = None


SETTLED = 2 * 10**9
"""Nanoseconds: the coarsest step in which a file system counts time (FAT)."""


def stamp_of(location: str) -> Stamp | None:
    """Raises OSError when there is no such file, and for what is none: opening a pipe could wait for ever."""
    status = Path(location).stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    if max(status.st_mtime_ns, status.st_ctime_ns) > time.time_ns() - SETTLED:
        return None
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def digest_of(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def read_file(file: SourceFile) -> Reading | Unreadable:
    try:
        stamp = stamp_of(file.location)
        content = Path(file.location).read_bytes()
    except OSError as error:
        return Unreadable(file.path, 0, f"can't be opened: {error.strerror}")
    try:
        text = decode(content)
        return Reading(stamp, digest_of(content), text, understand(text, file.path))
    except NotText as error:
        return Unreadable(file.path, error.line, error.reason)
    except SyntaxError as error:
        return Unreadable(file.path, error.lineno or 0, f"is no valid Python: {error.msg}")
    except (RecursionError, MemoryError):
        return Unreadable(file.path, 0, "is nested too deeply")
    except ValueError as error:
        return Unreadable(file.path, 0, f"is no valid Python: {error}")


def understand(text: str, path: str) -> Module:
    """The module in `text`; made on a larger stack when the usual one is too small."""
    try:
        return lower(parse(text), path, find_ignores(text))
    except RecursionError:
        return on_a_larger_stack(partial(_understand_deep, text, path))


def _understand_deep(text: str, path: str) -> Module:
    with recursion_limit(PARSING):
        tree = parse(text)
    with recursion_limit(LOWERING):
        return lower(tree, path, find_ignores(text))


def entry_of(reading: Reading, *, lasting: bool) -> Entry:
    """What was read, frozen; with an outline if it is to be kept for another run."""
    try:
        return _entry(reading, lasting)
    except RecursionError:
        return on_a_larger_stack(partial(_deep_entry, reading, lasting))


def _entry(reading: Reading, lasting: bool) -> Entry:
    stamp, digest, text, module = reading
    return Entry(stamp, digest, freeze(module), outline(module, text) if lasting else None)


def _deep_entry(reading: Reading, lasting: bool) -> Entry:
    with recursion_limit(PARSING):
        return _entry(reading, lasting)
