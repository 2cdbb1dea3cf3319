"""An outcome as one HTML page: it opens offline and asks nothing of any server."""

import html
import json
from dataclasses import asdict
from importlib.resources import files

from letgo.prove.comparison import compared
from letgo.prove.outcome import Outcome
from letgo.prove.text import load_line, verdict_line

ASSETS = files("letgo.prove").joinpath("assets")


def render_page(outcome: Outcome, before: Outcome | None = None) -> str:
    """The page of a run; with one `before` it, both side by side."""
    parts = {
        "title": html.escape(f"{outcome.verdict}: {outcome.title}"),
        "uplot_css": _asset("uPlot.min.css"),
        "uplot_js": _asset("uPlot.iife.min.js"),
        "data": embedded(page_document(outcome, before)),
    }
    pieces = _asset("page.html").split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        filled += [parts[name], rest]
    return "".join(filled)


def page_document(outcome: Outcome, before: Outcome | None) -> dict[str, object]:
    """What the page's script reads."""
    return {
        "after": asdict(outcome),
        "before": asdict(before) if before else None,
        "words": {
            "verdict": verdict_line(outcome),
            "load": load_line(outcome),
            "before": load_line(before) if before else "",
        },
        "changes": [asdict(change) for change in compared(before, outcome)] if before else [],
    }


def embedded(document: object) -> str:
    """JSON that is safe inside a `<script>` element: nothing in it can end the element or begin a comment."""
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return ASSETS.joinpath(name).read_text(encoding="utf-8")
