"""Which rules look at which files, as the settings say.

A selector is a code, a name, or the beginning of a code (`LG`, `LG1`). Of the selectors that match a rule the longest
decides, and `ignore` when two are equally long. Preview and strict rules need their switch, or to be named in full.
With `strict` the convention is on whatever `select` says.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from letgo.rules.registry import RULES
from letgo.rules.rule import Rule
from letgo.source.settings import Settings

IN_FULL = 99
"""The length of a selector that names one rule alone; longer than the beginning of any code."""


def selected(settings: Settings) -> tuple[Rule, ...]:
    """The rules that are on, in the order of their codes."""
    return tuple(rule for rule in RULES if _is_on(rule, settings))


def ignores(settings: Settings, path: str, rule: Rule) -> bool:
    """Whether `per-file-ignores` take the file at `path` out of a rule. A glob matches a path, or its last part."""
    name = path.rpartition("/")[2]
    return any(
        _length(selectors, rule) and any(fnmatchcase(text, glob) for text in (path, f"/{path}", name))
        for glob, selectors in settings.per_file_ignores
    )


def covers(settings: Settings, path: str, code: str) -> bool:
    """Whether a run with these settings looks for `code` in the file at `path`."""
    return any(rule.code == code and not ignores(settings, path, rule) for rule in selected(settings))


def _is_on(rule: Rule, settings: Settings) -> bool:
    wanted = _length((*settings.select, *settings.extend_select), rule)
    unwanted = _length(settings.ignore, rule)
    if wanted == IN_FULL:
        return unwanted < IN_FULL
    if rule.strict:
        return settings.strict and not unwanted
    return unwanted < wanted and (settings.preview or not rule.preview)


def _length(selectors: Iterable[str], rule: Rule) -> int:
    """How long the longest of `selectors` is that matches the rule, 0 when none does."""
    exact = (rule.code, rule.name)
    return max(
        (IN_FULL if selector in exact else len(selector) for selector in selectors if _matches(selector, rule)),
        default=0,
    )


def _matches(selector: str, rule: Rule) -> bool:
    return selector == rule.name or rule.code.startswith(selector)
