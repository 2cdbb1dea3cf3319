"""Reads one file: its bytes, its text, its syntax tree, its `Module`."""

import ast
import os
import stat
import sys
import threading
from hashlib import blake2b
from typing import NamedTuple

from letgo.source.codebase import Unreadable
from letgo.source.files import SourceFile
from letgo.source.ignores import find_ignores
from letgo.source.lower import lower
from letgo.source.newer import parse
from letgo.source.program import Module
from letgo.source.text import NotText, decode

DEEP_STACK = 512 * 2**20
"""Bytes of address space, of which a file takes what it needs."""

DEEP_RECURSION = 50_000
"""Levels of a syntax tree. Python 3.11 takes about 5 KB of stack for each; later versions have a limit of their own."""


class Stamp(NamedTuple):
    """What the file system says of a file. While all of it stays, so does the content."""

    size: int
    modified: int
    changed: int
    inode: int


class Content(NamedTuple):
    """A file's bytes and their digest, and its stamp from before it was read."""

    data: bytes
    digest: str
    stamp: Stamp


class Reading(NamedTuple):
    """What came of a file. `digest` and `stamp` are None when it can't even be opened."""

    file: SourceFile
    digest: str | None
    stamp: Stamp | None
    outcome: Module | Unreadable


def stamp_of(location: str) -> Stamp:
    """Raises OSError when there is no such file."""
    status = os.stat(location)
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def load(location: str) -> Content:
    """Raises OSError when the file can't be read, and for what is no file: opening a pipe could wait for ever."""
    if not stat.S_ISREG(os.stat(location).st_mode):
        raise OSError(0, "it is not a regular file")
    stamp = stamp_of(location)
    with open(location, "rb") as file:
        data = file.read()
    return Content(data, blake2b(data, digest_size=16).hexdigest(), stamp)


def read_file(file: SourceFile) -> Reading:
    try:
        content = load(file.location)
    except OSError as error:
        return Reading(file, None, None, Unreadable(file.path, 0, f"can't be opened: {error.strerror}"))
    return Reading(file, content.digest, content.stamp, understand(content.data, file.path))


def understand(data: bytes, path: str) -> Module | Unreadable:
    """The module in a file's bytes, or why there is none."""
    try:
        text = decode(data)
        return lower(parse_deep(text), path, find_ignores(text))
    except NotText as error:
        return Unreadable(path, error.line, error.reason)
    except SyntaxError as error:
        return Unreadable(path, error.lineno or 0, f"is no valid Python: {error.msg}")
    except (RecursionError, MemoryError):
        return Unreadable(path, 0, "is nested too deeply")
    except ValueError as error:
        return Unreadable(path, 0, f"is no valid Python: {error}")


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
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    match outcome:
        case [ast.Module() as tree]:
            return tree
        case [Exception() as error]:
            raise error
    raise RecursionError
