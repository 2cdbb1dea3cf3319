"""A program whose files are changed in memory, before anything is written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from letgo.fix.syntax import Syntax
from letgo.fix.texts import FileText, Unfixable, load
from letgo.holds import Finding
from letgo.lifetime.facts import Facts
from letgo.source.codebase import CodeBase
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
            Syntax(text)
            content = self.files[path].encoded(text)
            modules[path] = _read(content, path)
            outlines[path] = outline(modules[path], decode(content))
            digests[path] = digest_of(content)
        codebase = replace(self.codebase, modules=tuple(modules.values()), digests=digests, outlines=outlines)
        return Program(codebase, self.files, {**self.texts, **texts})

    @property
    def written(self) -> dict[str, bytes]:
        """The new content of each file that has one."""
        return {
            path: file.encoded(self.texts[path]) for path, file in self.files.items() if self.texts[path] != file.text
        }


def _read(content: bytes, path: str) -> Module:
    try:
        return understand(decode(content), path)
    except (NotText, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unfixable(f"it would be no Python any more: {error}") from error


def _outline(codebase: CodeBase, module: Module) -> Outline:
    try:
        text = load(module.path, codebase.root / module.path).text
    except (Unfixable, NotText):
        text = ""
    return outline(module, text)


def opened(codebase: CodeBase, paths: Iterable[str]) -> tuple[Program, dict[str, str]]:
    """The program with the texts of some files, and why others of them can't be changed."""
    if codebase.outlines.keys() != codebase.digests.keys():
        codebase = replace(codebase, outlines={module.path: _outline(codebase, module) for module in codebase.modules})
    files, reasons = {}, {}
    for path in paths:
        try:
            file = load(path, codebase.root / path)
            if digest_of(file.content) != codebase.digests.get(path):
                raise Unfixable("it has changed since it was read")
            Syntax(file.text)
            files[path] = file
        except (Unfixable, NotText) as error:
            reasons[path] = str(error)
    return Program(codebase, files, {path: file.text for path, file in files.items()}), reasons
