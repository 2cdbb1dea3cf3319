"""The comments in which code asks letgo to pass over a finding: `# letgo: ignore[LG201, LG101] reason`."""

import re
from collections.abc import Iterator

from letgo.source.program import Ignore
from letgo.source.scanner import Field, Token, scan

COMMENT = re.compile(r"#\s*letgo:\s*(?P<directive>.*?)\s*(?:\s#\s.*)?$")
FORM = re.compile(r"ignore(?:\s*\[(?P<codes>[^\[\]]*)\]|(?![\w\[]))\s*[-:–—]*\s*(?P<reason>.*)$")


def find_ignores(text: str) -> tuple[Ignore, ...]:
    """The ignores of a file, in order of their lines. Strings that look like one do not count.

    One without a reason has the reason "". A `# letgo:` comment of any other form comes as an ignore of a single
    "code", the words found there, without a reason: no rule has such a code, so whoever checks the codes reports it.
    """
    if "letgo:" not in text:
        return ()
    return tuple(
        ignore(text.count("\n", 0, token.start) + 1, found["directive"])
        for token in comments(scan(text))
        if (found := COMMENT.search(token.text))
    )


def comments(tokens: tuple[Token, ...]) -> Iterator[Token]:
    for token in tokens:
        if token.kind == "comment":
            yield token
        for field in token.fields:
            yield from comments_in(field)


def comments_in(field: Field) -> Iterator[Token]:
    yield from comments(field.tokens)
    for inner in field.fields:
        yield from comments_in(inner)


def ignore(line: int, directive: str) -> Ignore:
    form = FORM.match(directive)
    if form is None:
        return Ignore(line, (directive or "nothing",), "")
    codes = tuple(code.strip() for code in (form["codes"] or "").split(",") if code.strip())
    return Ignore(line, codes, form["reason"])
