"""Server-sent events, read as they come in and written (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import codecs
from typing import NamedTuple

LONGEST_EVENT = 16 * 1024 * 1024


class Event(NamedTuple):
    name: str
    data: str
    id: str | None = None
    retry: int | None = None
    """How long to wait before the stream is asked for again, in milliseconds."""


class EventReader:
    """Events out of chunks of bytes. Raises `ValueError` where they are no UTF-8 or have no end."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._left: list[str] = []
        """The pieces of the line that has not ended yet: put together once, however many they are."""
        self._size = 0
        """Characters since the last event."""
        self._data: list[str] = []
        self._name = ""
        self._id: str | None = None
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        piece = self._decoder.decode(chunk)
        self._size += len(piece)
        if self._size > LONGEST_EVENT:
            raise ValueError("an event has no end")
        if not piece:
            return []
        self._left.append(piece)
        if not ("\n" in piece or "\r" in piece or (len(self._left) > 1 and self._left[-2].endswith("\r"))):
            return []
        text = "".join(self._left)
        # A carriage return at the end may be half of a line end.
        kept = "\r" if text.endswith("\r") else ""
        lines = text[: len(text) - len(kept)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._left = [lines.pop() + kept]
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "data":
                self._data.append(value)
            case "event":
                self._name = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self._retry = int(value)
        return None

    def _dispatch(self) -> Event | None:
        self._size = 0
        data, name = "\n".join(self._data), self._name or "message"
        if not self._data and self._id is None and self._retry is None:
            self._name = ""
            return None
        event = Event(name, data, self._id, self._retry)
        self._data, self._name, self._id, self._retry = [], "", None, None
        return event


def event(data: bytes, id: str | None = None) -> bytes:
    """One message as an event. JSON in one line has no line ends, so it needs no splitting."""
    head = b"" if id is None else f"id: {id}\n".encode()
    return head + b"event: message\ndata: " + data.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n\n"


COMMENT = b": \n\n"
"""Keeps a connection alive, and says nothing."""
