"""The text of a file to be changed, and the way back to its bytes: encoding, byte order mark and line ends stay."""

import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

from letgo.source.text import decode

LINE_END = re.compile(r"\r\n|\r|\n")


class Unfixable(Exception):
    """What can't be changed soundly. The message says why, for people."""


@dataclass(frozen=True, slots=True)
class FileText:
    """`path` is relative to the code base, `location` the file, `content` its bytes as they were read."""

    path: str
    location: Path
    content: bytes
    encoding: str
    text: str

    def encoded(self, text: str) -> bytes:
        """Raises Unfixable when the file's encoding lacks a character."""
        return encode(text, self.encoding)


def load(path: str, location: Path) -> FileText:
    """Raises Unfixable for a file that can't be read, or can't be written again just as it is; NotText as `decode`."""
    try:
        content = location.read_bytes()
    except OSError as error:
        raise Unfixable(f"it can't be opened: {error.strerror}") from error
    decode(content)
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    text = content.decode(encoding)
    if encode(text, encoding) != content:
        raise Unfixable(f"what {encoding} makes of it can't be written back as it was")
    return FileText(path, location, content, encoding, text)


def encode(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise Unfixable(f"its encoding, {encoding}, lacks a character") from error


def line_end(text: str) -> str:
    """The line end that the text uses first."""
    found = LINE_END.search(text)
    return found[0] if found else "\n"


def line_starts(text: str) -> tuple[int, ...]:
    """The offset of each line, as Python counts lines: a form feed ends none."""
    return (0, *(found.end() for found in LINE_END.finditer(text)))
