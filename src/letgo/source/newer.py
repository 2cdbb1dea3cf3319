"""Parses Python of any version: what is newer than this interpreter's grammar is first said in older words.

Only a file that the interpreter refuses is rewritten, and only where it uses one of these:

- type parameters and `type` statements (PEP 695, with the defaults of PEP 696): left out
- f-strings that nest their own quotes, hold backslashes, comments or line ends (PEP 701), and t-strings (PEP 750):
  their expressions stay, the text between them goes
- `except A, B:` without parentheses (PEP 758)
- `lazy import` (PEP 810): as an import
- unpacking in comprehensions (PEP 798): without the star

Every line keeps its number. The rewritten text is only ever parsed, never run or shown.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import groupby, islice, takewhile
from typing import NamedTuple

from letgo.source.scanner import CLOSING, OPENING, Field, Token, scan

MARK = "\0template"
"""The first item of a tuple that stands for an f-string: no source file can hold a null byte."""


class Edit(NamedTuple):
    """`text[start:end]` becomes `replacement`."""

    start: int
    end: int
    replacement: str


def parse(text: str) -> ast.Module:
    """The syntax tree of `text`, with its own line numbers.

    Raises SyntaxError when it's no Python of any version known here; ValueError, RecursionError and MemoryError as
    `ast.parse` does.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except SyntaxError:
            older = rewrite(text)
            if older == text:
                raise
        tree: ast.Module = Templates().visit(ast.parse(older))
        return tree


def rewrite(text: str) -> str:
    """`text` in the grammar of Python 3.11, line for line; unchanged where it's that already."""
    pieces: list[str] = []
    position = 0
    for edit in sorted(edits(text, scan(text)), key=lambda edit: edit.start):
        # An edit inside of what another one took away has nothing left to do.
        if edit.start >= position:
            pieces += text[position : edit.start], edit.replacement
            position = edit.end
    return "".join(pieces) + text[position:]


def edits(text: str, tokens: Sequence[Token]) -> Iterator[Edit]:
    code = [token for token in tokens if token.kind != "comment"]
    for index in range(len(code)):
        yield from statement_edits(text, code, index)
    for is_text, run in groupby(code, key=lambda token: token.kind in ("string", "template")):
        if is_text:
            yield from string_edits(text, list(run))


def statement_edits(text: str, code: Sequence[Token], index: int) -> Iterator[Edit]:
    """What `code[index]` begins that is newer than Python 3.11, strings aside."""
    token, *after = code[index : index + 3]
    begins = index == 0 or code[index - 1].text in ("\n", ";", ":")
    match [token.text, *(following.text for following in after)]:
        case ["def" | "class", _, "["]:
            yield without(text, after[1].start, closing(code, index + 2))
        case ["type", name, "=" | "["] if begins and after[0].kind == "name":
            yield Edit(token.start, after[0].end, name + spaces(text[token.start : after[0].start]))
            if after[1].text == "[":
                yield without(text, after[1].start, closing(code, index + 2))
        case ["lazy", "import" | "from", *_] if begins:
            yield Edit(token.start, after[0].start, "")
        case ["except", *_] if begins:
            yield from parentheses(code, index + 1)
        case ["(" | "[" | "{", "*" | "**", *_] if is_comprehension(code, index):
            yield without(text, after[0].start, after[0].end)


def level(code: Sequence[Token], index: int) -> Iterator[Token]:
    """The tokens from `code[index]` on that are in no further bracket, up to the end of the bracket they are in."""
    depth = 0
    for token in islice(code, index, None):
        if token.kind != "op":
            if depth == 0:
                yield token
            continue
        depth -= token.text in CLOSING
        if depth <= 0:
            yield token
        if depth < 0:
            return
        depth += token.text in OPENING


def closing(code: Sequence[Token], index: int) -> int:
    """Where the bracket that `code[index]` opens has been closed; where it is, when it never is."""
    *_, last = code[index], *level(code, index + 1)
    return last.end if last.text in CLOSING else code[index].start


def is_comprehension(code: Sequence[Token], index: int) -> bool:
    """Whether the bracket `code[index]` holds a comprehension or a generator expression."""
    return next((token.text == "for" for token in level(code, index + 1) if token.text in ("for", ",")), False)


def parentheses(code: Sequence[Token], index: int) -> Iterator[Edit]:
    """Parentheses around the types of an `except`, from `code[index]` on, when there are several without."""
    types = list(takewhile(lambda token: token.text != ":", level(code, index)))
    if types and types[0].text == "*":
        del types[0]
    if any(token.text == "," for token in types):
        yield Edit(types[0].start, types[0].start, "(")
        yield Edit(types[-1].end, types[-1].end, ")")


def string_edits(text: str, run: Sequence[Token]) -> Iterator[Edit]:
    """For adjacent strings, which are one value: as f-strings, else as a tuple that `Templates` knows again."""
    unknown = [token for token in run if token.kind == "template" and not is_expression(token.text)]
    if not unknown:
        return
    if all(is_expression(as_f_string(token)) for token in unknown):
        yield from (Edit(token.start, token.end, as_f_string(token)) for token in unknown)
        return
    yield Edit(run[0].start, run[0].start, f"({MARK!r}, ")
    for token in run:
        if token in unknown:
            yield from field_edits(text, token)
        else:
            yield Edit(token.end, token.end, ", ")
    yield Edit(run[-1].end, run[-1].end, ")")


def field_edits(text: str, template: Token) -> Iterator[Edit]:
    """Leaves of `template` the expressions in its fields, each in parentheses and followed by a comma."""
    position = template.start
    for field in flat(template.fields):
        yield Edit(position, field.start, line_ends(text[position : field.start]) + "(")
        yield from edits(text, field.tokens)
        yield Edit(field.end, field.end, "),")
        position = field.end
    yield Edit(position, template.end, line_ends(text[position : template.end]))


def flat(fields: Sequence[Field]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from flat(field.fields)


def is_expression(source: str) -> bool:
    """Whether this interpreter can read `source`."""
    try:
        ast.parse(source, mode="eval")
    except SyntaxError:
        return False
    return True


def as_f_string(template: Token) -> str:
    """The source of a t-string with the prefix of an f-string."""
    return re.sub("[tTfF]", "f", template.text, count=1)


def without(text: str, start: int, end: int) -> Edit:
    """Takes a stretch away and keeps what follows at its line and column."""
    return Edit(start, end, spaces(text[start:end]))


def spaces(removed: str) -> str:
    return "\\\n".join(" " * len(line.removesuffix("\\")) for line in removed.split("\n"))


def line_ends(removed: str) -> str:
    return "\n" * removed.count("\n")


class Templates(ast.NodeTransformer):
    """Makes the tuples that begin with `MARK` into the f-strings they stand for."""

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        self.generic_visit(node)
        match node.elts:
            case [ast.Constant(value=mark), *parts] if mark == MARK:
                values = [value for part in parts for value in template_values(part)]
                return ast.copy_location(ast.JoinedStr(values), node)
        return node


def template_values(part: ast.expr) -> list[ast.expr]:
    match part:
        case ast.JoinedStr(values=values):
            return values
        case ast.Constant(value=str()):
            return [part]
    return [ast.copy_location(ast.FormattedValue(part, -1, None), part)]
