"""What users do: a Python file with a class for each kind of user.

```python
from letgo.prove import User, Visit, get, post


class Reader(User):
    weight = 9                  # nine of ten users are readers
    think = (0.1, 0.5)          # seconds between an answer and the next request

    def visit(self) -> Visit:
        yield get("/books")
        answer = yield get(f"/books/{self.number % 10 + 1}", name="/books/{id}")
        assert "title" in answer.json(), "a book without a title"


class Buyer(User):
    def arrive(self) -> Visit:  # once, before the first visit
        answer = yield post("/login", json={"user": f"user{self.number}"})
        self.token = answer.json()["token"]

    def visit(self) -> Visit:
        yield post("/orders", json={"book": 1}, headers={"Authorization": f"Bearer {self.token}"}, expect=201)
```

`visit` is one pass over the requests of a user; it begins again when it ends. What a `yield` gives back is the answer.
A failed `assert` is counted as an error of that request; any other exception is a bug and ends the run.
"""

import importlib.util
import inspect
import json as json_module
import random
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from letgo.source.errors import UserError


@dataclass(frozen=True, slots=True)
class Request:
    """`name` stands for the path in reports; `expect` are the good statuses, by default all below 400."""

    method: str
    path: str
    name: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    expect: tuple[int, ...] = ()

    @property
    def route(self) -> str:
        return f"{self.method} {self.name}"


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` have lower-case names; `seconds` is the latency."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json_module.loads(self.body)


Visit: TypeAlias = Generator[Request, Response, None]


class User:
    """One of the users: override `visit`, and `arrive` for what comes once before it.

    weight: how many of this kind there are, beside the other classes' weights.
    think: seconds between an answer and the next request, or the shortest and the longest.
    number: counts all users of a run from 0. random: its own, the same in every run.
    """

    weight: float = 1
    think: float | tuple[float, float] = 0

    def __init__(self, number: int) -> None:
        self.number = number
        self.random = random.Random(number)

    def arrive(self) -> Visit:
        yield from ()

    def visit(self) -> Visit:
        raise NotImplementedError(f"{type(self).__name__} has no visit()")


def request(
    method: str,
    path: str,
    *,
    name: str = "",
    json: Any = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    expect: int | tuple[int, ...] = (),
) -> Request:
    """A request for `yield`. `json` is a body to be encoded, `body` one that is bytes already."""
    fields = tuple((headers or {}).items())
    if json is not None:
        body = json_module.dumps(json).encode()
        fields = (*fields, ("Content-Type", "application/json"))
    good = (expect,) if isinstance(expect, int) else tuple(expect)
    return Request(method.upper(), path, name or path.partition("?")[0], fields, body, good)


def get(
    path: str, *, name: str = "", headers: Mapping[str, str] | None = None, expect: int | tuple[int, ...] = ()
) -> Request:
    return request("GET", path, name=name, headers=headers, expect=expect)


def post(path: str, **details: Any) -> Request:
    """Takes what `request` takes."""
    return request("POST", path, **details)


def put(path: str, **details: Any) -> Request:
    return request("PUT", path, **details)


def patch(path: str, **details: Any) -> Request:
    return request("PATCH", path, **details)


def delete(path: str, **details: Any) -> Request:
    return request("DELETE", path, **details)


def load_users(path: Path) -> tuple[type[User], ...]:
    """The classes of users that a file defines. Raises UserError for a file that can't be read or defines none."""
    spec = importlib.util.spec_from_file_location("letgo_scenario", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UserError(
            f"{path}: there is no such scenario", "Name a Python file that has classes of letgo.prove.User."
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent.absolute()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{where(error, path)}: the scenario can't be loaded: {said(error)}") from error
    users = tuple(
        each
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, User) and each.__module__ == spec.name and each.weight > 0
    )
    if not users:
        raise UserError(
            f"{path}: has no class of users", "Write `class Reader(letgo.prove.User)` with a `visit` in it."
        )
    return users


def users_of_kind(kinds: tuple[type[User], ...], count: int) -> list[type[User]]:
    """A kind for each of `count` users, mixed so that any stretch of them has each kind by its weight."""
    given = dict.fromkeys(kinds, 0)
    mixed = []
    for _ in range(count):
        kind = min(kinds, key=lambda each: (given[each] + 1) / each.weight)
        given[kind] += 1
        mixed.append(kind)
    return mixed


def where(error: BaseException, path: Path) -> str:
    """`file:line` of the innermost frame in `path`, or of the error itself where it has one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{path}:{error.lineno}"
    line = None
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).name == path.name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}:{line}" if line else str(path)


def said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
