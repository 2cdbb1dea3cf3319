"""Whether arguments fit the schema of a tool, in a time that whoever wrote the schema can't choose.

Anybody may register a tool, and each call is checked in the event loop that all share. So patterns are matched by an
engine that takes linear time, what is compared is compared once, and a check takes so many steps and no more.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend
from pydantic_core import SchemaError as UnknownPattern
from pydantic_core import SchemaValidator
from referencing import Registry

from letgo_gateway.upstreams.errors import UpstreamError
from letgo_gateway.upstreams.messages import INVALID_PARAMS, Failure, dumps

MOST_STEPS = 100_000
"""Keywords of a schema that are applied in one check; `$ref` can make more of them than there are atoms."""
LONGEST_SCHEMA = 64 * 1024

Errors = Iterator[ValidationError]
Schema = Mapping[str, Any]
Keyword = Callable[[Any, Any, Any, Schema], Errors | None]
_steps: ContextVar[list[int]] = ContextVar("letgo_gateway_steps")


class TooMuch(Exception):
    """A check takes more steps than it may."""


def check(schema: object, arguments: Mapping[str, Any]) -> None:
    """Raises `Failure` if the schema does not allow these arguments, and `UpstreamError` if it is none."""
    if not isinstance(schema, Mapping) or not schema:
        return
    validator = _validator(dumps(schema))
    _steps.set([MOST_STEPS])
    try:
        error = best_match(validator.iter_errors(arguments))
    except RecursionError:
        raise Failure(INVALID_PARAMS, "the arguments are nested too deeply") from None
    except TooMuch:
        raise Failure(INVALID_PARAMS, "it takes too long to see whether the arguments fit the tool's schema") from None
    if error is not None:
        where = "/".join(str(step) for step in error.absolute_path)
        raise Failure(INVALID_PARAMS, f"{where or 'arguments'}: {error.message}")


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    if len(schema) > LONGEST_SCHEMA:
        raise UpstreamError(f"the tool's schema is longer than {LONGEST_SCHEMA} bytes")
    value = json.loads(schema)
    try:
        Draft202012Validator.check_schema(value)
    except SchemaError as error:
        raise UpstreamError(f"the tool's schema is no JSON Schema: {error.message}") from error
    # An empty registry: a `$ref` to another address is never fetched.
    return _Bounded(value, registry=Registry())


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text matches. What the engine does not know (looking around, references back) is left to the endpoint,
    which has to look at what it is sent anyway.
    """
    try:
        found = SchemaValidator({"type": "str", "pattern": pattern, "regex_engine": "rust-regex"})
    except UnknownPattern:
        return lambda _: True
    return found.isinstance_python


def _pattern(validator: Any, pattern: str, instance: Any, schema: Schema) -> Errors:
    if isinstance(instance, str) and not _matcher(pattern)(instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Mapping[str, Any]
) -> Errors:
    if isinstance(instance, Mapping):
        for pattern, inner in patterns.items():
            for name, value in instance.items():
                if _matcher(pattern)(name):
                    yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, inner: Any, instance: Any, schema: Schema) -> Errors:
    if not isinstance(instance, Mapping):
        return
    patterns = [_matcher(pattern) for pattern in schema.get("patternProperties", ())]
    for name, value in instance.items():
        if name in schema.get("properties", ()) or any(matches(name) for matches in patterns):
            continue
        if inner is False:
            yield ValidationError(f"{name[:100]!r} is not expected")
        else:
            yield from validator.descend(value, inner, path=name)


def _unevaluated_properties(validator: Any, inner: Any, instance: Any, schema: Schema) -> Errors | None:
    """Left to the endpoint where patterns say what has been evaluated, for they would be matched in any time."""
    if "patternProperties" in dumps(validator.schema):
        return None
    found: Errors = Draft202012Validator.VALIDATORS["unevaluatedProperties"](validator, inner, instance, schema)
    return found


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Schema) -> Errors:
    if unique and isinstance(instance, list):
        different = {json.dumps(one, sort_keys=True) for one in instance}
        if len(different) < len(instance):
            yield ValidationError("an item comes twice")


def _counted(keyword: Keyword) -> Keyword:
    def step(validator: Any, value: Any, instance: Any, schema: Schema) -> Errors | None:
        left = _steps.get()
        left[0] -= 1
        if left[0] < 0:
            raise TooMuch
        return keyword(validator, value, instance, schema)

    return step


LINEAR: Mapping[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "uniqueItems": _unique_items,
}
_Bounded: Any = extend(
    Draft202012Validator,
    {name: _counted(keyword) for name, keyword in {**Draft202012Validator.VALIDATORS, **LINEAR}.items()},
)
