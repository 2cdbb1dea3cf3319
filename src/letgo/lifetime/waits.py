"""Which calls wait, which make clients, which run the functions given to them: the tables of `libraries.py`, asked.

```python
waits = Waits.default()
waits.wait_of("httpx.AsyncClient.post")    # WaitKind.EXTERNAL
waits.wait_of("httpx.AsyncClient")         # None: a constructor only makes a client
waits.makes_client("httpx.AsyncClient")    # True: so its methods are worth asking about
```

A *dotted* name is always the external name of the called thing, through instances: see `libraries.py`. The `with`
statement is asked about by its method: `async with lock:` is `asyncio.Lock.__aenter__`. Built-in functions may come
with or without `builtins.`, a method of a constant by its type: `str.join`.
"""

import builtins
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Self, TypeAlias, TypeVar, cast

from letgo.holds import WaitKind
from letgo.lifetime.libraries import (
    DRAINS,
    HARMLESS,
    MAKES_CALLABLE,
    RESPONSES,
    RUNS_FUNCTION,
    STARTS_TASK,
    WAITS,
    Argument,
    Response,
    Row,
)

Parts: TypeAlias = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Waits:
    """What is known of libraries: the built-in table and the project's own rows, which win over it.

    Every question is answered from memory the second time it is asked.
    """

    rows: Mapping[str, tuple[Row, ...]]
    own: Mapping[str, tuple[Row, ...]]
    answers: dict[tuple[str, str], object] = field(default_factory=dict, repr=False)

    @classmethod
    def default(cls) -> Self:
        """What letgo knows by itself."""
        return cls.with_extensions({}, ())

    @classmethod
    def with_extensions(cls, extra: Mapping[str, WaitKind], harmless: Collection[str]) -> Self:
        """The built-in knowledge and a project's own: patterns of calls that wait, and of calls that do not."""
        own = [Row(pattern, kind) for pattern, kind in extra.items()] + [Row(pattern, None) for pattern in harmless]
        return cls(rows=_by_root(WAITS), own=_by_root(own))

    def wait_of(self, dotted: str) -> WaitKind | None:
        """How the call waits; None for a constructor, a harmless call and an unknown library."""
        return self._once("wait", dotted, self._wait_of)

    def makes_client(self, dotted: str) -> bool:
        """Whether the call yields an object on which methods may wait: `X()`, `X.from_url()`, `boto3.client()`.

        The result of any other call has no name in the table: `client.get(...).json()` is not asked about.
        """
        return self._once("client", dotted, self._makes_client)

    def runs_function(self, dotted: str) -> int | None:
        """The index of the argument that is a function (or coroutine) which the call runs to its end, in place.

        Such a call is no wait in itself: it waits if the function does.
        """
        return self._once("runs", dotted, lambda parts: _index(parts, RUNS_FUNCTION))

    def starts_task(self, dotted: str) -> int | None:
        """The index of the argument that is a function (or coroutine) which runs later or beside the caller."""
        return self._once("starts", dotted, lambda parts: _index(parts, STARTS_TASK))

    def makes_callable(self, dotted: str) -> int | None:
        """The index of the argument that is a function which runs when the call's result is called."""
        return self._once("makes", dotted, lambda parts: _index(parts, MAKES_CALLABLE))

    def keyword_of(self, dotted: str) -> str | None:
        """The keyword by which the function of the three methods above may be given instead: `target`."""
        return self._once("keyword", dotted, _keyword)

    def drains(self, dotted: str) -> bool:
        """Whether the call runs the coroutines and generators among its arguments before it returns.

        `asyncio.wait_for` and `asyncio.wait` are waits by `wait_of` as well: that answer is meant for an awaitable
        which cannot be followed (a task, a future); one that can be is judged by what it does.
        """
        return self._once("drains", dotted, lambda parts: any(_ends(pattern, parts) for pattern in DRAINS))

    def response_of(self, dotted: str) -> Response | None:
        """What kind of response (or rendered template) the call makes."""
        return self._once("response", dotted, _response)

    def named_like_client(self, name: str, method: str) -> bool:
        """Whether a receiver of unknown type waits in this method, judged by names alone: a last resort."""
        return _named_like_client(name, method)

    def _wait_of(self, parts: Parts) -> WaitKind | None:
        found = _decisive(_covering(self.own, parts)) or _decisive(_covering(self.rows, parts))
        if found is None:
            return None
        row, rest = found
        makes = _makes(row, parts[-1])
        if _cut_short(row, rest):
            return None
        if makes is not None:
            return row.kind if makes.endswith("!") else None
        if not rest:
            return None if _is_class(parts[-1]) else row.kind
        return None if _constructs(parts) or parts[-1].startswith("_") else row.kind

    def _makes_client(self, parts: Parts) -> bool:
        covering = [*_covering(self.own, parts), *_covering(self.rows, parts)]
        if any(_makes(row, parts[-1]) and not _cut_short(row, rest) for row, rest in covering):
            return True
        decisive = _decisive(covering)
        known = decisive is not None or parts[0] in self.rows or parts[0] in self.own
        harmless = decisive is not None and _cut_short(*decisive)
        return known and _constructs(parts) and not harmless and not _is_error(parts[-1])

    def _once(self, question: str, dotted: str, answer: Callable[[Parts], T]) -> T:
        key = (question, dotted)
        if key not in self.answers:
            self.answers[key] = answer(tuple(_canonical(dotted).split(".")))
        return cast(T, self.answers[key])


# --- patterns --------------------------------------------------------------------------------------------------------


def _by_root(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    """The rows by their first component; those that begin with a `*` are under that."""
    roots: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        for root in row.pattern.split(".", 1)[0].split("|"):
            key = "*" if "*" in root else root
            roots[key] = (*roots.get(key, ()), row)
    return roots


def _covering(rows: Mapping[str, tuple[Row, ...]], parts: Parts) -> list[tuple[Row, Parts]]:
    """The rows whose pattern is a prefix of the name, each with the rest of the name below it."""
    candidates = (*rows.get(parts[0], ()), *rows.get("*", ()))
    ends = ((row, _matched(_components(row.pattern), parts)) for row in candidates)
    return [(row, parts[end:]) for row, end in ends if end is not None]


def _decisive(covering: list[tuple[Row, Parts]]) -> tuple[Row, Parts] | None:
    """The row with the longest pattern, of equals the one that comes last."""
    best = None
    for found in covering:
        if best is None or _length(found[0].pattern) >= _length(best[0].pattern):
            best = found
    return best


@cache
def _components(pattern: str) -> tuple[Parts, ...]:
    return tuple(tuple(component.split("|")) for component in pattern.split("."))


def _length(pattern: str) -> int:
    return sum(component != ("**",) for component in _components(pattern))


def _matched(pattern: tuple[Parts, ...], parts: Parts) -> int | None:
    """How many of `parts` the pattern covers, as few as it can; None if it doesn't match their beginning."""
    if not pattern:
        return 0
    if pattern[0] == ("**",):
        tails = ((skip, _matched(pattern[1:], parts[skip:])) for skip in range(len(parts) + 1))
        return next((skip + end for skip, end in tails if end is not None), None)
    if not parts or not _one_of(pattern[0], parts[0]):
        return None
    end = _matched(pattern[1:], parts[1:])
    return None if end is None else end + 1


def _ends(pattern: str, parts: Parts) -> bool:
    """Whether the pattern covers the whole name, with nothing below it."""
    return _exact(_components(pattern), parts)


def _exact(pattern: tuple[Parts, ...], parts: Parts) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == ("**",):
        return any(_exact(pattern[1:], parts[skip:]) for skip in range(len(parts) + 1))
    return bool(parts) and _one_of(pattern[0], parts[0]) and _exact(pattern[1:], parts[1:])


def _one_of(names: Iterable[str], part: str) -> bool:
    return any(name == part or ("*" in name and fnmatchcase(part, name)) for name in names)


# --- names -----------------------------------------------------------------------------------------------------------


def _canonical(dotted: str) -> str:
    root = dotted.partition(".")[0]
    return f"builtins.{dotted}" if hasattr(builtins, root) else dotted


@cache
def _words(names: str) -> Parts:
    return tuple(names.split())


def _makes(row: Row, name: str) -> str | None:
    """The entry of `row.makes` that names this call."""
    return next((entry for entry in _words(row.makes) if _one_of((entry.removesuffix("!"),), name)), None)


def _cut_short(row: Row, rest: Parts) -> bool:
    """Whether the way down from the row's pattern passes through something harmless."""
    harmless = (*_words(row.harmless), *_words(HARMLESS))
    return any(_is_error(part) or (_one_of(harmless, part) and _makes(row, part) is None) for part in rest)


def _is_class(name: str) -> bool:
    return name.lstrip("_")[:1].isupper()


def _is_error(name: str) -> bool:
    return _is_class(name) and name.endswith(("Error", "Exception", "Warning"))


def _constructs(parts: Parts) -> bool:
    """`X(...)`, or an alternative constructor: `X.from_url(...)`."""
    return _is_class(parts[-1]) or (parts[-1].startswith("from_") and len(parts) > 1 and _is_class(parts[-2]))


# --- what calls do with their arguments ------------------------------------------------------------------------------


def _index(parts: Parts, table: tuple[Argument, ...]) -> int | None:
    return next((argument.index for argument in table if _ends(argument.pattern, parts)), None)


def _keyword(parts: Parts) -> str | None:
    every = (*RUNS_FUNCTION, *STARTS_TASK, *MAKES_CALLABLE)
    return next((argument.keyword for argument in every if _ends(argument.pattern, parts)), None)


def _response(parts: Parts) -> Response | None:
    return next((kind for pattern, kind in RESPONSES if _ends(pattern, parts)), None)


# --- receivers of unknown type ---------------------------------------------------------------------------------------

# names of receivers, and their methods that wait: a bare `client.get` may as well be a cache's, so it isn't one
_LIKE_CLIENTS = (
    (
        "http http_client httpx_client aiohttp_session http_session requests_session rest_client api_client",
        "get head options delete post put patch request send fetch stream",
    ),
    (
        "client *_client",
        "post put patch request fetch send_request invoke ainvoke complete acomplete embed* aembed* stream",
    ),
    (
        "llm *_llm llm_client chat_model language_model openai anthropic",
        "invoke ainvoke stream astream generate agenerate complete acomplete chat achat predict apredict",
    ),
    (
        "embedder *_embedder embeddings embedding_model",
        "embed* aembed* encode",
    ),
    (
        "s3 s3_client bucket *_bucket blob minio object_store",
        "upload* download* put_object get_object delete_object copy_object head_object list_objects* fget* fput*",
    ),
    (
        "smtp mailer *_mailer email_client",
        "send sendmail send_message send_email send_mail",
    ),
)
_UNLIKE_CLIENTS = ("*test*", "*mock*", "*fake*", "*dummy*", "*redis*", "*cache*", "*db*", "*database*")


@cache
def _named_like_client(name: str, method: str) -> bool:
    plain = name.lstrip("_").lower()
    if _one_of(_UNLIKE_CLIENTS, plain):
        return False
    return any(_one_of(_words(names), plain) and _one_of(_words(methods), method) for names, methods in _LIKE_CLIENTS)
