"""How the guard is set."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from letgo.runtime.guard.judging import Seen

Mode: TypeAlias = Literal["observe", "raise", "release", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """All times are seconds. Raises `ValueError` naming what is out of its range.

    - `mode`: `observe` logs and counts; `raise` fails the request, for tests; `release` also gives back, when the
      response starts, what a read-only transaction holds, and closes what a request leaves behind; `off` does nothing.
    - `wait`: shorter waits are not looked at. Code in threads and child tasks is looked at every `tick`.
    - `held`: a transaction that has been idle for so long is told about while it still is.
    - `sample`: the share of requests that is watched; `rate`: how many a second at most in mode `observe`, which bounds
      what the guard can cost under load. None watches all.
    - `allowlist`: the file of `letgo check` with what is accepted; `ignore`: codes that are nobody's concern here.
    - `on_finding`: called with every `Seen`; it must be quick, and may be called from any thread.
    - `idle_timeout`: the most that Postgres's `idle_in_transaction_session_timeout` may be in any transaction.
    - `name_route`: appends the route to each statement as a comment, so that `pg_stat_activity` shows it.
    - `root`: the directory that paths are told from; the working directory.
    """

    mode: Mode = "observe"
    wait: float = 0.05
    held: float = 1.0
    tick: float = 0.025
    sample: float = 1.0
    rate: int | None = 20
    allowlist: str | os.PathLike[str] = "letgo-allowlist.json"
    ignore: frozenset[str] = frozenset()
    on_finding: Callable[["Seen"], object] | None = None
    idle_timeout: float | None = None
    name_route: bool = False
    root: str = field(default_factory=os.getcwd)
    most_places: int = 1_000
    most_waits: int = 12

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode={self.mode!r}: it is one of {', '.join(get_args(Mode))}")
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample={self.sample!r}: it is a share between 0 and 1")
        for name in ("wait", "held"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)!r}: it is a number of seconds, 0 or more")
        if self.tick <= 0:
            raise ValueError(f"tick={self.tick!r}: it is a number of seconds above 0")
        if self.idle_timeout is not None and self.idle_timeout < 0.001:
            raise ValueError(f"idle_timeout={self.idle_timeout!r}: it is at least a millisecond, or None")

    @property
    def allowlist_path(self) -> Path:
        return Path(self.root, self.allowlist)
