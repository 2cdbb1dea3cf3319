"""Who sent a statement, as far as the database knows: by a route comment in it, or by the name of its connection."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

LONGEST = 300  # characters of a statement that are shown

COMMENT = re.compile(r"/\*(.*?)(?:\*/|$)", re.S)
ROUTE = re.compile(
    r"""\b(?:route|http_route)\s*[=:]\s*(?:'([^']*)(?:'|$)|"([^"]*)(?:"|$)|(.+?)(?=\s*,|\s+\w+\s*[=:]|\s*$))""", re.S
)
"""As sqlcommenter writes it (https://google.github.io/sqlcommenter/spec/), quoted and percent-encoded, or as it is."""


class Origin(NamedTuple):
    """`route` is "" where nothing names it. `statement` is without comments, its white space shrunk."""

    route: str
    application: str
    statement: str


@lru_cache(maxsize=4096)
def origin_of(query: str, application: str) -> Origin:
    route = next((found for comment in COMMENT.findall(query) if (found := _route_in(comment))), "")
    if not route and "/" in application:
        route = application
    statement = " ".join(COMMENT.sub(" ", query).split())
    if len(statement) > LONGEST:
        statement = f"{statement[: LONGEST - 1]}…"
    return Origin(route, application, statement)


def _route_in(comment: str) -> str:
    found = ROUTE.search(comment)
    return unquote(next(filter(None, found.groups()), "")) if found else ""
