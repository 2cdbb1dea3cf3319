"""What the command line knows of the terminal it runs on: colours, width, characters, and how far the work is."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

import click

from letgo.picture.look import Look

WIDTHS = (60, 120)
"""Columns: a narrower picture cannot be read, a wider one has its two halves too far apart."""


def look_of(stream: TextIO) -> Look:
    """How to write to `stream`.

    Colours only on a terminal, unless NO_COLOR (https://no-color.org) or FORCE_COLOR (https://force-color.org) say
    otherwise; pictures in Unicode only where the stream's encoding has the characters.
    """
    terminal = stream.isatty()
    width = shutil.get_terminal_size((100, 24)).columns if terminal else 100
    return Look(min(max(width, WIDTHS[0]), WIDTHS[1]), _has_colour(terminal), _has_unicode(stream))


def _has_colour(terminal: bool) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def _has_unicode(stream: TextIO) -> bool:
    try:
        "┏┃┗○●◆↳✗…·".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@contextmanager
def progress() -> Iterator[Callable[[int, int], None] | None]:
    """A function to call with the number of files done and of all. None where nobody looks: no terminal, or in CI."""
    stream = sys.stderr
    if not stream.isatty() or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        yield None
        return
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(1, total)
        if percent != shown:
            shown = percent
            doing = f"reading {done:,} of {total:,} files" if done < total else f"following sessions in {total:,} files"
            stream.write(f"\r\x1b[K{doing}")
            stream.flush()

    try:
        yield show
    finally:
        if shown >= 0:
            stream.write("\r\x1b[K")
            stream.flush()


Shown = TypeVar("Shown", contravariant=True)
Thing = TypeVar("Thing")


def asking(explain: Callable[[Thing, Shown, Look], str]) -> Callable[[Thing, Shown], bool]:
    """A question at the terminal for each thing that `explain` puts in words: yes, no, all the rest, or none of it."""
    answer = ""

    def ask(thing: Thing, shown: Shown) -> bool:
        nonlocal answer
        if answer not in ("a", "q"):
            look = look_of(sys.stdout)
            click.echo(explain(thing, shown, look), color=look.color)
            answer = click.prompt("Make it? [y]es, [n]o, [a]ll, [q]uit", type=click.Choice(["y", "n", "a", "q"]))
        return answer in ("y", "a")

    return ask
