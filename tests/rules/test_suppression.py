"""A finding may be let pass: by a comment, by the allowlist, by the baseline. Each with a reason, none for ever."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letgo.holds import Confidence, Finding, Site
from letgo.rules.suppression import Said, prune, suppress
from letgo.rules.suppression.allowlist import load_allowlist, write_allowlist
from letgo.rules.suppression.baseline import Baseline, counted, grown, load_baseline, write_baseline
from letgo.rules.suppression.comments import comments_in
from letgo.rules.suppression.files import write_text
from letgo.source.codebase import CodeBase
from letgo.source.errors import UserError
from letgo.source.program import Function, Ignore, Module

CODES = ("LG101", "LG201", "LG301")


def finding(
    line: int = 5, code: str = "LG201", function: str = "export", path: str = "app.py", start: int = 3
) -> Finding:
    site, handler = Site(path, line, function), Site(path, start, function)
    return Finding(code, "external-call", "waits", "commit first", site, handler, Confidence.CERTAIN, 50, ())


def codebase(tmp_path: Path, source: str, *ignores: Ignore) -> CodeBase:
    (tmp_path / "app.py").write_text(source)
    body = Function(
        "<module>", "<module>", 1, 99, False, False, (), (), None, (), (), (), (), frozenset(), frozenset(), frozenset()
    )
    return CodeBase(tmp_path, (Module("app.py", body, ignores),))


def suppressed_by(findings: tuple[Finding, ...]) -> list[str | None]:
    return [found.suppression.by if found.suppression else None for found in findings]


COMMENTED = """\
from app import router

@router.get(
    "/export")
def export(db):
    rows = db.all()
    fetch()  # here
    return rows
"""


def test_a_comment_speaks_for_its_own_line(tmp_path: Path) -> None:
    said = comments_in(codebase(tmp_path, COMMENTED, Ignore(7, ("LG201",), "the peer is local")), CODES)
    findings, stale = suppress([finding(7, start=5), finding(6, start=5)], Said(said))
    assert suppressed_by(findings) == ["inline", None]
    assert findings[0].suppression and findings[0].suppression.reason == "the peer is local"
    assert stale == ()


def test_a_comment_on_the_def_speaks_for_the_whole_handler(tmp_path: Path) -> None:
    said = comments_in(codebase(tmp_path, COMMENTED, Ignore(5, ("LG201",), "nightly job")), CODES)
    findings, _ = suppress([finding(7, start=5), finding(8, start=5)], Said(said))
    assert suppressed_by(findings) == ["inline", "inline"]


def test_a_comment_alone_speaks_for_the_def_below_its_decorators(tmp_path: Path) -> None:
    source = COMMENTED.replace("\n\n", "\n# letgo: ignore[LG201] nightly job\n", 1)
    said = comments_in(codebase(tmp_path, source, Ignore(2, ("LG201",), "nightly job")), CODES)
    assert said[0].target == 5


def test_a_comment_behind_code_says_nothing_about_the_next_line(tmp_path: Path) -> None:
    said = comments_in(codebase(tmp_path, COMMENTED, Ignore(6, ("LG201",), "no")), CODES)
    findings, stale = suppress([finding(7, start=5)], Said(said))
    assert suppressed_by(findings) == [None]
    assert "ignores LG201" in stale[0].what and stale[0].site.line == 6


@pytest.mark.parametrize(
    ("ignore", "complaint"),
    [
        (Ignore(7, ("LG201",), ""), "no reason"),
        (Ignore(7, ("LG999",), "why"), "LG999"),
        (Ignore(7, (), "why"), "names no code"),
    ],
)
def test_a_comment_without_code_or_reason_is_refused_with_its_place(
    tmp_path: Path, ignore: Ignore, complaint: str
) -> None:
    with pytest.raises(UserError) as refused:
        comments_in(codebase(tmp_path, COMMENTED, ignore), CODES)
    assert refused.value.message.startswith("app.py:7: ") and complaint in refused.value.message


def allow(tmp_path: Path, *entries: dict[str, object]) -> Path:
    path = tmp_path / "letgo-allowlist.json"
    path.write_text(json.dumps(list(entries), indent=2))
    return path


ENTRY: dict[str, object] = {"path": "app.py", "function": "export", "codes": ["LG201"], "reason": "local peer"}


def test_the_allowlist_speaks_for_a_function_and_names_its_own_line(tmp_path: Path) -> None:
    allowlist = load_allowlist(allow(tmp_path, {**ENTRY, "function": "other"}, ENTRY), CODES)
    findings, stale = suppress([finding(), finding(code="LG101"), finding(function="elsewhere")], Said((), allowlist))
    assert suppressed_by(findings) == ["allowlist", None, None]
    assert findings[0].suppression and findings[0].suppression.site.line == 10
    assert [entry.site.line for entry in stale] == [2]


def test_an_entry_for_what_this_run_did_not_look_for_is_not_stale(tmp_path: Path) -> None:
    allowlist = load_allowlist(allow(tmp_path, ENTRY), CODES)
    baseline = Baseline(counts={("app.py", "export", "LG301"): 1})
    _, stale = suppress([], Said((), allowlist, baseline), lambda path, code: path == "other.py")
    assert stale == ()


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({**ENTRY, "reason": " "}, "`reason` must say something"),
        ({key: ENTRY[key] for key in ("path", "function", "codes")}, "`reason` is missing"),
        ({**ENTRY, "codes": ["LG999"]}, "LG999 is a rule that does not exist"),
        ({**ENTRY, "codes": "LG201"}, "`codes` must be a list"),
        ({**ENTRY, "line": 3}, "`line` is not known"),
    ],
)
def test_a_bad_entry_is_refused_with_its_line(tmp_path: Path, entry: dict[str, object], complaint: str) -> None:
    path = allow(tmp_path, ENTRY, entry)
    with pytest.raises(UserError) as refused:
        load_allowlist(path, CODES)
    assert refused.value.message == f"{path}:10: {complaint}" or complaint in refused.value.message


@pytest.mark.parametrize("load", [lambda path: load_allowlist(path, CODES), load_baseline])
def test_broken_json_is_refused_with_line_and_column(tmp_path: Path, load) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "broken.json"
    path.write_text('{\n  "reason": oops\n}')
    with pytest.raises(UserError, match=r"broken\.json:2:13: this is not JSON"):
        load(path)


def test_files_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    assert load_allowlist(tmp_path / "no.json", CODES) == ()
    assert load_baseline(tmp_path / "no.json") is None


def test_the_baseline_follows_a_function_whose_lines_move(tmp_path: Path) -> None:
    path = tmp_path / "letgo-baseline.json"
    write_baseline(Baseline(counts=counted([finding(5), finding(7)])), path)
    baseline = load_baseline(path)
    assert baseline is not None
    findings, stale = suppress([finding(105, start=103), finding(107, start=103)], Said(baseline=baseline))
    assert suppressed_by(findings) == ["baseline", "baseline"]
    assert findings[0].suppression and findings[0].suppression.site.line == 5
    assert stale == ()


def test_one_more_than_the_baseline_counts_shows_them_all() -> None:
    baseline = Baseline(counts={("app.py", "export", "LG201"): 1})
    findings, _ = suppress([finding(5), finding(7)], Said(baseline=baseline))
    assert suppressed_by(findings) == [None, None]


def test_a_baseline_that_could_shrink_is_stale_and_says_how() -> None:
    baseline = Baseline(counts={("app.py", "export", "LG201"): 3})
    findings, stale = suppress([finding()], Said(baseline=baseline))
    assert suppressed_by(findings) == ["baseline"]
    assert stale[0].what == "counts 3 of LG201 in export of app.py, found 1"
    assert "--prune" in stale[0].cure


@pytest.mark.parametrize("content", ["[]", '{"reason": "", "findings": {}}', '{"reason": "x", "findings": {"a": 1}}'])
def test_a_baseline_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "b.json").write_text(content)
    with pytest.raises(UserError):
        load_baseline(tmp_path / "b.json")


def test_pruning_drops_allowed_codes_that_are_not_found(tmp_path: Path) -> None:
    path = allow(tmp_path, {**ENTRY, "codes": ["LG101", "LG201"]}, {**ENTRY, "function": "gone"})
    said = Said((), load_allowlist(path, CODES))
    findings, _ = suppress([finding()], said)
    write_allowlist(prune(findings, said).allowlist, path)
    assert json.loads(path.read_text()) == [ENTRY]


found = st.lists(
    st.builds(finding, code=st.sampled_from(CODES), function=st.sampled_from("abc"), line=st.integers(1, 9))
)


@given(found, found)
def test_pruning_leaves_nothing_stale_never_grows_and_shows_nothing_new(old: list[Finding], new: list[Finding]) -> None:
    said = Said(baseline=Baseline(counts=counted(old)))
    findings, _ = suppress(new, said)
    left = prune(findings, said)
    after, stale = suppress(new, left)
    assert stale == () and after == findings
    assert grown(said.baseline, left.baseline) == ()


@given(found)
def test_a_fresh_baseline_silences_everything_and_survives_its_file(tmp_path_factory, old: list[Finding]) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("baseline") / "b.json"
    write_baseline(Baseline(counts=counted(old)), path)
    baseline = load_baseline(path)
    assert baseline is not None and Counter(baseline.counts) == counted(old)
    findings, stale = suppress(old, Said(baseline=baseline))
    assert stale == () and all(found.suppression for found in findings)


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "kept.json").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / "kept.json", "new")
    assert [file.name for file in tmp_path.iterdir()] == ["kept.json"]


def test_a_path_that_is_not_utf8_survives_the_baseline(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_baseline(Baseline(counts=counted([finding(path="caf\udce9.py")])), path)
    baseline = load_baseline(path)
    assert baseline is not None and baseline.counts == {("caf\udce9.py", "export", "LG201"): 1}
