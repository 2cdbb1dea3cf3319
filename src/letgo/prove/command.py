"""What `letgo prove` does, end to end: a run or an earlier one, shown and written as asked for."""

import gc
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from letgo.picture.look import Look
from letgo.prove.document import read_outcome, schema, write_json
from letgo.prove.extras import need
from letgo.prove.junit import render_junit
from letgo.prove.markdown import render_markdown
from letgo.prove.outcome import Outcome, Verdict
from letgo.prove.page import render_page
from letgo.prove.text import render_text
from letgo.source.errors import UserError

STATUS = {Verdict.PASSED: 0, Verdict.FAILED: 99, Verdict.INCOMPLETE: 2}
"""99 is what k6 exits with when a threshold is missed (https://grafana.com/docs/k6/latest/using-k6/thresholds/)."""

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, slots=True)
class Reports:
    """Where to write what; `compare` is the JSON of the run before, `earlier` of one to show instead of a new one."""

    html: Path | None = None
    json: Path | None = None
    junit: Path | None = None
    compare: Path | None = None
    earlier: Path | None = None


def command(given: Mapping[str, object], reports: Reports, say: Callable[[str], None], look: Look) -> int:
    """The exit status. Raises UserError."""
    gc.enable()  # the command line runs without, which is right for commands that end in a second
    before = read_outcome(reports.compare) if reports.compare else None
    for path in filter(None, (reports.html, reports.json, reports.junit)):
        if not path.absolute().parent.is_dir():
            raise UserError(f"{path} can't be written: there is no such directory", "Make it first.")
    outcome = read_outcome(reports.earlier) if reports.earlier else _run(given)
    say(render_text(outcome, look, before))
    _write(reports.json, lambda: write_json(outcome))
    _write(reports.junit, lambda: render_junit(outcome))
    _write(reports.html, lambda: render_page(outcome, before))
    if reports.html is not None:
        say(f"\nThe report is a page to look at: {reports.html.absolute().as_uri()}\n")
    if summary := os.environ.get(STEP_SUMMARY):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(render_markdown(outcome, before))
    interrupted = outcome.verdict is Verdict.INCOMPLETE and "interrupted" in outcome.incomplete
    return 130 if interrupted else STATUS[outcome.verdict]


def _write(path: Path | None, content: Callable[[], str]) -> None:
    if path is None:
        return
    try:
        path.write_text(content(), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from error


def schema_text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


def _run(given: Mapping[str, object]) -> Outcome:
    need("psycopg", "httptools", "uvloop")
    if given.get("locustfile"):
        need("locust")
    from letgo.prove.live import watching
    from letgo.prove.options import plan_of
    from letgo.prove.running import prove

    plan = plan_of(given, Path.cwd())
    with watching(sys.stderr, plan) as observe:
        return prove(plan, observe)
