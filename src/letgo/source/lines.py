"""The lines of a source file, as a person sees them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from letgo.holds import Site
from letgo.source.text import NotText, decode


@cache
def lines_of(path: Path) -> tuple[str, ...]:
    """The file's lines without their ends; none when it can't be read, so that a picture does without its code."""
    try:
        return tuple(decode(path.read_bytes()).split("\n"))
    except (OSError, NotText):
        return ()


def line_of(path: Path, line: int) -> str:
    """Line number `line`, counted from 1, or an empty string when there is no such line."""
    lines = lines_of(path)
    return lines[line - 1] if 0 < line <= len(lines) else ""


@cache
def code_below(root: Path) -> Callable[[Site], str]:
    """Finds the line of a site whose path is relative to `root`."""
    location = cache(root.joinpath)
    return lambda site: line_of(location(site.path), site.line)
