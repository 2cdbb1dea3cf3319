"""An outcome as JSON, back again, and the schema of it. All three follow the types of `letgo.prove.outcome`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from letgo.prove.outcome import FORMAT, Outcome
from letgo.source.errors import UserError

Value = TypeVar("Value")

SCHEMA_ID = f"urn:letgo:prove:{FORMAT}"


def write_json(outcome: Outcome) -> str:
    return json.dumps(asdict(outcome), indent=1, allow_nan=False) + "\n"


def read_outcome(path: Path) -> Outcome:
    """An outcome from a file that `write_json` filled. Raises UserError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: can't be read: {error}", "It must be the JSON of an earlier `letgo prove --json`."
        ) from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise UserError(
            f"{path}: is not the JSON of a run that this letgo can read", f"Its format is {found}, not {FORMAT}."
        )
    try:
        return decoded(Outcome, document)
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{path}: is damaged: {error}", "Make it again with `letgo prove --json`.") from error


def decoded(kind: type[Value], value: Any) -> Value:
    """`value`, as JSON has it, as a `kind`. Raises KeyError, TypeError or ValueError where it isn't one."""
    return _decoded(kind, value)  # type: ignore[no-any-return]


def _decoded(kind: Any, value: Any) -> Any:
    if isinstance(kind, UnionType):
        wanted = [each for each in get_args(kind) if each is not NoneType]
        return None if value is None else _decoded(wanted[0], value)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{field.name: _decoded(hints[field.name], value[field.name]) for field in fields(kind)})
    if get_origin(kind) is tuple:
        return tuple(_decoded(get_args(kind)[0], each) for each in value)
    if get_origin(kind) is dict:
        return {str(key): _decoded(get_args(kind)[1], each) for key, each in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return value


PLAIN: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def schema() -> dict[str, Any]:
    """The JSON Schema (https://json-schema.org/draft/2020-12) of `write_json`."""
    definitions: dict[str, Any] = {}
    root = _schema_of(Outcome, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "The outcome of letgo prove",
        **root,
        "$defs": definitions,
    }


def _schema_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if isinstance(kind, UnionType):
        return {"anyOf": [_schema_of(each, definitions) for each in get_args(kind)]}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _schema_of(get_args(kind)[0], definitions)}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _schema_of(get_args(kind)[1], definitions)}
    if issubclass(kind, StrEnum):
        return {"enum": [each.value for each in kind]}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}
        hints = get_type_hints(kind)
        names = [field.name for field in fields(kind)]
        definitions[kind.__name__] = {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split()),
            "properties": {name: _schema_of(hints[name], definitions) for name in names},
            "required": names,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}
