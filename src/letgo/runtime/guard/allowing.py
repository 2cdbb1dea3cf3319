"""What the guard is told to accept, with a reason: a block of code, or the allowlist that `letgo check` reads."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from letgo.holds import Finding
from letgo.runtime.guard.tracking import current_watch

KEYS = {"path", "function", "codes", "reason"}


@contextmanager
def allow(reason: str) -> Iterator[None]:
    """Accept what the code inside holds, and for their whole life the transactions that begin there.

    ```python
    with allow("the bank answers within the transaction on purpose: see ADR 12"):
        answer = await bank.charge(order.amount)
    ```

    Raises `ValueError` without a reason.
    """
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError("letgo.allow needs a reason: why may the code in this block hold a transaction?")
    watch = current_watch()
    if watch is None:
        yield
        return
    watch.reasons.append(reason)
    try:
        yield
    finally:
        watch.reasons.remove(reason)


class Allowance(NamedTuple):
    """One entry of the allowlist: these codes are accepted in this function of this file."""

    path: str
    function: str
    codes: frozenset[str]
    reason: str


def read_allowlist(path: Path) -> tuple[Allowance, ...]:
    """The entries of an allowlist; none when there is no such file. `letgo check` explains what is wrong in one.

    Raises `ValueError` naming the file when it is not a list of `{"path", "function", "codes", "reason"}`.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: this allowlist cannot be read: {error}") from error
    if not isinstance(content, list) or not all(isinstance(entry, dict) and entry.keys() == KEYS for entry in content):
        raise ValueError(f"{path}: an allowlist is a list of entries with {', '.join(sorted(KEYS))}")
    return tuple(
        Allowance(entry["path"], entry["function"], frozenset(entry["codes"]), entry["reason"]) for entry in content
    )


def allowed_by(allowlist: tuple[Allowance, ...], finding: Finding) -> str | None:
    """The reason for which the allowlist accepts a finding, None when it does not."""
    for entry in allowlist:
        here = (entry.path, entry.function) == (finding.handler.path, finding.handler.function)
        if here and finding.code in entry.codes:
            return entry.reason
    return None
