"""The census as one HTML page to look at: it opens offline and asks nothing of any server."""

import html
import json
from importlib.resources import files
from typing import TypedDict

from letgo.holds import WaitKind
from letgo.lifetime.categories import Category
from letgo.lifetime.census import Census
from letgo.lifetime.convention import Verdict
from letgo.report.audit_json import CensusDocument, census_document
from letgo.report.audit_words import CATEGORY, CURE, VERDICT, WAIT
from letgo.source.lines import line_of


class PageDocument(TypedDict):
    """What the page's script reads. `code` maps path and line number to that line of source."""

    census: CensusDocument
    verdicts: dict[str, str]
    waits: dict[str, str]
    categories: dict[str, str]
    cures: dict[str, str]
    code: dict[str, dict[int, str]]


def render_html(census: Census) -> str:
    """The census as a self-contained page; the lines of code in its traces are read from `census.root`."""
    template = files("letgo.report").joinpath("audit.html").read_text(encoding="utf-8")
    before, after_title, after_data = template.split("{{title}}")[0], *template.split("{{title}}")[1].split("{{data}}")
    return before + html.escape(census.root.name) + after_title + embedded(page_document(census)) + after_data


def page_document(census: Census) -> PageDocument:
    document = census_document(census)
    return {
        "census": document,
        "verdicts": {verdict.value: VERDICT[verdict] for verdict in Verdict},
        "waits": {kind.value: WAIT[kind] for kind in WaitKind},
        "categories": {category.value: CATEGORY[category] for category in Category},
        "cures": {category.value: CURE[category] for category in Category},
        "code": code_of(census, document),
    }


def code_of(census: Census, document: CensusDocument) -> dict[str, dict[int, str]]:
    """The source lines that the traces speak of."""
    code: dict[str, dict[int, str]] = {}
    for handler in document["handlers"]:
        for hold in handler["holds"]:
            for step in hold["steps"]:
                text = line_of(census.root / step["path"], step["line"]).strip()
                code.setdefault(step["path"], {})[step["line"]] = text
    return code


def embedded(document: PageDocument) -> str:
    """JSON that is safe inside a `<script>` element: nothing in it can end the element or begin a comment."""
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
