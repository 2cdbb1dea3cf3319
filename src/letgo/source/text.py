"""The text of a Python file, decoded as Python itself would: by byte order mark, coding cookie (PEP 263), or UTF-8."""

import io
import tokenize

LARGEST = 16 * 2**20
"""Bytes. Nobody writes a larger file by hand, and its syntax tree takes some hundred times that much memory."""


class NotText(Exception):
    """The bytes are not those of a Python file: `line` is 0 where there is no telling, `reason` is for people."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def decode(content: bytes) -> str:
    """The text of `content` with `\\n` for every line end.

    Raises NotText for what is in another encoding than it says, holds a null byte, or is larger than `LARGEST`.
    """
    if len(content) > LARGEST:
        size = len(content) / 2**20
        raise NotText(0, f"too large to be written by hand ({size:.0f} MB); exclude it")
    if (null := content.find(b"\0")) >= 0:
        raise NotText(line_of(content, null), "holds a null byte, so it is no Python source")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    except SyntaxError as error:
        raise NotText(1, f"its encoding is not known: {error.msg}") from None
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise NotText(line_of(content, error.start), f"is not valid {encoding}: {error.reason}") from None
    except (LookupError, ValueError) as error:
        raise NotText(1, f"can't be decoded as {encoding}: {error}") from None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def line_of(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1
