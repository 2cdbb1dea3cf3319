"""Reads one file: from its bytes to its text, its syntax tree and its module."""

import ast
import errno
import stat
import sys
import threading
import time
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from letgo.source.codebase import Unreadable
from letgo.source.files import SourceFile
from letgo.source.frozen import freeze
from letgo.source.ignores import find_ignores
from letgo.source.lower import lower
from letgo.source.newer import parse
from letgo.source.outline import outline
from letgo.source.text import NotText, decode

DEEP_STACK = 512 * 2**20
"""Bytes of address space, of which a file takes what it needs."""

DEEP_RECURSION = 50_000
"""Python 3.11 makes syntax trees of three times as many levels, in 3 KB of stack each. Later versions have a limit of
their own, which can't be raised."""


class Stamp(NamedTuple):
    """What the file system says of a file: while all of it stays, so does the content. Times are in nanoseconds."""

    size: int
    modified: int
    changed: int
    inode: int


class Entry(NamedTuple):
    """What is known of a file: its module, frozen, the digest of the content it was made from, and its outline.

    `stamp` is None when the file had changed so shortly before that it could change again under the same stamp.
    """

    stamp: Stamp | None
    digest: str
    frozen: bytes | memoryview
    outline: str = ""


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


def read_file(file: SourceFile) -> Entry | Unreadable:
    try:
        stamp = stamp_of(file.location)
        content = Path(file.location).read_bytes()
    except OSError as error:
        return Unreadable(file.path, 0, f"can't be opened: {error.strerror}")
    try:
        text = decode(content)
        module = lower(parse_deep(text), file.path, find_ignores(text))
        return Entry(stamp, digest_of(content), freeze(module), outline(module))
    except NotText as error:
        return Unreadable(file.path, error.line, error.reason)
    except SyntaxError as error:
        return Unreadable(file.path, error.lineno or 0, f"is no valid Python: {error.msg}")
    except (RecursionError, MemoryError):
        return Unreadable(file.path, 0, "is nested too deeply")
    except ValueError as error:
        return Unreadable(file.path, 0, f"is no valid Python: {error}")


def parse_deep(text: str) -> ast.Module:
    """As `parse`, on a larger stack when the usual one is too small: a sum of 1,000 strings is 1,000 levels deep."""
    try:
        return parse(text)
    except RecursionError:
        pass
    outcome: list[ast.Module | Exception] = []

    def attempt() -> None:
        try:
            outcome.append(parse(text))
        except Exception as error:
            outcome.append(error)

    limit, size = sys.getrecursionlimit(), threading.stack_size(DEEP_STACK)
    try:
        sys.setrecursionlimit(max(limit, DEEP_RECURSION))
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    except RuntimeError as error:
        raise RecursionError("no room for a larger stack") from error
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    match outcome:
        case [ast.Module() as tree]:
            return tree
        case [Exception() as failure]:
            raise failure
    raise RecursionError
