"""JSON-RPC messages that pass through: taken apart, looked at, and sent on in the words of their sender.

What is not changed is not written anew: a `Member` keeps the text of its value, so that numbers, escapes and the order
of keys arrive as they were sent.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]  # the C function behind json.loads
from typing import Any, NamedTuple, NoReturn

Id = str | int

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


class Malformed(ValueError):
    """What came in is no JSON, or no JSON-RPC message; `code` is the error of JSON-RPC that says which."""

    def __init__(self, code: int, problem: str, id: Id | None = None) -> None:
        super().__init__(problem)
        self.code = code
        self.id = id


class Failure(Exception):
    """A request that ends in an error of JSON-RPC."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


class Member(NamedTuple):
    """One value of an object: what it is, and how it was written."""

    value: Any
    raw: str


Members = Mapping[str, Member]


@dataclass(frozen=True, slots=True)
class Message:
    """A request (`id` and `method`), a notification (`method` alone), or a response (`result` or `error`)."""

    id: Id | None = None
    method: str | None = None
    params: Members | None = None
    result: Member | None = None
    error: dict[str, Any] | None = None

    @property
    def is_request(self) -> bool:
        return self.method is not None and self.id is not None

    @property
    def is_response(self) -> bool:
        return self.method is None

    def param(self, name: str) -> Any:
        found = self.params.get(name) if self.params else None
        return found.value if found else None

    @property
    def meta(self) -> dict[str, Any]:
        """`_meta` of the params; empty if there is none."""
        found = self.param("_meta")
        return found if isinstance(found, dict) else {}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(parse_constant=_refuse).scan_once  # type: ignore[attr-defined]
_blank = re.compile(r"[ \t\n\r]*")


def _past_space(text: str, at: int) -> int:
    found = _blank.match(text, at)
    return found.end() if found else at


def parse(body: bytes | str) -> Message:
    """The one message in `body`. Raises `Malformed`."""
    try:
        text = body if isinstance(body, str) else body.decode()
        start = _past_space(text, 0)
        if text[start : start + 1] != "{":
            _scan(text, start)
            raise Malformed(INVALID_REQUEST, "the body must be a single JSON-RPC message; there are no batches")
        found, end = _members(text, start)
        if _past_space(text, end) != len(text):
            raise ValueError("something follows the object")
    except Malformed:
        raise
    except (ValueError, StopIteration, IndexError, RecursionError) as error:
        raise Malformed(PARSE_ERROR, "the body is no JSON") from error
    return _message(found)


def members_of(raw: str) -> dict[str, Member]:
    """The members of an object that is known to be JSON."""
    return _members(raw, raw.index("{"))[0]


def _members(text: str, start: int) -> tuple[dict[str, Member], int]:
    """The members of the object that begins at `start`, those of its `params` one level deeper, and where it ends."""
    found: dict[str, Member] = {}
    at = _past_space(text, start + 1)
    if text[at] == "}":
        return found, at + 1
    while True:
        if text[at] != '"':
            raise ValueError("a key must be a string")
        name, at = scanstring(text, at + 1, True)
        if name in found:
            raise ValueError("a key comes twice")
        at = _past_space(text, at)
        if text[at] != ":":
            raise ValueError("a colon must follow a key")
        begin = _past_space(text, at + 1)
        if name == "params" and text[begin : begin + 1] == "{":
            inner, at = _members(text, begin)
            found[name] = Member(inner, text[begin:at])
        else:
            value, at = _scan(text, begin)
            found[name] = Member(value, text[begin:at])
        at = _past_space(text, at)
        if text[at] == "}":
            return found, at + 1
        if text[at] != ",":
            raise ValueError("a comma must follow a value")
        at = _past_space(text, at + 1)


def _message(found: dict[str, Member]) -> Message:
    values = {name: member.value for name, member in found.items()}
    id = values.get("id")
    known = id if isinstance(id, str | int) and not isinstance(id, bool) else None
    if values.get("jsonrpc") != "2.0":
        raise Malformed(INVALID_REQUEST, 'jsonrpc must be "2.0"', known)
    if "id" in values and known is None and not ("error" in values and id is None):
        raise Malformed(INVALID_REQUEST, "id must be a string or an integer")
    if "method" in values:
        method, params = values["method"], found.get("params")
        if not isinstance(method, str):
            raise Malformed(INVALID_REQUEST, "method must be a string", known)
        if params is not None and not isinstance(params.value, dict):
            raise Malformed(INVALID_PARAMS, "params must be an object", known)
        return Message(known, method, params.value if params else None)
    if isinstance(values.get("error"), dict):
        return Message(known, error=values["error"])
    if isinstance(values.get("result"), dict) and known is not None:
        return Message(known, result=found["result"])
    raise Malformed(INVALID_REQUEST, "neither a request, nor a notification, nor a response", known)


def dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def loads(text: str | bytes) -> Any:
    """What is JSON, strictly. Raises `ValueError`."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def written(members: Members, **changed: object) -> str:
    """The text of an object with these members; those `changed` are written anew, and left out if they are None."""
    kept = [f"{dumps(name)}:{member.raw}" for name, member in members.items() if name not in changed]
    kept += [f"{dumps(name)}:{dumps(value)}" for name, value in changed.items() if value is not None]
    return "{" + ",".join(kept) + "}"


def extended(raw: str, **added: object) -> str:
    """The text of an object with members `added` to it; it must not have them."""
    more = dumps(added)[1:-1]
    body = raw.rstrip()[:-1].rstrip()
    return f"{body}{'' if body.endswith('{') else ','}{more}}}" if more else raw


def request(id: Id, method: str, params: str | None) -> bytes:
    tail = f',"params":{params}' if params is not None else ""
    return f'{{"jsonrpc":"2.0","id":{dumps(id)},"method":{dumps(method)}{tail}}}'.encode()


def notification(method: str, params: str | None) -> bytes:
    tail = f',"params":{params}' if params is not None else ""
    return f'{{"jsonrpc":"2.0","method":{dumps(method)}{tail}}}'.encode()


def response(id: Id, result: str) -> bytes:
    return f'{{"jsonrpc":"2.0","id":{dumps(id)},"result":{result}}}'.encode()


def error_response(id: Id | None, error: Mapping[str, Any]) -> bytes:
    return f'{{"jsonrpc":"2.0","id":{dumps(id)},"error":{dumps(error)}}}'.encode()
