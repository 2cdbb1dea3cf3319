"""Which FastAPI a code base runs on, and when that version ends a dependency with `yield`.

| FastAPI | a dependency with `yield` ends |
|---|---|
| up to 0.105 | after the response and its background tasks |
| 0.106 to 0.117 | after serialisation, before the response starts |
| from 0.118 | after the response and its background tasks |
| from 0.121 | likewise; with `Depends(..., scope="function")` after serialisation, before the response starts |

https://fastapi.tiangolo.com/release-notes/, 0.106.0, 0.118.0 and 0.121.0. No version ends one before serialisation.
"""

import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from letgo.source.errors import UserError


class Version(NamedTuple):
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


class Detected(NamedTuple):
    """`source` says where the version was read: a file, `installed`, `given`, or `newest` when nothing told."""

    version: Version
    source: str


class ExitMoment(StrEnum):
    """When the code after a dependency's `yield` runs."""

    AFTER_RESPONSE = "after-response"
    BEFORE_RESPONSE = "before-response"


NEWEST = Version(0, 165, 0)
"""The newest release whose behaviour is known here; later ones are taken to behave alike."""

EXITS_EARLY = Version(0, 106, 0)
EXITS_LATE_AGAIN = Version(0, 118, 0)
HAS_SCOPES = Version(0, 121, 0)

SKIPPED = frozenset(("node_modules", "venv", "env", "site-packages", "__pycache__"))


def ends(version: Version, scope: str | None) -> ExitMoment:
    """When a dependency declared with `scope` (None when not given) ends, in an HTTP endpoint.

    For a WebSocket, every dependency lives as long as the socket.
    """
    if EXITS_EARLY <= version < EXITS_LATE_AGAIN:
        return ExitMoment.BEFORE_RESPONSE
    if version >= HAS_SCOPES and scope == "function":
        return ExitMoment.BEFORE_RESPONSE
    return ExitMoment.AFTER_RESPONSE


def fastapi_version(root: Path, override: str | None = None) -> Version:
    """The version that code in `root` runs on. See `detect`."""
    return detect(root, override).version


def detect(root: Path, override: str | None = None) -> Detected:
    """The version that code in `root` runs on, and how that is known.

    Files are asked in `root`, in its parents up to the repository's root, and in its direct subdirectories. Exact
    versions (lock files, `==`) go before ranges. Of a range it is the newest version allowed: that is what a fresh
    installation gets. Where no file names FastAPI it is the version installed beside letgo, else the newest known.
    In a repository of several applications, ask for the directory of each.

    Raises `UserError` when `override` is not a version.
    """
    if override is not None:
        version = _version(override)
        if version is None:
            raise UserError(f"{override!r} is not a version of FastAPI", "Give it as in --fastapi-version 0.115.")
        return Detected(version, "given")
    upwards = _upwards(root)
    for directories in (upwards, _subdirectories(root)):
        for read in (_locked, _pinned, _allowed):
            found = _read(directories, read)
            if found is not None:
                return found
    installed = _installed()
    return Detected(installed, "installed") if installed else Detected(NEWEST, "newest")


def _installed() -> Version | None:
    """As the directory says that every installer leaves beside a package, by a name that is its own and the version's
    (https://packaging.python.org/specifications/recording-installed-packages/). `importlib.metadata` would ask the
    same, but takes a tenth of the time in which letgo starts to be imported."""
    found = (record for directory in sys.path for record in Path(directory).glob("fastapi-*.dist-info"))
    return next((_version(record.stem.partition("-")[2]) for record in found), None)


def _read(directories: list[Path], read: Callable[[Path], Iterator[Detected]]) -> Detected | None:
    return next((found for directory in directories for found in read(directory)), None)


def _upwards(root: Path) -> list[Path]:
    """`root` and its parents up to the one that is under version control; `root` alone where none is."""
    directories = [root.absolute(), *root.absolute().parents]
    for count, directory in enumerate(directories, start=1):
        if any((directory / mark).exists() for mark in (".git", ".hg", ".jj")):
            return directories[:count]
    return directories[:1]


def _subdirectories(root: Path) -> list[Path]:
    try:
        entries = sorted(root.iterdir())
    except OSError:
        return []
    return [entry for entry in entries if entry.name[:1] != "." and entry.name not in SKIPPED and entry.is_dir()]


# --- files -----------------------------------------------------------------------------------------------------------
# A file that can't be read or parsed names no version: this is a look for a hint, and others are looked at as well.

_LOCKED_PACKAGE = '\nname = "fastapi"\nversion = "'


def _locked(directory: Path) -> Iterator[Detected]:
    """From uv.lock, poetry.lock and pdm.lock (too large to parse for one line), and from Pipfile.lock."""
    for name in ("uv.lock", "poetry.lock", "pdm.lock"):
        _, _, rest = _text(directory / name).partition(_LOCKED_PACKAGE)
        yield from _detected(_version(rest.partition('"')[0]), directory / name)
    path = directory / "Pipfile.lock"
    try:
        specifier = json.loads(_text(path) or "{}")["default"]["fastapi"]["version"]
    except (ValueError, KeyError, TypeError):
        return
    yield from _detected(newest_allowed(str(specifier)), path)


def _pinned(directory: Path) -> Iterator[Detected]:
    for path, specifier in _required(directory):
        if re.match(r"\s*===?\s*[^*]+$", specifier):
            yield from _detected(newest_allowed(specifier), path)


def _allowed(directory: Path) -> Iterator[Detected]:
    for path, specifier in _required(directory):
        yield from _detected(newest_allowed(specifier), path)


def _required(directory: Path) -> Iterator[tuple[Path, str]]:
    """What requirements files and pyproject.toml say of FastAPI: files, and specifiers such as `>=0.100,<0.116`."""
    for path in sorted([*directory.glob("requirements*.txt"), *directory.glob("requirements/*.txt")]):
        for line in _text(path).splitlines():
            yield from ((path, specifier) for specifier in _specifier(line))
    path = directory / "pyproject.toml"
    try:
        project = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        return
    for requirement in _declared(project):
        yield from ((path, specifier) for specifier in _specifier(requirement))


def _declared(project: dict[str, object]) -> Iterator[str]:
    """Requirements as of PEP 621, PEP 735 and Poetry."""
    yield from _strings(_at(project, "project", "dependencies"))
    for table in (_at(project, "project", "optional-dependencies"), _at(project, "dependency-groups")):
        for group in table.values() if isinstance(table, dict) else ():
            yield from _strings(group)
    poetry = _at(project, "tool", "poetry")
    groups = _at(poetry, "group")
    tables = [poetry, *(groups.values() if isinstance(groups, dict) else ())]
    for table in tables:
        match _at(table, "dependencies", "fastapi"):
            case str(specifier) | {"version": str(specifier)}:
                # Poetry reads a bare version as a caret: https://python-poetry.org/docs/dependency-specification/
                yield f"fastapi {specifier if specifier[:1] in '^~<>=!*' else '==' + specifier}"


def _at(table: object, *keys: str) -> object:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _strings(items: object) -> Iterator[str]:
    if isinstance(items, list):
        yield from (item for item in items if isinstance(item, str))


_REQUIREMENT = re.compile(r"^\s*fastapi(?:\s*\[[^\]]*\])?\s*(?=[=<>!~^*(;\s#\\]|$)([^;#\\]*)", re.IGNORECASE)


def _specifier(requirement: str) -> Iterable[str]:
    match = _REQUIREMENT.match(requirement)
    return [match.group(1).partition(" --hash")[0].strip("() \t")] if match else []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _detected(version: Version | None, path: Path) -> Iterator[Detected]:
    if version is not None:
        yield Detected(version, str(path))


# --- versions --------------------------------------------------------------------------------------------------------

_VERSION = re.compile(r"\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.?(?:a|b|rc|post|dev)\d+)*(?:\+[\w.]+)?\s*")
_CLAUSE = re.compile(r"\s*(===?|~=|<=|>=|!=|<|>|\^|~)?\s*v?(\d{1,6}(?:\.\d{1,6})*)(\.\*)?")


def _version(text: str) -> Version | None:
    match = _VERSION.fullmatch(text)
    return Version(*(int(part or 0) for part in match.groups())) if match else None


def newest_allowed(specifier: str) -> Version:
    """The newest known version that `specifier` allows: `<0.116`, `==0.110.*`, `^0.110.0`, `~=0.115.2`, `0.115.2`.

    Below an exclusive bound it is the release before, the first of its series: `<0.106` is 0.105.0. No known change
    came with a patch release.
    """
    newest = NEWEST
    for clause in specifier.split(","):
        match = _CLAUSE.match(clause)
        if match:
            newest = min(newest, _bound(*match.groups()))
    return newest


def _bound(operator: str | None, text: str, any_patch: str | None) -> Version:
    version = Version(*([int(part) for part in text.split(".")] + [0, 0])[:3])
    length = text.count(".") + 1
    match operator:
        case ">=" | ">" | "!=":
            return NEWEST
        case "<":
            return _before(version)
        case "~=" if length < 3:  # `~=0.115` allows all of 0.x
            return _before(Version(version.major + 1, 0, 0))
        case "^" if version.major > 0:
            return _before(Version(version.major + 1, 0, 0))
        case "~" if length < 2:
            return _before(Version(version.major + 1, 0, 0))
        case "==" | "===" if any_patch and length < 2:
            return _before(Version(version.major + 1, 0, 0))
    return version


def _before(version: Version) -> Version:
    if version.patch:
        return version._replace(patch=version.patch - 1)
    if version.minor:
        return Version(version.major, version.minor - 1, 0)
    return NEWEST
