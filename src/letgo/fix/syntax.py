"""A text with its syntax tree: where each node stands in the text, and what surrounds it."""

import ast
import warnings
from collections.abc import Iterator
from functools import cached_property, lru_cache

from letgo.fix.edits import Edit, insert
from letgo.fix.nodes import SCOPES, Definition, below, children, statements
from letgo.fix.texts import Unfixable, line_end, line_starts


class Syntax:
    """Made by `syntax_of`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = line_starts(text)
        self.tree = parse(text)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        found: dict[ast.AST, ast.AST] = {}
        pending: list[ast.AST] = [self.tree]
        for node in pending:
            inner = children(node)
            found.update(dict.fromkeys(inner, node))
            pending += inner
        return found

    @cached_property
    def definitions(self) -> dict[int, Definition]:
        """Functions by the line of their `def`."""
        return {node.lineno: node for node in statements(self.tree) if isinstance(node, Definition)}

    @cached_property
    def line_end(self) -> str:
        return line_end(self.text)

    # --- places ------------------------------------------------------------------------------------------------------

    def line(self, number: int) -> str:
        """A line with its end, counted from 1."""
        return self.text[self.starts[number - 1] : self.after_line(number)]

    def after_line(self, number: int) -> int:
        return self.starts[number] if number < len(self.starts) else len(self.text)

    def _offset(self, line: int, column: int) -> int:
        """`column` counts bytes of UTF-8, as `ast` does."""
        start = self.starts[line - 1]
        text = self.text[start : start + column]
        return start + column if text.isascii() else start + len(self.line(line).encode()[:column].decode())

    def start(self, node: ast.stmt | ast.expr | ast.arg) -> int:
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: ast.stmt | ast.expr | ast.arg) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._offset(node.end_lineno, node.end_col_offset)

    def source(self, node: ast.stmt | ast.expr | ast.arg) -> str:
        return self.text[self.start(node) : self.end(node)]

    # --- surroundings ------------------------------------------------------------------------------------------------

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What surrounds the node, innermost first, up to and with the function it is in."""
        while node in self.parents:
            node = self.parents[node]
            yield node
            if isinstance(node, SCOPES):
                return

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that the node is, or stands in."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements among which this one stands."""
        for _, value in ast.iter_fields(self.parents[statement]):
            if isinstance(value, list) and statement in value:
                return value
        raise Unfixable("its surroundings are not understood")

    def indent(self, statement: ast.stmt) -> str:
        """The white space before a statement. Raises Unfixable when something else stands before it on its line."""
        before = self.text[self.starts[statement.lineno - 1] : self.start(statement)]
        if before.strip(" \t\f"):
            raise Unfixable(f"line {statement.lineno} holds more than one statement")
        return before

    def ends_its_line(self, statement: ast.stmt) -> bool:
        """Whether nothing but a comment follows a statement on its last line."""
        rest = self.text[self.end(statement) : self.after_line(statement.end_lineno or statement.lineno)].strip()
        return not rest or rest.startswith("#")

    # --- edits -------------------------------------------------------------------------------------------------------

    def lines(self, indent: str, *code: str) -> str:
        return "".join(f"{indent}{line}{self.line_end}" for line in code)

    def before(self, statement: ast.stmt, *code: str) -> Edit:
        """Lines inserted above a statement and the comment that belongs to it."""
        indent = self.indent(statement)
        first = statement.lineno
        block = self.block(statement)
        place = block.index(statement)
        floor = block[place - 1].end_lineno or 0 if place else self._end_of_header(self.parents[statement], statement)
        while first - 1 > floor and self.line(first - 1).strip().startswith("#"):
            first -= 1
        return insert(self.starts[first - 1], self.lines(indent, *code))

    def _end_of_header(self, node: ast.AST, first: ast.stmt) -> int:
        """The last line before a block where something of the statement that it belongs to stands."""
        lines = [getattr(node, "lineno", 0)]
        lines += [
            getattr(child, "end_lineno", None) or 0
            for child in below(node)
            if (getattr(child, "end_lineno", None) or first.lineno) < first.lineno
        ]
        return max(lines)

    def after(self, statement: ast.stmt, *code: str) -> Edit:
        """Lines inserted below a statement and the comment on its last line."""
        indent = self.indent(statement)
        if not self.ends_its_line(statement):
            raise Unfixable(f"line {statement.end_lineno} holds more than one statement")
        at = self.after_line(statement.end_lineno or statement.lineno)
        missing = "" if at == 0 or self.text[at - 1] in "\r\n" else self.line_end
        return insert(at, missing + self.lines(indent, *code))

    def without(self, statement: ast.stmt) -> Edit:
        """The lines of a statement deleted. Raises Unfixable when a comment or another statement would go, too."""
        self.indent(statement)
        last = statement.end_lineno or statement.lineno
        if self.text[self.end(statement) : self.after_line(last)].strip():
            raise Unfixable(f"line {last} holds more than the statement")
        if len(self.block(statement)) == 1:
            raise Unfixable(f"line {statement.lineno} is all that its block holds")
        return Edit(self.starts[statement.lineno - 1], self.after_line(last), "")

    def indented(self, first: ast.stmt, last: ast.stmt, unit: str) -> list[Edit]:
        """The lines from one statement to another moved in by `unit`; those inside of a string stay."""
        inside = {
            line
            for node in below(self.tree)
            if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno and node.end_lineno > node.lineno
            and first.lineno <= node.lineno
            for line in range(node.lineno + 1, node.end_lineno + 1)
            if isinstance(node, ast.JoinedStr) or isinstance(node.value, str | bytes)
        }  # fmt: skip
        numbers = range(first.lineno, (last.end_lineno or last.lineno) + 1)
        return [
            insert(self.starts[number - 1], unit)
            for number in numbers
            if number not in inside and self.line(number).strip()
        ]

    def unit(self, definition: Definition) -> str:
        """How much a function's body is indented more than its `def`."""
        outer = self.line(definition.lineno)
        outer = outer[: len(outer) - len(outer.lstrip(" \t\f"))]
        body = self.indent(definition.body[0])
        return body[len(outer) :] if body.startswith(outer) and len(body) > len(outer) else "    "


@lru_cache(maxsize=128)
def syntax_of(text: str) -> Syntax:
    """Raises Unfixable for what this Python can't parse."""
    return Syntax(text)


def parse(text: str) -> ast.Module:
    """Raises Unfixable when this Python can't."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise Unfixable(f"this Python can't parse it: {error}") from error
