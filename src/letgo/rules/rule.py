"""What a rule is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from letgo.holds import Finding
from letgo.lifetime.facts import Facts


class Group(StrEnum):
    """What the rules of one hundred (LG1xx, LG2xx ...) are about."""

    RESPONSE = "the response"
    WAITING = "waiting"
    STREAMS = "streams and tasks"
    AFTER_RELEASE = "after release"
    ORIGINS = "where sessions come from"
    STALL = "the stall"
    CONVENTION = "the convention"


@dataclass(frozen=True, slots=True)
class Rule:
    """One code: its page, its examples and its check.

    `page` is the docstring of the rule's module: a sentence, then sections. `bad` and `good` are whole programs beside
    the module that `letgo.rules.shop` holds; comments `# expect: LG201` in a bad one say where the findings are.
    `rank` orders findings by how long the hold can last, longest first. `preview` rules are off without `--preview`,
    `strict` ones without `--strict`.
    """

    code: str
    name: str
    group: Group
    rank: int
    page: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    check: Callable[[Facts], Iterator[Finding]]
    preview: bool = False
    strict: bool = False

    @property
    def summary(self) -> str:
        """The first sentence of the page."""
        return self.page.partition("\n")[0]

    @property
    def default(self) -> str:
        """When the rule is on, as its page says it."""
        if self.strict:
            return "off; `--strict` turns it on"
        return "off; `--preview` turns it on" if self.preview else "on"
