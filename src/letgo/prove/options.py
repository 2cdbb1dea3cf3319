"""From what a user asked for, in `[tool.letgo.prove]` and on the command line, to a plan."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from letgo.prove.application import HOST, App
from letgo.prove.connection import target_of
from letgo.prove.models import Schedule
from letgo.prove.plan import HOLD, RAMP_DOWN, RAMP_UP, USERS, Locust, Plan, makers_for
from letgo.prove.thresholds import default_thresholds, parse
from letgo.source.errors import UserError
from letgo.source.settings import COMMAND_LINE, Place, find_table

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def plan_of(given: Mapping[str, object], directory: Path) -> Plan:
    """The plan of `given` (by the names of `PARSERS`) over what the settings of `directory` say. Raises UserError."""
    table, place = find_table("prove", directory)
    asked = parsed(table, place) | parsed(given, Place(COMMAND_LINE, "", Path.cwd(), ()))
    app, url = asked.get("app"), asked.get("url")
    if "app" in given or "url" in given:
        app, url = asked.get("app") if "app" in given else None, asked.get("url") if "url" in given else None
    if bool(app) == bool(url):
        raise UserError(
            "say what to prove: either an app to start or the address of one that runs",
            'Write `letgo prove "package.module:app"` or `letgo prove --url http://127.0.0.1:8000`.',
        )
    if url and not asked.get("dsn"):
        raise UserError("an app that runs already has its database already", "Say which, with --dsn or DATABASE_URL.")
    users = asked.get("users", USERS)
    return Plan(
        schedule=Schedule(
            users,
            asked.get("ramp_up", RAMP_UP),
            asked.get("hold", HOLD),
            asked.get("ramp_down", RAMP_DOWN),
            asked.get("rate"),
        ),
        thresholds=tuple(map(parse, asked.get("threshold") or default_thresholds(users))),
        app=_app(app, asked, directory) if app else None,
        url=url,
        dsn=asked.get("dsn"),
        locust=_locust(asked),
        makers=asked.get("makers") or makers_for(users),
        directory=asked.get("app_dir", directory),
        **{
            name: asked[name]
            for name in ("dsn_env", "dsn_scheme", "setup", "beside", "scenario", "metrics", "timeout", "abort_early")
            if name in asked
        },
    )


def _app(name: str, asked: Mapping[str, Any], directory: Path) -> App:
    if not re.fullmatch(r"[\w.]+:[\w.]+", name):
        raise UserError(f"{name!r} is not the name of an app", "Write it as servers do: package.module:app.")
    return App(
        name,
        asked.get("app_dir", directory).resolve(),
        asked.get("server", "uvicorn"),
        asked.get("workers", 1),
        asked.get("host", HOST),
        asked.get("port"),
        asked.get("name_routes", True),
        asked.get("start_timeout", 30.0),
    )


def _locust(asked: Mapping[str, Any]) -> Locust | None:
    file = asked.get("locustfile")
    if file is None:
        return None
    if asked.get("scenario") or asked.get("rate"):
        raise UserError("a locustfile brings its own users", "Leave out --scenario and --rate.")
    return Locust(file, asked.get("locust_workers", 0), asked.get("locust_attach", 0))


def parsed(given: Mapping[str, object], place: Place) -> dict[str, Any]:
    """The values by name, each as a plan has it. Raises UserError for what is no option or has no such value."""
    values = {}
    names = {name.replace("_", "-"): name for name in PARSERS}
    for written, value in given.items():
        key = written.replace("_", "-")
        if key not in names:
            close = get_close_matches(key, names, n=1)
            raise place.error(
                key,
                "is not a setting of prove",
                f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(names)}.",
            )
        shown = f"--{key}" if place.name == COMMAND_LINE else key
        values[names[key]] = PARSERS[names[key]](value, shown, place)
    return values


Parser = Callable[[object, str, Place], Any]


def _number(least: float) -> Parser:
    def parse_number(value: object, key: str, place: Place) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
            raise place.error(key, f"is {value!r}", f"It must be a number, {least:g} or more.")
        return value

    return parse_number


def _whole(least: int, most: int = 1_000_000) -> Parser:
    def parse_whole(value: object, key: str, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise place.error(key, f"is {value!r}", f"It must be a whole number from {least} to {most:,}.")
        return value

    return parse_whole


def duration(value: object, key: str, place: Place) -> float:
    """Seconds, of a number or of `500ms`, `30s`, `2m`, `1h`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*", value) if isinstance(value, str) else None
    if match is None:
        raise place.error(key, f"is {value!r}", "It must be a time: 500ms, 30s, 2m; a plain number is in seconds.")
    return float(match[1]) * SECONDS[match[2] or "s"]


def _text(value: object, key: str, place: Place) -> str:
    if not isinstance(value, str) or not value:
        raise place.error(key, f"is {value!r}", "It must be a string, in quotes.")
    return value


def _url(value: object, key: str, place: Place) -> str:
    try:
        target_of(_text(value, key, place))
    except ValueError as error:
        raise place.error(key, f"is {value!r}", "It must be the address of an app: http://127.0.0.1:8000.") from error
    return str(value)


def _request_path(value: object, key: str, place: Place) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise place.error(key, f"is {value!r}", "It must be a path of the app: /metrics.")
    return value


def _texts(value: object, key: str, place: Place) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        raise place.error(key, f"is {value!r}", 'It must be a list of strings: ["...", "..."].')
    return tuple(_text(each, key, place) for each in values)


def _one_of(*choices: str) -> Parser:
    def parse_choice(value: object, key: str, place: Place) -> str:
        if value not in choices:
            raise place.error(key, f"is {value!r}", f"It must be one of: {', '.join(choices)}.")
        return str(value)

    return parse_choice


def _flag(value: object, key: str, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.error(key, f"is {value!r}", "It must be true or false.")
    return value


def _path(value: object, key: str, place: Place) -> Path:
    return place.base / Path(value if isinstance(value, Path) else _text(value, key, place)).expanduser()


def _file(value: object, key: str, place: Place) -> Path:
    path = _path(value, key, place)
    if not path.is_file():
        raise place.error(key, f"names {path}, which is no file", "Name a Python file.")
    return path


def _directory(value: object, key: str, place: Place) -> Path:
    path = _path(value, key, place)
    if not path.is_dir():
        raise place.error(
            key, f"names {path}, which is no directory", "Name the directory that the app is imported from."
        )
    return path


PARSERS: Mapping[str, Parser] = {
    "app": _text,
    "url": _url,
    "app_dir": _directory,
    "server": _one_of("uvicorn", "granian"),
    "workers": _whole(1),
    "host": _text,
    "port": _whole(1, 65535),
    "start_timeout": duration,
    "name_routes": _flag,
    "dsn": _text,
    "dsn_env": _text,
    "dsn_scheme": _text,
    "setup": _texts,
    "beside": _texts,
    "users": _whole(1),
    "rate": _number(0.1),
    "ramp_up": duration,
    "hold": duration,
    "ramp_down": duration,
    "timeout": duration,
    "metrics": _request_path,
    "scenario": _file,
    "locustfile": _file,
    "locust_workers": _whole(1),
    "locust_attach": _whole(1),
    "makers": _whole(1),
    "threshold": _texts,
    "abort_early": _flag,
}
"""How each option is read, from a file or from the command line."""
