"""What a project tells letgo: `[tool.letgo]` in `pyproject.toml`, or a `letgo.toml`, and the command line over it.

```python
settings = find_settings([Path("app")], known_rules=["LG101", "open-while-serialising", ...])
settings = overridden(settings, {"strict": True}, known_rules=[...])
print(explain_settings(settings))
```
"""

import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from letgo.holds import Confidence, WaitKind
from letgo.source.errors import UserError

FILES = (".letgo.toml", "letgo.toml", "pyproject.toml")
COMMAND_LINE = "command line"
WAIT_KINDS = (WaitKind.EXTERNAL, WaitKind.SLEEP, WaitKind.PROCESS, WaitKind.COMPUTE)
"""The kinds of wait that a call can be taught to be; the others are read from the code itself."""

TABLES = ("prove",)
"""Tables beside the settings that other commands read with `find_table`."""

FixStyle: TypeAlias = Literal["explicit", "runtime"]


TESTS = ("tests", "test", "test_*.py", "*_test.py", "conftest.py")
"""What `exclude` leaves out by default: a hold in a test stops no service."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, with its default. In a file the names are written with hyphens (`extend-select`).

    root: the directory of `file`, the current directory if there is none. Paths in a file are relative to it.
    jobs: how many processes read files; None leaves it to letgo.
    fastapi_version: None reads it from the lock file or the installed version.
    sessions: dotted names of classes that are sessions; `openers` and `releasers` of functions that open and let go.
    waits, harmless: dotted names of calls (or of what is above them) that wait, and that do not.
    origins: where each setting came from that isn't a default, by the name of its field.
    """

    select: tuple[str, ...] = ("LG",)
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = TESTS
    extend_exclude: tuple[str, ...] = ()
    min_confidence: Confidence = Confidence.LIKELY
    strict: bool = False
    preview: bool = False
    fastapi_version: str | None = None
    jobs: int | None = None
    cache_dir: Path = Path(".letgo_cache")
    fix_style: FixStyle = "explicit"
    allowlist: Path = Path("letgo-allowlist.json")
    baseline: Path = Path("letgo-baseline.json")
    sessions: tuple[str, ...] = ()
    openers: tuple[str, ...] = ()
    releasers: tuple[str, ...] = ()
    waits: tuple[tuple[str, WaitKind], ...] = ()
    harmless: tuple[str, ...] = ()
    root: Path = field(default_factory=Path.cwd)
    file: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def excluded(self) -> tuple[str, ...]:
        """The globs of all files that are left out."""
        return self.exclude + self.extend_exclude


def find_settings(paths: Sequence[Path], known_rules: Collection[str]) -> Settings:
    """The settings of the nearest directory, from what all `paths` have in common upward, that has any.

    `known_rules` are the codes and names that `select` and its like may speak of. Raises UserError for a file that
    cannot be read or says something that is not a setting.
    """
    start = Path(os.path.commonpath([os.path.realpath(path) for path in paths or [Path()]]))
    for directory in (start, *start.parents):
        found = [source for name in FILES if (source := _source(directory / name))]
        if len(found) > 1:
            names = " and ".join(source.path.name for source in found)
            raise UserError(f"{directory}: both {names} hold settings of letgo", "Keep them in one of the files.")
        if found:
            return _settings(found[0], known_rules)
    return _rooted(Settings())


def read_settings(path: Path, known_rules: Collection[str]) -> Settings:
    """The settings of one file, named by the user. Raises UserError, also when it has none."""
    source = _source(path.absolute())
    if source is None:
        raise UserError(
            f"{path}: there are no settings of letgo",
            "Name a letgo.toml, or a pyproject.toml with a [tool.letgo] table.",
        )
    return _settings(source, known_rules)


def overridden(settings: Settings, given: Mapping[str, object], known_rules: Collection[str]) -> Settings:
    """`settings` with what was given on the command line, under the names of the fields, shaped as in a file.

    What extends (`extend_select`, `extend_exclude`) is added to what the file says, everything else replaces it. Paths
    are relative to the current directory. Raises UserError.
    """
    place = Place(COMMAND_LINE, "", Path.cwd(), known_rules)
    values = {name: PARSERS[name](value, f"--{_key(name)}", place) for name, value in given.items()}
    for name in values:
        if name.startswith("extend_"):
            values[name] = (*getattr(settings, name), *values[name])
    origins = {**settings.origins, **dict.fromkeys(values, COMMAND_LINE)}
    return replace(settings, **values, origins=origins)


def find_table(name: str, directory: Path) -> "tuple[Mapping[str, object], Place]":
    """The table `name` of the nearest settings from `directory` upward that have any, and where its values come from.

    Empty if there is none. Raises UserError.
    """
    for each in (directory.resolve(), *directory.resolve().parents):
        for source in filter(None, (_source(each / file) for file in FILES)):
            table = source.table.get(name, {})
            place = Place(str(source.path), source.text, each, ())
            if not isinstance(table, dict):
                raise place.error(
                    name, f"is {_kind(table)}, not a table", f"Write [tool.letgo.{name}] on a line of its own."
                )
            return table, place
    return {}, Place(COMMAND_LINE, "", Path.cwd(), ())


def explain_settings(settings: Settings) -> str:
    """Each setting, its value as a file would have it, and where it came from."""
    names = [each.name for each in fields(Settings) if each.name in PARSERS]
    values = {name: getattr(settings, name) for name in names} | {"waits": _by_kind(settings.waits)}
    rows = [(_key(name), _written(values[name]), settings.origins.get(name, "default")) for name in names]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    head = f"Settings from {settings.file}" if settings.file else "No settings file was found: these are the defaults."
    lines = [f"{key:{widths[0]}}  {value:{min(widths[1], 60)}}  {origin}" for key, value, origin in rows]
    return "\n".join([head, "", *lines]) + "\n"


# --- files -----------------------------------------------------------------------------------------------------------


class Source(NamedTuple):
    """The table of settings in a file, and the text it was read from."""

    path: Path
    text: str
    table: Mapping[str, object]


def _source(path: Path) -> Source | None:
    """The settings in this file; None if there is no such file, or it is a pyproject.toml without any."""
    shared = path.name == "pyproject.toml"
    try:
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8")
        if shared and "letgo" not in text:
            return None  # not ours to judge, even if it is broken
        document: dict[str, object] = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: can't be read: {error}", "It must be a TOML file in UTF-8.") from error
    tool = document.get("tool") if shared else {"letgo": document}
    table = tool.get("letgo") if isinstance(tool, dict) else None
    if table is None:
        return None
    if not isinstance(table, dict):
        raise UserError(
            f"{path}: tool.letgo is {_kind(table)}, not a table", "Write [tool.letgo] on a line of its own."
        )
    return Source(path, text, table)


def _settings(source: Source, known_rules: Collection[str]) -> Settings:
    root = source.path.parent
    place = Place(str(source.path), source.text, root, known_rules)
    values: dict[str, Any] = {}
    names = {_key(name): name for name in PARSERS}
    for key, value in source.table.items():
        if key in TABLES:
            continue
        if key not in names:
            raise place.error(key, "is not a setting", _did_you_mean(key, names) or f"There are: {', '.join(names)}.")
        values[names[key]] = PARSERS[names[key]](value, key, place)
    origins = dict.fromkeys(values, source.path.name)
    return _rooted(Settings(**values, root=root, file=source.path, origins=origins))


def _rooted(settings: Settings) -> Settings:
    """Default paths lie beside the settings, like those that are given."""
    root = settings.root
    return replace(
        settings,
        cache_dir=root / settings.cache_dir,
        allowlist=root / settings.allowlist,
        baseline=root / settings.baseline,
    )


# --- values ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where values come from: a file with its text, or the command line; `base` is what its paths are relative to."""

    name: str
    text: str
    base: Path
    known_rules: Collection[str]

    def error(self, key: str, wrong: str, hint: str) -> UserError:
        line = self._line(key)
        where = f"{self.name}:{line}" if line else self.name
        return UserError(f"{where}: {key} {wrong}", hint)

    def _line(self, key: str) -> int:
        """The line where the setting begins; 0 if it isn't found by its looks."""
        ours = 0 if Path(self.name).name != "pyproject.toml" else self.text.find("[tool.letgo")
        name = re.escape(key)
        found = re.compile(rf"^\s*(?:[\"']?{name}[\"']?\s*[=.]|\[(?:tool\.letgo\.)?{name}\b)", re.M)
        match = found.search(self.text, max(ours, 0))
        return self.text.count("\n", 0, match.end()) + 1 if match else 0


def _flag(value: object, key: str, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.error(key, f"is {_kind(value)}", "It must be true or false.")
    return value


def _text(value: object, key: str, place: Place) -> str:
    if not isinstance(value, str):
        raise place.error(key, f"is {_kind(value)}", "It must be a string, in quotes.")
    return value


def _texts(value: object, key: str, place: Place) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise place.error(key, f"is {_kind(value)}", 'It must be a list of strings: ["...", "..."].')
    return tuple(value)


def _selectors(value: object, key: str, place: Place) -> tuple[str, ...]:
    selectors = _texts(value, key, place)
    for selector in selectors:
        if not any(_selects(selector, rule) for rule in place.known_rules):
            hint = f"{_did_you_mean(selector, place.known_rules)} `letgo rules` lists codes and names."
            raise place.error(key, f"names {selector!r}, which is no rule", hint.strip())
    return selectors


def _selects(selector: str, rule: str) -> bool:
    """A code may be cut short (`LG1`), a name may not."""
    return selector == rule or (selector.startswith("LG") and rule.startswith(selector))


def _per_file(value: object, key: str, place: Place) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise place.error(key, f"is {_kind(value)}", 'It must be a table: { "tests/*" = ["LG1"] }.')
    return tuple((glob, _selectors(codes, key, place)) for glob, codes in value.items())


def _one_of(choices: Sequence[str]) -> Callable[[object, str, Place], str]:
    def parse(value: object, key: str, place: Place) -> str:
        text = _text(value, key, place)
        if text not in choices:
            hint = f"It must be one of: {', '.join(choices)}. {_did_you_mean(text, choices)}"
            raise place.error(key, f"is {text!r}", hint.strip())
        return text

    return parse


def _confidence(value: object, key: str, place: Place) -> Confidence:
    return Confidence(_one_of([each.value for each in Confidence])(value, key, place))


def _version(value: object, key: str, place: Place) -> str:
    text = _text(value, key, place)
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", text):
        raise place.error(key, f"is {text!r}", 'It must be a released version: "0.115" or "0.115.6".')
    return text


def _count(value: object, key: str, place: Place) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        shown = value if isinstance(value, int) and not isinstance(value, bool) else _kind(value)
        raise place.error(key, f"is {shown}", "It must be a number of processes: 1 or more.")
    return value


def _path(value: object, key: str, place: Place) -> Path:
    return place.base / Path(_text(str(value) if isinstance(value, Path) else value, key, place)).expanduser()


def _dotted(value: object, key: str, place: Place) -> tuple[str, ...]:
    names = _texts(value, key, place)
    for name in names:
        if not re.fullmatch(r"[\w*|]+(\.[\w*|]+)*", name):
            raise place.error(key, f"names {name!r}", "Write names as they are imported: package.module.Class.method.")
    return names


def _waits(value: object, key: str, place: Place) -> tuple[tuple[str, WaitKind], ...]:
    """A list of names (external calls), or a table of lists by kind."""
    if not isinstance(value, dict):
        return tuple((name, WaitKind.EXTERNAL) for name in _dotted(value, key, place))
    kinds = [kind.value for kind in WAIT_KINDS]
    for kind in value:
        if kind not in kinds:
            hint = f"It must be one of: {', '.join(kinds)}. {_did_you_mean(kind, kinds)}"
            raise place.error(key, f"has {kind!r}, which is no kind of wait", hint.strip())
    return tuple((name, WaitKind(kind)) for kind, names in value.items() for name in _dotted(names, key, place))


PARSERS: Mapping[str, Callable[[object, str, Place], Any]] = {
    "select": _selectors,
    "ignore": _selectors,
    "extend_select": _selectors,
    "per_file_ignores": _per_file,
    "exclude": _texts,
    "extend_exclude": _texts,
    "min_confidence": _confidence,
    "strict": _flag,
    "preview": _flag,
    "fastapi_version": _version,
    "jobs": _count,
    "cache_dir": _path,
    "fix_style": _one_of(["explicit", "runtime"]),
    "allowlist": _path,
    "baseline": _path,
    "sessions": _dotted,
    "openers": _dotted,
    "releasers": _dotted,
    "waits": _waits,
    "harmless": _dotted,
}
"""How each setting is read from what TOML makes of it."""

# --- words -----------------------------------------------------------------------------------------------------------


def _key(name: str) -> str:
    return name.replace("_", "-")


def _did_you_mean(word: str, choices: Collection[str]) -> str:
    from difflib import get_close_matches  # takes long to start with, and most settings are right

    close = get_close_matches(word, choices, n=1)
    return f"Did you mean {close[0]!r}?" if close else ""


def _kind(value: object) -> str:
    """What a TOML value is, in words."""
    names = {bool: "a boolean", str: "a string", int: "a number", float: "a number", dict: "a table", list: "a list"}
    return names.get(type(value), f"a {type(value).__name__}")


def _by_kind(waits: Sequence[tuple[str, WaitKind]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Waits as a file has them: a table of lists by kind."""
    kinds = dict.fromkeys(kind for _, kind in waits)
    return tuple((kind.value, tuple(name for name, own in waits if own is kind)) for kind in kinds)


def _written(value: object) -> str:
    """A value as TOML writes it."""
    match value:
        case None:
            return "(found by letgo)"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case tuple() if value and isinstance(value[0], tuple):
            return "{ " + ", ".join(f'"{name}" = {_written(item)}' for name, item in value) + " }"
        case tuple():
            return "[" + ", ".join(_written(item) for item in value) + "]"
    return f'"{value}"'
