"""Inline comments: `# letgo: ignore[LG201] reason`."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from letgo.holds import Finding, Site, Suppression
from letgo.source.codebase import CodeBase
from letgo.source.errors import UserError
from letgo.source.lines import lines_of


@dataclass(frozen=True, slots=True)
class Comment:
    """An ignore comment: it stands at `site` and speaks for findings on line `target`."""

    site: Site
    target: int
    codes: tuple[str, ...]
    reason: str


def comments_in(codebase: CodeBase, known: Collection[str]) -> tuple[Comment, ...]:
    """All the ignore comments of a code base, in order. `known` are the codes that exist.

    Raises `UserError` naming the place of each comment that gives no code, an unknown code, or no reason.
    """
    found = tuple(_comments(codebase))
    problems = [
        f"{comment.site.path}:{comment.site.line}: {problem}"
        for comment in found
        for problem in _problems(comment, known)
    ]
    if problems:
        raise UserError("\n".join(problems), "write `# letgo: ignore[LG201] why this may stay`; see `letgo rules`")
    return found


def suppression_of(finding: Finding, comments: tuple[Comment, ...]) -> Suppression | None:
    """The comment that speaks for the finding's line, or for its handler's `def`."""
    places = {(site.path, site.line) for site in (finding.site, finding.handler)}
    for comment in comments:
        if finding.code in comment.codes and (comment.site.path, comment.target) in places:
            return Suppression("inline", comment.reason, comment.site)
    return None


def unused(
    comments: tuple[Comment, ...], findings: tuple[Finding, ...], covers: Callable[[str, str], bool]
) -> Iterator[tuple[Comment, str]]:
    """The comments, each with a code of theirs, that suppress none of the findings."""
    used = {(finding.suppression.site, finding.code) for finding in findings if finding.suppression}
    for comment in comments:
        for code in comment.codes:
            if (comment.site, code) not in used and covers(comment.site.path, code):
                yield comment, code


def _comments(codebase: CodeBase) -> Iterator[Comment]:
    for module in codebase.modules:
        if module.ignores:
            lines = lines_of(codebase.root / module.path)
            for ignore in module.ignores:
                site = Site(module.path, ignore.line, "<module>")
                yield Comment(site, _target(lines, ignore.line), ignore.codes, ignore.reason.strip())


def _target(lines: tuple[str, ...], line: int) -> int:
    """The line a comment speaks for: its own, or, when it stands alone, the next statement below its decorators."""

    def text(number: int) -> str:
        return lines[number - 1].strip() if number <= len(lines) else ""

    if not text(line).startswith("#"):
        return line
    while line < len(lines) and (not text(line) or text(line).startswith("#")):
        line += 1
    if not text(line).startswith("@"):
        return line
    below = range(line, len(lines) + 1)
    return next((number for number in below if text(number).startswith(("def ", "async def "))), line)


def _problems(comment: Comment, known: Collection[str]) -> Iterator[str]:
    if not comment.codes:
        yield "`letgo: ignore` names no code"
    for code in comment.codes:
        if code not in known:
            yield f"no rule has the code {code!r}"
    if not comment.reason:
        yield "`letgo: ignore` gives no reason"
