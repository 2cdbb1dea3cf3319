"""Users made from what an app says of itself: its GET routes, with the examples of its OpenAPI document."""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from letgo.prove.connection import Target
from letgo.prove.scenario import Request, get
from letgo.source.errors import UserError

PATH = "/openapi.json"
TRIAL_SECONDS = 5.0

BY_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1, "boolean": "true", "string": "1"}
BY_FORMAT: Mapping[str, str] = {
    "uuid": "00000000-0000-0000-0000-000000000001",
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "email": "user@example.org",
}


@dataclass(frozen=True, slots=True)
class Made:
    """The requests that users make in turn, and what was left out, with the reason."""

    requests: tuple[Request, ...]
    left_out: tuple[str, ...]


def users_from_openapi(target: Target) -> Made:
    """Requests for the GET routes at `target` that answer well when tried once. Raises UserError if there are none."""
    document = _document(target)
    requests, left_out = [], []
    for path, operation in _gets(document):
        try:
            request = request_for(path, operation, document)
        except ValueError as error:
            left_out.append(f"GET {path}: {error}")
            continue
        answer = _try(target, request)
        if answer is None:
            requests.append(request)
        else:
            left_out.append(f"GET {path}: {answer}")
    if not requests:
        said = f" Left out: {'; '.join(left_out)}." if left_out else ""
        raise UserError(
            "the app's OpenAPI has no GET route that answers", f"Write a scenario and name it with --scenario.{said}"
        )
    return Made(tuple(requests), tuple(left_out))


def request_for(path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> Request:
    """A request with an example for each parameter that has to be there. Raises ValueError if one can't be made up."""
    filled = path
    query: dict[str, Any] = {}
    for parameter in operation.get("parameters", ()):
        parameter = _resolved(parameter, document)
        if not parameter.get("required"):
            continue
        value = _example(parameter, document)
        match parameter.get("in"):
            case "path":
                filled = filled.replace("{" + parameter["name"] + "}", quote(str(value), safe=""))
            case "query":
                query[parameter["name"]] = value
            case place:
                raise ValueError(f"needs a value for {parameter.get('name')} in its {place}")
    return get(f"{filled}?{urlencode(query)}" if query else filled, name=path)


def _gets(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, item in document.get("paths", {}).items():
        operation = item.get("get")
        if operation is not None:
            own = operation.get("parameters", [])
            yield path, {**operation, "parameters": [*item.get("parameters", []), *own]}


def _example(parameter: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    schema = _resolved(parameter.get("schema", {}), document)
    for holder in (parameter, schema):
        if "example" in holder:
            return holder["example"]
        examples = holder.get("examples")
        if isinstance(examples, list) and examples:
            return examples[0]
        if isinstance(examples, dict) and examples:
            return next(iter(examples.values())).get("value")
    if schema.get("default") is not None:
        return schema["default"]
    for choices in ("anyOf", "oneOf", "allOf"):
        if schema.get(choices):
            return _example({"schema": schema[choices][0]}, document)
    if schema.get("enum"):
        return schema["enum"][0]
    if "minimum" in schema:
        return schema["minimum"]
    return BY_FORMAT.get(schema.get("format", ""), BY_TYPE.get(schema.get("type", "string"), "1"))


def _resolved(value: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return value
    found: Any = document
    for key in reference.removeprefix("#/").split("/"):
        found = found.get(key, {})
    return found  # type: ignore[no-any-return]


def _document(target: Target) -> Mapping[str, Any]:
    hint = "Write a scenario and name it with --scenario."
    try:
        status, body = _fetch(target, PATH)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{target.authority}{target.prefix}{PATH} can't be read: {error}", hint) from error
    if status != 200:
        raise UserError(f"{target.authority}{target.prefix}{PATH} answers with status {status}", hint)
    try:
        document = json.loads(body)
    except ValueError as error:
        raise UserError(f"{target.authority}{target.prefix}{PATH} is not JSON: {error}", hint) from error
    return document if isinstance(document, dict) else {}


def _try(target: Target, request: Request) -> str | None:
    """Why this request is not to be made again and again; None if it may."""
    try:
        status, _ = _fetch(target, request.path)
    except TimeoutError:
        return f"did not end within {TRIAL_SECONDS:g} s"
    except (OSError, http.client.HTTPException) as error:
        return f"failed: {error or type(error).__name__}"
    return None if status < 400 else f"answered with status {status}"


def _fetch(target: Target, path: str) -> tuple[int, bytes]:
    kind = http.client.HTTPSConnection if target.tls else http.client.HTTPConnection
    connection = kind(target.host, target.port, timeout=TRIAL_SECONDS)
    try:
        connection.request("GET", target.prefix + path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
