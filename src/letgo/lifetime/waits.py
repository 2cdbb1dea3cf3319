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
from typing import NamedTuple, Self, TypeAlias, TypeVar, cast

from letgo.holds import WaitKind
from letgo.lifetime.libraries import (
    AFTER_RESPONSE,
    DRAINS,
    HARMLESS,
    MAKES_CALLABLE,
    QUIET,
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

    rows: tuple[Row, ...]
    own: frozenset[Row]
    answers: dict[tuple[str, str], object] = field(default_factory=dict, repr=False)

    @classmethod
    def default(cls) -> Self:
        """What letgo knows by itself."""
        return cls.with_extensions({}, ())

    @classmethod
    def with_extensions(cls, extra: Mapping[str, WaitKind], harmless: Collection[str]) -> Self:
        """The built-in knowledge and a project's own: patterns of calls that wait, and of calls that do not."""
        own = [Row(pattern, kind) for pattern, kind in extra.items()] + [Row(pattern, None) for pattern in harmless]
        return cls(rows=(*WAITS, *own), own=frozenset(own))

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

    def runs_after_response(self, dotted: str) -> bool:
        """Whether the call starts a task that runs only after the response was sent."""
        return self._once("after", dotted, lambda parts: any(_ends(pattern, parts) for pattern in AFTER_RESPONSE))

    def raises(self, dotted: str) -> bool:
        """Whether the call may raise: all but a few do."""
        return self._once("raises", dotted, lambda parts: not any(_ends(pattern, parts) for pattern in QUIET))

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
        found = _decisive(self._covering(parts))
        if found is None:
            return None
        row, rest = found
        name = parts[-1]
        if _cut_short(row, rest):
            return None
        if _makes(row, name):
            harmless, _ = _makers(row.makes)
            return None if harmless.fit(name) else row.kind
        if not rest:
            return None if _is_class(name) else row.kind
        return None if _constructs(parts) or name.startswith("_") else row.kind

    def _makes_client(self, parts: Parts) -> bool:
        covering = self._covering(parts)
        decisive = _decisive(covering)
        answers = decisive is not None and decisive[0].kind is not None and not decisive[1]
        for row, rest in covering:
            made = _makes(row, parts[-1]) and not _cut_short(row, rest)
            if made and not (answers and row.makes == ANYTHING):  # the call that waits ends a chain of such makings
                return True
        if not _constructs(parts) or _is_error(parts[-1]):
            return False
        if decisive is None:
            return any(_pattern(row.pattern)[0] != ANY_DEPTH for row in self._rows_of(parts[0]))
        return not _cut_short(*decisive)

    def _covering(self, parts: Parts) -> list[tuple[Row, Parts]]:
        """The rows whose pattern is a prefix of the name, each with the rest of the name below it.

        The project's own, if there are any, keep the others out.
        """
        ends = [(row, _matched(_pattern(row.pattern), parts)) for row in self._rows_of(parts[0])]
        covering = [(row, parts[end:]) for row, end in ends if end is not None]
        return [(row, rest) for row, rest in covering if row in self.own] or covering

    def _rows_of(self, root: str) -> tuple[Row, ...]:
        """The rows that may cover a name with this first component."""
        return self._once(
            "rows", root, lambda parts: tuple(row for row in self.rows if _pattern(row.pattern)[0].fit(root))
        )

    def _once(self, question: str, dotted: str, answer: Callable[[Parts], T]) -> T:
        key = (question, dotted)
        if key not in self.answers:
            self.answers[key] = answer(tuple(_canonical(dotted).split(".")))
        return cast(T, self.answers[key])


# --- patterns --------------------------------------------------------------------------------------------------------


class Names(NamedTuple):
    """Names to look a part up in; those with a `*` are kept apart, because looking them up takes longer."""

    plain: frozenset[str]
    starred: tuple[str, ...]

    def fit(self, part: str) -> bool:
        return part in self.plain or any(fnmatchcase(part, name) for name in self.starred)


Pattern: TypeAlias = tuple[Names, ...]
ANY_DEPTH = Names(frozenset(), ("**",))
ANYTHING = "*"
"""What a row says to make, where every call below its pattern gives an object to call more on."""


def _names(names: Iterable[str]) -> Names:
    starred = tuple(name for name in names if "*" in name)
    return Names(frozenset(names).difference(starred), starred)


@cache
def _pattern(text: str) -> Pattern:
    return tuple(_names(component.split("|")) for component in text.split("."))


def _decisive(covering: list[tuple[Row, Parts]]) -> tuple[Row, Parts] | None:
    """The row with the longest pattern, of equals the one that comes last."""
    best = None
    for found in covering:
        if best is None or _length(found[0]) >= _length(best[0]):
            best = found
    return best


def _length(row: Row) -> int:
    return sum(names != ANY_DEPTH for names in _pattern(row.pattern))


def _matched(pattern: Pattern, parts: Parts) -> int | None:
    """How many of `parts` the pattern covers, as few as it can; None if it doesn't match their beginning."""
    if not pattern:
        return 0
    if pattern[0] == ANY_DEPTH:
        tails = ((skip, _matched(pattern[1:], parts[skip:])) for skip in range(len(parts) + 1))
        return next((skip + end for skip, end in tails if end is not None), None)
    if not parts or not pattern[0].fit(parts[0]):
        return None
    end = _matched(pattern[1:], parts[1:])
    return None if end is None else end + 1


def _ends(pattern: str, parts: Parts) -> bool:
    """Whether the pattern covers the whole name, with nothing below it."""
    return _exact(_pattern(pattern), parts)


def _exact(pattern: Pattern, parts: Parts) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == ANY_DEPTH:
        return any(_exact(pattern[1:], parts[skip:]) for skip in range(len(parts) + 1))
    return bool(parts) and pattern[0].fit(parts[0]) and _exact(pattern[1:], parts[1:])


# --- names -----------------------------------------------------------------------------------------------------------


def _canonical(dotted: str) -> str:
    root = dotted.partition(".")[0]
    return f"builtins.{dotted}" if hasattr(builtins, root) else dotted


@cache
def _words(words: str) -> Names:
    return _names(words.split())


@cache
def _makers(makes: str) -> tuple[Names, Names]:
    """The calls of a row that make a client without waiting, and those that wait for it."""
    entries = makes.split()
    waiting = [entry.removesuffix("!") for entry in entries if entry.endswith("!")]
    return _names([entry for entry in entries if not entry.endswith("!")]), _names(waiting)


def _makes(row: Row, name: str) -> bool:
    return any(names.fit(name) for names in _makers(row.makes))


def _cut_short(row: Row, rest: Parts) -> bool:
    """Whether the way down from the row's pattern passes through something harmless."""
    harmless = (_words(row.harmless), _words(HARMLESS))
    return any(
        _is_error(part) or (any(names.fit(part) for names in harmless) and not _makes(row, part)) for part in rest
    )


def _is_class(name: str) -> bool:
    return name.lstrip("_")[:1].isupper()


def _is_error(name: str) -> bool:
    return _is_class(name) and name.endswith(("Error", "Exception", "Warning"))


def _constructs(parts: Parts) -> bool:
    """`X(...)`, or an alternative constructor: `X.from_url(...)`."""
    return _is_class(parts[-1]) or (parts[-1].startswith("from_") and len(parts) > 1 and _is_class(parts[-2]))


# --- what calls do with their arguments ------------------------------------------------------------------------------


def _index(parts: Parts, table: tuple[Argument, ...]) -> int | None:
    return next((argument.position for argument in table if _ends(argument.pattern, parts)), None)


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
_UNLIKE_CLIENTS = _names("*test* *mock* *fake* *dummy* *redis* *cache* *db* *database*".split())


@cache
def _named_like_client(name: str, method: str) -> bool:
    plain = name.lstrip("_").lower()
    if _UNLIKE_CLIENTS.fit(plain):
        return False
    return any(_words(names).fit(plain) and _words(methods).fit(method) for names, methods in _LIKE_CLIENTS)
