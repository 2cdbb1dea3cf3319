"""A tool's schema comes from whoever registers it, and can't keep the gateway busy for long."""

from typing import Any

import pytest

from letgo_gateway.upstreams.arguments import LONGEST_SCHEMA, check
from letgo_gateway.upstreams.errors import UpstreamError
from letgo_gateway.upstreams.messages import Failure

EXPLODING = ("^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*a){25}$")
LONG = "a" * 5000 + "!"


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def fits(schema: Any, arguments: dict[str, Any]) -> bool:
    try:
        check(schema, arguments)
    except Failure:
        return False
    return True


@pytest.mark.parametrize("pattern", EXPLODING)
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    """By a backtracking engine, none of these would ever end."""
    assert not fits(of(x={"type": "string", "pattern": pattern}), {"x": LONG})
    named = {"patternProperties": {pattern: {"type": "integer"}}, "additionalProperties": False}
    assert not fits({"type": "object", **named}, {LONG: 1})
    assert fits({"type": "object", **named, "unevaluatedProperties": False}, {"aaaaaaaaaaaaaaaaaaaaaaaaa": 1})


def test_references_that_multiply_are_given_up() -> None:
    doubled = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    schema = {"type": "object", "$defs": doubled | {"a40": {"type": "object"}}, "$ref": "#/$defs/a0"}
    with pytest.raises(Failure, match="too long"):
        check(schema, {})


def test_items_are_compared_once() -> None:
    schema = of(x={"type": "array", "uniqueItems": True})
    assert fits(schema, {"x": [{"n": n} for n in range(50_000)]})
    assert not fits(schema, {"x": [{"n": 1, "m": 2}, {"m": 2, "n": 1}]})


def test_a_schema_that_is_none_or_too_long_is_told_as_the_tools_fault() -> None:
    for wrong in ({"type": "nonsense"}, of(x={"pattern": "("}), of(x={"enum": ["y" * LONGEST_SCHEMA]})):
        with pytest.raises(UpstreamError, match="schema"):
            check(wrong, {"x": "y"})


def test_references_to_elsewhere_are_not_fetched() -> None:
    with pytest.raises(Exception, match=r"nowhere\.example"):
        check({"type": "object", "$ref": "https://nowhere.example/schema.json"}, {})


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (of(x={"type": "string", "pattern": "^[a-z]+$"}), {"x": "abc"}, {"x": "ABC"}),
        (of(x={"type": "string", "pattern": "b"}), {"x": "abc"}, {"x": "ac"}),
        ({"type": "object", "patternProperties": {"^n_": {"type": "integer"}}}, {"n_a": 1, "a": "b"}, {"n_a": "b"}),
        (of(x={"type": "integer"}) | {"additionalProperties": False}, {"x": 1}, {"y": 1}),
        (of(x={"type": "integer"}) | {"additionalProperties": {"type": "string"}}, {"x": 1, "y": "z"}, {"y": 1}),
        (of(x={"type": "integer"}) | {"unevaluatedProperties": False}, {"x": 1}, {"y": 1}),
        (of(x={"type": "array", "uniqueItems": True}), {"x": [1, "1", True]}, {"x": [1, 1]}),
        (of(x={"type": "string"}) | {"required": ["x"]}, {"x": ""}, {}),
    ],
)
def test_what_schemas_say_is_kept(schema: Any, right: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert fits(schema, right)
    assert not fits(schema, wrong)


def test_a_pattern_that_looks_around_is_left_to_the_endpoint() -> None:
    assert fits(of(x={"type": "string", "pattern": "^(?=a)b"}), {"x": "whatever"})
