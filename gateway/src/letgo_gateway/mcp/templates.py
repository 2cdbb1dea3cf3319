"""Which URIs a template of RFC 6570 can make (https://www.rfc-editor.org/rfc/rfc6570)."""

import re
from dataclasses import dataclass

MOST_EXPRESSIONS = 50
ACROSS = "+#/?&;."
"""Operators whose values may go across the parts of a URI."""
ENDS = frozenset("/?#")


@dataclass(frozen=True, slots=True)
class Template:
    """`literals` is the text around the expressions, of which `across` says whether they go across parts of a URI."""

    literals: tuple[str, ...]
    across: tuple[bool, ...]

    def fits(self, uri: str) -> bool:
        """Whether it can make this one.

        Follows all positions at once: it takes time in proportion to both lengths, whatever an upstream may have
        written. A regular expression would try all ways to cut the URI up.
        """
        positions = _past({0}, self.literals[0], uri)
        for across, literal in zip(self.across, self.literals[1:], strict=True):
            positions = _past(_reached(positions, across, uri), literal, uri)
        return len(uri) in positions


def parse_template(text: str) -> Template | None:
    """None for one with more expressions than anybody needs."""
    parts = re.split(r"\{([^}]+)\}", text)
    literals, expressions = tuple(parts[::2]), parts[1::2]
    if len(expressions) > MOST_EXPRESSIONS:
        return None
    return Template(literals, tuple(one[0] in ACROSS or one.endswith("*") for one in expressions))


def _past(positions: set[int], literal: str, uri: str) -> set[int]:
    return {at + len(literal) for at in positions if uri.startswith(literal, at)}


def _reached(positions: set[int], across: bool, uri: str) -> set[int]:
    """Where an expression that begins at one of these positions can end."""
    if not positions:
        return positions
    if across:
        return set(range(min(positions), len(uri) + 1))
    reached: set[int] = set()
    for at in range(min(positions), len(uri)):
        if uri[at] not in ENDS and (at in positions or at in reached):
            reached.add(at + 1)
    return reached
