"""From paths to repaired files: read, follow, repair in memory, and write what was proven."""

import difflib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from letgo import checking
from letgo.fix import fixing
from letgo.fix.fixing import Fixed
from letgo.fix.memories import Memories, copy_facts
from letgo.fix.program import Look as Seen
from letgo.fix.program import Program
from letgo.fix.proving import Key, counted, texts_with
from letgo.fix.repair import Repair
from letgo.fix.writing import refuse_uncommitted, write
from letgo.holds import Finding, Site
from letgo.picture.draw import picture
from letgo.picture.look import Look
from letgo.report.fix import Kept, Repairs
from letgo.report.outcome import place
from letgo.rules.judging import judge
from letgo.source.codebase import CodeBase
from letgo.source.lines import code_below
from letgo.source.read import collection_paused, cores
from letgo.source.settings import Settings

Choice = Callable[[Program, Repair], bool]
"""Asked before each repair whether it is to be made."""


def fix(
    paths: Sequence[Path],
    settings: Settings,
    *,
    unsafe: bool = False,
    writing: bool = True,
    allow_dirty: bool = False,
    use_cache: bool = True,
    progress: checking.Progress | None = None,
    debug: bool = False,
    choose: Choice | None = None,
) -> Repairs:
    """Repairs the code at `paths`, in its files if `writing`.

    Raises `UserError` as `letgo.checking.check` does, and for files with uncommitted changes unless `allow_dirty`.
    """
    started = time.perf_counter()
    found, fixed = repaired(
        paths, settings, unsafe=unsafe, use_cache=use_cache, progress=progress, debug=debug, choose=choose
    )
    program = fixed.program
    skipped: dict[str, str] = {}
    if writing:
        if not allow_dirty:
            refuse_uncommitted(program.codebase.root, sorted(program.written))
        skipped = write(program)
    gone = _gone(found, [left.finding for left in fixed.left])
    root = program.codebase.root
    return Repairs(
        fixed=tuple(_seen(root, finding) for finding in gone if finding.handler.path not in skipped),
        left=tuple(Kept(_seen(root, left.finding), left.reason) for left in fixed.left),
        diffs=tuple((_shown(root, path), diff(program, path)) for path in sorted(program.written)),
        skipped=tuple((_shown(root, path), reason) for path, reason in skipped.items()),
        unreadable=tuple(
            f"{place(_shown(root, bad.path), bad.line)}: could not be read: {bad.reason}"
            for bad in program.codebase.unreadable
        ),
        written=writing,
        seconds=time.perf_counter() - started,
    )


def repaired(
    paths: Sequence[Path],
    settings: Settings,
    *,
    unsafe: bool = False,
    use_cache: bool = True,
    progress: checking.Progress | None = None,
    debug: bool = False,
    choose: Choice | None = None,
) -> tuple[tuple[Finding, ...], Fixed]:
    """The findings that stood, and what could be repaired of them, in memory."""
    everything = replace(settings, select=("LG",), extend_select=(), ignore=(), per_file_ignores=(), preview=True)
    with TemporaryDirectory(prefix="letgo-") as directory, collection_paused():
        first = Path(directory)
        keeping = settings if use_cache else replace(settings, cache_dir=first)
        followed = checking.follow_paths(paths, keeping, progress=progress, debug=debug)
        if use_cache:
            copy_facts(settings.cache_dir, first)
        memories = Memories(followed.codebase, first)

        def look(codebase: CodeBase) -> Seen:
            known = followed
            if codebase is not followed.codebase:
                known = checking.follow_codebase(codebase, settings, cache=memories.of(codebase), debug=debug)
            wanted = checking.standing(known, paths, settings)
            return Seen(known.names, known.facts, wanted, judge(known.facts, everything))

        fixed = fixing.fix(
            followed.codebase,
            look,
            unsafe=unsafe,
            style=settings.fix_style,
            jobs=settings.jobs or cores(),
            choose=choose,
        )
    return checking.standing(followed, paths, settings), fixed


def _gone(found: Iterable[Finding], left: Iterable[Finding]) -> list[Finding]:
    """The findings that stood and stand no more, whatever lines have moved."""
    staying: Counter[Key] = counted(left)
    gone = []
    for finding in found:
        (key,) = counted((finding,))
        if staying[key]:
            staying[key] -= 1
        else:
            gone.append(finding)
    return gone


def _shown(root: Path, path: str) -> str:
    try:
        return os.path.relpath(root / path).replace(os.sep, "/")
    except ValueError:  # on another drive
        return str(root / path)


def _seen(root: Path, finding: Finding) -> Finding:
    def site(place: Site) -> Site:
        return replace(place, path=_shown(root, place.path))

    return replace(finding, site=site(finding.site), handler=site(finding.handler))


# --- what is shown of a change ---------------------------------------------------------------------------------------


def diff(program: Program, path: str) -> str:
    """The change of a file, as patch and git apply read it."""
    return _diff(_shown(program.codebase.root, path), program.files[path].text, program.texts[path])


def diff_of(program: Program, repair: Repair) -> str:
    """What one repair would change."""
    root, texts = program.codebase.root, texts_with(program, (repair,))
    return "".join(_diff(_shown(root, path), program.texts[path], text) for path, text in sorted(texts.items()))


def _diff(path: str, before: str, after: str) -> str:
    lines = []
    for line in difflib.unified_diff(_lines(before), _lines(after), f"a/{path}", f"b/{path}"):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def _lines(text: str) -> list[str]:
    """Lines with their ends, only at line feeds: a diff knows no others."""
    return [f"{line}\n" for line in text[:-1].split("\n")] if text.endswith("\n") else _open_ended(text)


def _open_ended(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), last] if text else []


def explain(program: Program, repair: Repair, look: Look) -> str:
    """A repair in words and pictures: what it cures, why it must be judged, and what it changes."""
    code = _code_in(program)
    lines = []
    for finding in repair.cures:
        lines.append(f"{place(finding.site.path, finding.site.line)}: {finding.code} {finding.message}")
        lines += picture(finding.trace, code, look, finding.site)
    lines.append(f"{repair.kind}, in {repair.function.function}")
    if repair.unsafe:
        lines.append(f"unsafe: {repair.unsafe}")
    return "\n".join((*lines, diff_of(program, repair)))


def _code_in(program: Program) -> Callable[[Site], str]:
    """The lines of the program as it is now, its changed files included."""
    below = code_below(program.codebase.root)

    def code(site: Site) -> str:
        if site.path not in program.texts:
            return below(site)
        lines = program.texts[site.path].splitlines()
        return lines[site.line - 1] if 0 < site.line <= len(lines) else ""

    return code
