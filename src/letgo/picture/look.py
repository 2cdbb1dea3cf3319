"""How a report for a terminal looks: how wide, in which colours, with which characters."""

import re
from dataclasses import dataclass

from letgo.holds import Event

UNICODE = {"begin": "┏", "on": "┃", "end": "┗", "cut": "…", "in": "·"}
ASCII = {"begin": ",", "on": "|", "end": "'", "cut": "...", "in": "-"}

UNICODE_MARKS = {
    Event.SOURCE: "○",
    Event.CALL: "↳",
    Event.OPENED: "●",
    Event.WAIT: "◆",
    Event.RELEASED: "○",
    Event.NEVER_RELEASED: "✗",
    Event.NOTE: "·",
}
ASCII_MARKS = {
    Event.SOURCE: "o",
    Event.CALL: ">",
    Event.OPENED: "*",
    Event.WAIT: "!",
    Event.RELEASED: "o",
    Event.NEVER_RELEASED: "x",
    Event.NOTE: "-",
}

COLOURS: dict[Event, str | None] = {
    Event.SOURCE: "cyan",
    Event.CALL: None,
    Event.OPENED: "yellow",
    Event.WAIT: "red",
    Event.RELEASED: "green",
    Event.NEVER_RELEASED: "red",
    Event.NOTE: "cyan",
}


@dataclass(frozen=True, slots=True)
class Look:
    """`width` is in columns. Without `color` no escape codes are written, without `unicode` ASCII alone."""

    width: int = 100
    color: bool = False
    unicode: bool = True

    def paint(self, text: str, *, fg: str | None = None, bold: bool = False, dim: bool = False) -> str:
        """The text in a colour, where there are colours."""
        if not self.color or not text:
            return text
        return styled(text, fg, bold, dim)

    def paint_code(self, text: str) -> str:
        """A sentence whose parts between backticks stand out, where there are colours."""
        if not self.color:
            return text
        return re.sub(r"`([^`]+)`", lambda match: styled(match[1], "cyan"), text)

    def mark(self, event: Event) -> str:
        """The character for what happens."""
        return (UNICODE_MARKS if self.unicode else ASCII_MARKS)[event]

    def line(self, part: str) -> str:
        """A part of the line that is drawn beside the code while a transaction is open."""
        return (UNICODE if self.unicode else ASCII)[part]


FOREGROUND = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36}


def styled(text: str, fg: str | None = None, bold: bool = False, dim: bool = False) -> str:
    """The text between ANSI escape codes."""
    codes = [FOREGROUND[fg]] if fg else []
    codes += [1] * bold + [2] * dim
    return "".join(f"\033[{code}m" for code in codes) + text + "\033[0m"


def printable(text: str) -> str:
    """The text without characters that would do something to a terminal."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"
