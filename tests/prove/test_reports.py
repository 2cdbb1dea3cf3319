"""What is shown of an outcome: the same facts in every form, whatever the app's own words hold."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.prove.outcomes import outcome

from letgo.picture.look import Look
from letgo.prove.command import Reports, command
from letgo.prove.comparison import compared
from letgo.prove.document import decoded, read_outcome, schema, write_json
from letgo.prove.junit import render_junit
from letgo.prove.markdown import render_markdown
from letgo.prove.outcome import Outcome, Verdict
from letgo.prove.page import render_page
from letgo.prove.text import render_text
from letgo.source.errors import UserError

DOCS = Path(__file__).parents[2] / "docs"
NASTY = "</script><!--<b>|`&'\"\n\x1b[31m\N{SNOWMAN}"


@given(st.builds(outcome, st.sampled_from(Verdict), st.text(max_size=30), st.lists(st.text(max_size=9)).map(tuple)))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_an_outcome_comes_back_from_its_json_as_it_was(given: Outcome) -> None:
    text = write_json(given)
    assert decoded(Outcome, json.loads(text)) == given
    Draft202012Validator(schema()).validate(json.loads(text))


def test_the_published_schema_is_the_one_that_is_meant() -> None:
    assert json.loads((DOCS / "prove.schema.json").read_text()) == schema(), "letgo prove --schema writes it anew"


def test_the_schema_refuses_what_is_no_outcome() -> None:
    Draft202012Validator.check_schema(schema())
    document = json.loads(write_json(outcome()))
    for broken in ({**document, "verdict": "fine"}, {**document, "more": 1}, {**document, "seconds": "long"}, {}):
        assert not Draft202012Validator(schema()).is_valid(broken)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "can't be read"),
        ("[]", "is not the JSON of a run"),
        ('{"format": 99}', "is not the JSON of a run"),
        ('{"format": 2, "letgo": "1"}', "is damaged"),
    ],
)
def test_a_file_that_is_no_outcome_is_told_as_such(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "before.json"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        read_outcome(file)


def test_the_text_says_the_verdict_first_and_then_why() -> None:
    lines = render_text(outcome(), Look()).splitlines()
    assert lines[0] == "FAILED: 1 of 3 thresholds missed"
    assert "1,000 requests, 381 good answers a second, P50 12 ms, P99 300 ms, 1.20 % errors" in lines[1]
    assert any(re.fullmatch(r"  FAIL  idle_in_transaction.age.max < 5s +15.40 s", line) for line in lines)
    assert any("7" in line and "15.40 s" in line and "select 1" in line for line in lines)
    assert "The database was not seen from 1.0 to 2.0 s: select 1" in lines


def test_an_incomplete_run_says_what_stopped_it_with_all_of_its_lines() -> None:
    text = render_text(
        outcome(Verdict.INCOMPLETE, incomplete=("the app ended with status 3:\nTraceback\n  boom",)), Look()
    )
    assert text.startswith("INCOMPLETE: the app ended with status 3\n  Traceback\n    boom\n")


def test_what_an_app_says_does_nothing_to_a_terminal() -> None:
    assert "\x1b" not in render_text(outcome(text=NASTY), Look())


def test_before_and_after_stand_side_by_side() -> None:
    before = outcome(metrics={"rps": 0.0, "latency.p99": 3.0})
    after = outcome(Verdict.PASSED, metrics={"idle_in_transaction.age.max": 0.1})
    changes = {change.metric: (change.change, change.better) for change in compared(before, after)}
    assert changes["rps"] == ("from none", True)
    assert changes["latency.p99"] == ("1/10.0", True)
    assert changes["errors"] == ("same", None)
    assert changes["idle_in_transaction.age.max"] == ("1/154.0", True)
    for shown in (render_text(after, Look(), before), render_markdown(after, before)):
        assert "1/154.0" in shown


def test_each_threshold_is_a_test_case_for_junit() -> None:
    suites = ElementTree.fromstring(render_junit(outcome(Verdict.INCOMPLETE, NASTY, (f"stopped {NASTY}",))))
    cases = {case.get("name"): [child.tag for child in case] for case in suites.iter("testcase")}
    assert cases == {
        "idle_in_transaction.max < 50": [],
        "idle_in_transaction.age.max < 5s": ["failure"],
        "connections.max < 5": ["skipped"],
        "the run gets to its end": ["error"],
    }


def test_the_summary_keeps_its_tables_whatever_a_statement_holds() -> None:
    for line in render_markdown(outcome(text=NASTY)).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (4, 5)
            assert "<b>" not in re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", line)


def test_code_in_the_summary_stands_as_it_is() -> None:
    assert "| `idle_in_transaction.max < 50` |" in render_markdown(outcome())


def test_every_report_that_is_asked_for_is_written_from_an_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier, page, junit, summary = (tmp_path / name for name in ("run.json", "page.html", "junit.xml", "summary.md"))
    earlier.write_text(write_json(outcome()))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    said: list[str] = []
    reports = Reports(page, tmp_path / "again.json", junit, compare=earlier, earlier=earlier)
    assert command({}, reports, said.append, Look()) == 99
    assert said[0].startswith("FAILED")
    assert page.as_uri() in said[1]
    assert read_outcome(tmp_path / "again.json") == outcome()
    assert "<!doctype html>" in page.read_text()
    assert "<testsuites" in junit.read_text()
    assert "## letgo prove" in summary.read_text()


def test_a_report_that_can_not_be_written_is_told_before_any_load(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such directory"):
        command({}, Reports(html=tmp_path / "none" / "page.html"), lambda text: None, Look())


def test_the_page_asks_nothing_of_any_server_and_runs_nothing_that_it_shows() -> None:
    page = render_page(outcome(text=NASTY), outcome(text=NASTY))
    assert len(re.findall(r"<script", page)) == len(re.findall(r"</script>", page)) == 3
    assert not re.search(r"""(?:src|href)\s*=\s*["']?https?:""", page)
    assert "default-src 'none'" in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert data is not None
    document = json.loads(data[1])
    assert document["after"]["holders"][0]["statement"] == NASTY
    assert document["before"]["title"] == f"app:{NASTY}"
    assert "{{" not in page.replace(data[1], "").replace("`", "").partition("<body>")[0]
