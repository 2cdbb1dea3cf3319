"""A program whose files are changed in memory, before anything is written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from letgo.fix.syntax import syntax_of
from letgo.fix.texts import FileText, Unfixable, load
from letgo.holds import Finding
from letgo.lifetime.facts import Facts
from letgo.source.codebase import CodeBase
from letgo.source.ignores import find_ignores
from letgo.source.lower import lower
from letgo.source.names import Names
from letgo.source.outline import Outline, outline
from letgo.source.program import Module
from letgo.source.reading import digest_of, understand
from letgo.source.text import NotText, decode


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a program: `wanted` are the findings to be cured, `all` what any rule finds in it."""

    names: Names
    facts: Facts
    wanted: tuple[Finding, ...]
    all: tuple[Finding, ...]


Looking = Callable[[CodeBase], Look]


@dataclass(frozen=True, slots=True)
class Program:
    """`codebase` as it is with the `texts` of some of its files changed; `files` are these as they were read."""

    codebase: CodeBase
    files: Mapping[str, FileText]
    texts: Mapping[str, str]

    def text(self, path: str) -> str:
        return self.texts[path]

    def changed(self, texts: Mapping[str, str]) -> "Program":
        """The program with other texts. Raises Unfixable for one that is no Python or can't be encoded."""
        modules = {module.path: module for module in self.codebase.modules}
        digests, outlines = dict(self.codebase.digests), dict(self.codebase.outlines)
        for path, text in texts.items():
            syntax_of(text)
            content = self.files[path].encoded(text)
            modules[path], outlines[path] = _read(content, path)
            digests[path] = digest_of(content)
        codebase = replace(self.codebase, modules=tuple(modules.values()), digests=digests, outlines=outlines)
        return Program(codebase, self.files, {**self.texts, **texts})

    @property
    def written(self) -> dict[str, bytes]:
        """The new content of each file that has one."""
        return {
            path: file.encoded(self.texts[path]) for path, file in self.files.items() if self.texts[path] != file.text
        }


@lru_cache(maxsize=128)
def _read(content: bytes, path: str) -> tuple[Module, Outline]:
    """Kept, since most files are the same in the next try."""
    try:
        text = decode(content)
        module = _lowered(text, path)
        return module, outline(module, text)
    except (NotText, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unfixable(f"it would be no Python any more: {error}") from error


def _lowered(text: str, path: str) -> Module:
    """From the syntax tree that is there already, unless that is too deep for the usual stack."""
    try:
        return lower(syntax_of(text).tree, path, find_ignores(text))
    except RecursionError:
        return understand(text, path)


def opened(codebase: CodeBase, paths: Iterable[str]) -> tuple[Program, dict[str, str]]:
    """The program with the texts of some files, and why others of them can't be changed."""
    files, reasons = {}, {}
    for path in paths:
        try:
            file = load(path, codebase.root / path)
            if digest_of(file.content) != codebase.digests.get(path):
                raise Unfixable("it has changed since it was read")
            syntax_of(file.text)
            files[path] = file
        except (Unfixable, NotText) as error:
            reasons[path] = str(error)
    return Program(codebase, files, {path: file.text for path, file in files.items()}), reasons
