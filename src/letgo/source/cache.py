"""Keeps what was read of each file for the next run, in one file of the cache directory.

Its first line is JSON: the key, and for each path the stamp and digest of its content, the size of its frozen module,
size and checksum of that with the outline's details, and the outline's digest; what they are the sizes of follows, one
after the other. So a run in which nothing has changed opens one file, and only asks the file system about the others.
Whatever is wrong with a cache, it is read anew: nothing here raises.
"""

import json
import os
import sys
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path

from letgo.source.outline import Outline
from letgo.source.reading import Entry, Stamp

TAG = """Signature: 8a477f597d28d172789f06886806bc55
# A cache of letgo, which can be deleted. What this file means: https://bford.info/cachedir/
"""


def load(directory: Path) -> dict[str, Entry]:
    """The entries by path; none when there is no cache, or one that is damaged or of another version of letgo."""
    try:
        with open(file_in(directory), "rb") as file:
            header = json.loads(file.readline())
            rest = memoryview(file.read())
        if header["key"] != key():
            return {}
        entries = {}
        position = 0
        for path, stamp, digest, size, all_size, checksum, outline in header["entries"]:
            both = rest[position : position + all_size]
            position += all_size
            if zlib.crc32(both) == checksum:
                known = Outline(outline, bytes(both[size:]))
                entries[path] = Entry(Stamp(*stamp) if stamp else None, digest, both[:size], known)
        return entries
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return {}


def save(directory: Path, entries: Mapping[str, Entry]) -> None:
    """Replaces the cache as a whole: a run beside this one finds the old or the new. Does nothing where it can't."""
    rows, content = [], []
    for path, (stamp, digest, frozen, outline) in entries.items():
        assert outline is not None
        both = b"".join((frozen, outline.details))
        rows.append((path, stamp, digest, len(frozen), len(both), zlib.crc32(both), outline.digest))
        content.append(both)
    header = {"key": key(), "entries": rows}
    with suppress(OSError):
        make(directory)
        unfinished = directory / f"unfinished.{os.urandom(8).hex()}"
        try:
            with unfinished.open("wb") as file:
                file.write(json.dumps(header).encode() + b"\n")
                file.writelines(content)
            unfinished.replace(file_in(directory))
        finally:
            unfinished.unlink(missing_ok=True)


def make(directory: Path) -> None:
    """A directory that neither git nor backups look into."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in {".gitignore": "*\n", "CACHEDIR.TAG": TAG}.items():
        if not (directory / name).exists():
            (directory / name).write_text(content)


def file_in(directory: Path) -> Path:
    return directory / f"modules.{sys.implementation.cache_tag}"


@cache
def key() -> str:
    """A digest of the code that reads: what another version of it has read is not to be trusted."""
    code = blake2b(sys.version.encode(), digest_size=16)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()
