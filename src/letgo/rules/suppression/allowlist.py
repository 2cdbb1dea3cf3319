"""The allowlist: holds that are accepted for good, by function, with a reason."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from letgo.holds import Finding, Site, Suppression
from letgo.rules.suppression.files import read_json, write_json
from letgo.source.errors import UserError

KEYS = {"path", "function", "codes", "reason"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """One entry, and where it stands in the allowlist."""

    path: str
    function: str
    codes: tuple[str, ...]
    reason: str
    site: Site


def load_allowlist(path: Path, known: Collection[str]) -> tuple[Allowance, ...]:
    """The entries of the allowlist; none when there is no such file. `known` are the codes that exist.

    Raises `UserError` naming line and column of broken JSON, and the line of every entry that is not
    `{"path", "function", "codes", "reason"}`, has an unknown code, or gives no reason.
    """
    read = read_json(path)
    if read is None:
        return ()
    text, content = read
    if not isinstance(content, list):
        raise UserError(f"{path}: an allowlist is a list of entries", _HINT)
    placed = list(zip(_lines(text), content, strict=True))
    problems = [f"{path}:{line}: {problem}" for line, entry in placed for problem in _problems(entry, known)]
    if problems:
        raise UserError("\n".join(problems), _HINT)
    return tuple(
        Allowance(
            entry["path"],
            entry["function"],
            tuple(entry["codes"]),
            entry["reason"].strip(),
            Site(str(path), line, "<allowlist>"),
        )
        for line, entry in placed
    )


def write_allowlist(allowlist: tuple[Allowance, ...], path: Path) -> None:
    """Writes the entries in their order. Raises `UserError` when the file can't be written."""
    write_json(
        path,
        [
            {"path": entry.path, "function": entry.function, "codes": list(entry.codes), "reason": entry.reason}
            for entry in allowlist
        ],
    )


def suppression_of(finding: Finding, allowlist: tuple[Allowance, ...]) -> Suppression | None:
    """The entry that allows the finding in its handler."""
    for entry in allowlist:
        same_function = (entry.path, entry.function) == (finding.handler.path, finding.handler.function)
        if same_function and finding.code in entry.codes:
            return Suppression("allowlist", entry.reason, entry.site)
    return None


def pruned(
    allowlist: tuple[Allowance, ...], findings: tuple[Finding, ...], covers: Callable[[str, str], bool]
) -> tuple[Allowance, ...]:
    """The entries without the codes that suppress none of the findings."""
    used = {(finding.suppression.site, finding.code) for finding in findings if finding.suppression}

    def codes(entry: Allowance) -> tuple[str, ...]:
        return tuple(code for code in entry.codes if (entry.site, code) in used or not covers(entry.path, code))

    return tuple(replace(entry, codes=codes(entry)) for entry in allowlist if codes(entry))


_HINT = 'an entry is {"path": "app/api.py", "function": "export", "codes": ["LG301"], "reason": "..."}'


def _lines(text: str) -> Iterator[int]:
    """The line on which each item of the JSON list `text` begins."""
    decoder = json.JSONDecoder()
    start = text.index("[")
    while (item := re.compile(r"[^\s,\[]").search(text, start)) and item[0] != "]":
        yield text.count("\n", 0, item.start()) + 1
        start = decoder.raw_decode(text, item.start())[1]


def _problems(entry: object, known: Collection[str]) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "this is not an entry"
        return
    for key in sorted(KEYS - entry.keys()):
        yield f"`{key}` is missing"
    for key in sorted(entry.keys() - KEYS):
        yield f"`{key}` is not known"
    for key in sorted(KEYS - {"codes"} & entry.keys()):
        if not isinstance(entry[key], str) or not entry[key].strip():
            yield f"`{key}` must say something"
    if "codes" in entry:
        codes = entry["codes"]
        if not isinstance(codes, list) or not codes or not all(isinstance(code, str) for code in codes):
            yield "`codes` must be a list of codes"
        else:
            yield from (f"{code} is a rule that does not exist" for code in codes if code not in known)
