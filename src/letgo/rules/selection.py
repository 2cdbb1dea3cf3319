"""Which rules look at which files."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from letgo.rules.registry import RULES
from letgo.rules.rule import Rule
from letgo.source.errors import UserError

EVERYTHING = "LG"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a team asked for. A selector is a rule's code, its name, or the beginning of its code (`LG`, `LG1`).

    Of the selectors that match a rule the longest decides, and `ignore` when two are equally long. Preview and strict
    rules need their switch, or to be named in full. With `strict` the convention is on whatever `select` says.
    `per_file_ignores` pairs a glob with selectors; a glob matches a path, or its last part.
    """

    select: tuple[str, ...] = (EVERYTHING,)
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    strict: bool = False
    preview: bool = False

    def rules(self) -> tuple[Rule, ...]:
        """The rules that are on, in the order of their codes."""
        return tuple(rule for rule in RULES if self._is_on(rule))

    def covers(self, path: str, code: str) -> bool:
        """Whether this run looks for `code` in the file at `path`."""
        return any(rule.code == code and not self.is_ignored_in(path, rule) for rule in self.rules())

    def is_ignored_in(self, path: str, rule: Rule) -> bool:
        return any(
            _matches_path(path, glob) and _strength(selectors, rule) for glob, selectors in self.per_file_ignores
        )

    def _is_on(self, rule: Rule) -> bool:
        wanted = _strength((*self.select, *self.extend_select), rule)
        unwanted = _strength(self.ignore, rule)
        if wanted == EXACT:
            return unwanted < EXACT
        if rule.strict:
            return self.strict and not unwanted
        return unwanted < wanted and (self.preview or not rule.preview)


DEFAULT = Selection()

EXACT = 99
"""The strength of a selector that names one rule in full."""


def _strength(selectors: Iterable[str], rule: Rule) -> int:
    """How closely the closest of `selectors` names the rule: 0 not at all, `EXACT` in full."""
    return max((_closeness(selector, rule) for selector in selectors), default=0)


def _closeness(selector: str, rule: Rule) -> int:
    if selector in (rule.code, rule.name):
        return EXACT
    return len(selector) if rule.code.startswith(selector) else 0


def _matches_path(path: str, glob: str) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatchcase(text, glob) for text in (path, name, f"./{path}", f"/{path}"))


def check_selectors(selectors: Iterable[str]) -> None:
    """Raises `UserError` for selectors that match no rule."""
    unknown = [selector for selector in selectors if not any(_closeness(selector, rule) for rule in RULES)]
    if unknown:
        raise UserError(f"no rule is called {', '.join(map(repr, unknown))}", "`letgo rules` lists codes and names")
