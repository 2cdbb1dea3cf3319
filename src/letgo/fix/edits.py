"""Changes of a text: what stands between two offsets is replaced. Offsets count characters of the text as it was."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple


class Edit(NamedTuple):
    """`text[start:end]` becomes `replacement`. With `start == end` it is an insertion."""

    start: int
    end: int
    replacement: str


def insert(at: int, text: str) -> Edit:
    return Edit(at, at, text)


def delete(start: int, end: int) -> Edit:
    return Edit(start, end, "")


def merged(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """The edits in the order of their places, equal ones once. Insertions at one place keep their order."""
    return tuple(sorted(dict.fromkeys(edits), key=lambda edit: (edit.start, edit.end)))


def overlap(edits: Iterable[Edit]) -> bool:
    """Whether two of the edits would change the same characters, or one would insert into what another replaces."""
    return any(first.end > second.start for first, second in pairwise(merged(edits)))


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made. Raises ValueError for edits that overlap or lie outside of the text."""
    ordered = merged(edits)
    if overlap(ordered) or not _fit(text, ordered):
        raise ValueError("edits overlap, or lie outside of the text")
    pieces: list[str] = []
    position = 0
    for edit in ordered:
        pieces += text[position : edit.start], edit.replacement
        position = edit.end
    return "".join(pieces) + text[position:]


def _fit(text: str, ordered: Sequence[Edit]) -> bool:
    return all(0 <= edit.start <= edit.end <= len(text) for edit in ordered)
