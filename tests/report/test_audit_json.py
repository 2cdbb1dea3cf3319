import json

from letgo.lifetime.census import Census
from letgo.report.audit_json import census_document, render_json


def test_the_document_survives_the_way_through_text(census: Census) -> None:
    assert json.loads(render_json(census)) == census_document(census)


def test_every_handler_is_there_with_its_place_and_verdict(census: Census) -> None:
    handlers = json.loads(render_json(census))["handlers"]
    found = [(handler["path"], handler["line"], handler["function"], handler["verdict"]) for handler in handlers]
    assert found == [(h.site.path, h.site.line, h.site.function, h.verdict) for h in census.handlers]


def test_the_files_add_up_to_the_total(census: Census) -> None:
    document = json.loads(render_json(census))
    for group in ("verdicts", "holding"):
        for verdict, count in document["total"][group].items():
            assert sum(file[group][verdict] for file in document["files"]) == count


def test_a_hold_is_told_from_its_source_to_its_end(census: Census) -> None:
    hold = census_document(census)["handlers"][1]["holds"][0]
    assert [step["event"] for step in hold["steps"]] == ["source", "call", "opened", "wait", "wait", "never-released"]
    assert [wait["kind"] for wait in hold["waits"]] == ["external", "serialise"]
