"""Splits Python source into tokens without caring whether this interpreter's grammar knows it.

The standard library's `tokenize` reads the grammar of the running version: before 3.12 it takes an f-string for one
flat string, so it loses its way in one that nests its own quotes (PEP 701), and before 3.14 it knows no t-strings
(PEP 750). This one reads the newest lexical rules on any interpreter, and never fails: it gives what it can make of
the text, and the parser has the last word.
"""

import re
from typing import Literal, NamedTuple

Kind = Literal["name", "string", "template", "op", "newline", "comment"]


class Token(NamedTuple):
    """`text[start:end]`. `fields` are the replacement fields of a "template" (an f-string or t-string).

    A "newline" ends a logical line; numbers count as "name". Comments stand where they are.
    """

    kind: Kind
    text: str
    start: int
    end: int
    fields: tuple["Field", ...] = ()


class Field(NamedTuple):
    """A replacement field: its expression is at `start:end`, without braces, `=`, conversion and format.

    `tokens` are the expression's, and `fields` those nested in the format.
    """

    start: int
    end: int
    tokens: tuple[Token, ...]
    fields: tuple["Field", ...]


LEXEME = re.compile(
    r"""
    (?P<space>[ \t\f]+|\\\n)
    | (?P<newline>\n)
    | (?P<comment>\#[^\n]*)
    | (?P<quote>(?i:[bu]|br|rb|r|f|fr|rf|t|tr|rt)?(?:\"{3}|'{3}|"|'))
    | (?P<name>[\w.]+)
    | (?P<op>->|:=|[=!<>]=|//=?|\*\*=?|<<=?|>>=?|[-+*/%@&|^]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
REST = {
    '"': re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*"?', re.DOTALL),
    "'": re.compile(r"[^'\\\n]*(?:\\.[^'\\\n]*)*'?", re.DOTALL),
    '"""': re.compile(r'[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:""")?', re.DOTALL),
    "'''": re.compile(r"[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:''')?", re.DOTALL),
}
"""A string after its opening quotes; one that is never closed ends with its line, or the file."""

OPENING, CLOSING = frozenset("([{"), frozenset(")]}")
DEBUG = re.compile(r"=(?:\s|#[^\n]*\n)*(?=[!:}])")
CONVERSION = re.compile(r"!\s*\w*\s*")
NAMED = re.compile(r"\\N\{[^}\n]*\}")


class Part(NamedTuple):
    """What was read of a text, and where reading goes on."""

    tokens: tuple[Token, ...]
    end: int


def scan(text: str) -> tuple[Token, ...]:
    """The tokens of `text`, a whole file with `\n` line ends."""
    return expression(text, 0, in_field=False).tokens


def expression(text: str, position: int, in_field: bool) -> Part:
    """Tokens up to the end of the file, or in a field up to what ends its expression: one of `}`, `!`, `:`, `=`."""
    tokens: list[Token] = []
    depth = 0
    while match := LEXEME.match(text, position):
        kind, start, lexeme = match.lastgroup, position, match.group()
        position = match.end()
        match kind:
            case "quote":
                tokens.append(string(text, start, lexeme))
                position = tokens[-1].end
            case "newline":
                if depth == 0 and not in_field:
                    tokens.append(Token("newline", lexeme, start, position))
            case "op":
                if in_field and depth == 0 and ends_expression(text, start, lexeme):
                    return Part(tuple(tokens), start)
                depth += (lexeme in OPENING) - (lexeme in CLOSING and depth > 0)
                tokens.append(Token("op", lexeme, start, position))
            case "name" | "comment":
                tokens.append(Token(kind, lexeme, start, position))
    return Part(tuple(tokens), position)


def ends_expression(text: str, position: int, op: str) -> bool:
    return op in ("}", "!", ":", ":=") or (op == "=" and DEBUG.match(text, position) is not None)


def string(text: str, start: int, opening: str) -> Token:
    """The string literal whose prefix and quotes are `opening`; a "template" only if it is closed."""
    quote = opening.lstrip("bBuUrRfFtT")
    prefix = opening[: -len(quote)].lower()
    body = start + len(opening)
    if "f" not in prefix and "t" not in prefix:
        match = REST[quote].match(text, body)
        end = match.end() if match else body
        return Token("string", text[start:end], start, end)
    fields, end = literal(text, body, quote, "r" in prefix, in_format=False)
    if not text.startswith(quote, end):
        return Token("string", text[start:end], start, end)
    end += len(quote)
    return Token("template", text[start:end], start, end, fields)


def literal(text: str, position: int, quote: str, raw: bool, in_format: bool) -> tuple[tuple[Field, ...], int]:
    """The fields of a template, or of the format of one of its fields; and where its closing quote or brace is."""
    fields: list[Field] = []
    while position < len(text):
        character = text[position]
        if text.startswith(quote, position) or (in_format and character == "}"):
            break
        if character == "\n" and len(quote) == 1:
            break
        if character == "\\":
            position = escape(text, position, raw)
        elif character == "{" and (in_format or not text.startswith("{{", position)):
            field, position = replacement(text, position + 1, quote, raw)
            fields.append(field)
        else:
            position += 2 if text.startswith(("{{", "}}"), position) else 1
    return tuple(fields), position


def escape(text: str, position: int, raw: bool) -> int:
    """The end of a backslash's escape. It can't escape a brace, but a character by name has braces of its own."""
    if not raw and (named := NAMED.match(text, position)):
        return named.end()
    return position + (1 if text.startswith(("{", "}"), position + 1) else 2)


def replacement(text: str, start: int, quote: str, raw: bool) -> tuple[Field, int]:
    """The field whose opening brace is just before `start`, and where its closing brace ends.

    What begins like a field and is none takes the rest of the text with it, so that its string is never closed.
    """
    tokens, end = expression(text, start, in_field=True)
    position = end
    for rest in (DEBUG, CONVERSION):
        if found := rest.match(text, position):
            position = found.end()
    nested: tuple[Field, ...] = ()
    if text.startswith(":", position):
        nested, position = literal(text, position + 1, quote, raw, in_format=True)
    closed = text.startswith("}", position) and any(token.kind != "comment" for token in tokens)
    return Field(start, end, tokens, nested), position + 1 if closed else len(text)
