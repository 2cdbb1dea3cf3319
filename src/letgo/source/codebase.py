"""A code base as read: its modules, and the files that could not be read."""

from dataclasses import dataclass, field
from pathlib import Path

from letgo.source.outline import Outline
from letgo.source.program import Module


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be read: `line` is 0 when the reason has no place (no permission, bad encoding)."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class CodeBase:
    """`root` is the directory that all paths are relative to. `modules` are ordered by path.

    `digests` maps each module's path to the digest of its content, the key of everything that is cached,
    and `outlines` to what it means to other modules, if there is a cache.
    """

    root: Path
    modules: tuple[Module, ...]
    unreadable: tuple[Unreadable, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)
    outlines: dict[str, Outline] = field(default_factory=dict)
