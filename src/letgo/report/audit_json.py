"""The census as JSON: for programs, and what the HTML page is made of."""

import json
from collections.abc import Iterable
from typing import TypedDict

from letgo.holds import Hold, Step
from letgo.lifetime.census import Census, Handler, Tally, tally
from letgo.lifetime.convention import Verdict
from letgo.picture.steps import steps_of_hold

VERSION = 1
"""Raised when a field changes its meaning or goes; new fields don't raise it."""


class TallyDocument(TypedDict):
    handlers: int
    verdicts: dict[str, int]
    holding: dict[str, int]


class FileDocument(TallyDocument):
    path: str


class StepDocument(TypedDict):
    event: str
    path: str
    line: int
    function: str
    text: str


class WaitDocument(TypedDict):
    kind: str
    what: str
    path: str
    line: int


class HoldDocument(TypedDict):
    session: str
    origin: str
    certain: bool
    released: bool
    waits: list[WaitDocument]
    steps: list[StepDocument]


class HandlerDocument(TypedDict):
    path: str
    line: int
    end_line: int
    function: str
    parameter: str
    dependency: str
    verdict: str
    reason: str
    commits: list[int]
    closes: list[int]
    categories: list[str]
    holds: list[HoldDocument]


class CensusDocument(TypedDict):
    version: int
    root: str
    total: TallyDocument
    files: list[FileDocument]
    handlers: list[HandlerDocument]


def render_json(census: Census) -> str:
    """The census as a JSON document; `root` is the name of the audited directory, paths are relative to it."""
    return json.dumps(census_document(census), indent=2, ensure_ascii=False)


def census_document(census: Census) -> CensusDocument:
    return {
        "version": VERSION,
        "root": census.root.name,
        "total": tally_document(census.total),
        "files": [file_document(path, handlers) for path, handlers in census.by_file().items()],
        "handlers": [handler_document(handler) for handler in census.handlers],
    }


def tally_document(counted: Tally) -> TallyDocument:
    return {
        "handlers": counted.handlers,
        "verdicts": {verdict.value: counted.verdicts[verdict] for verdict in Verdict},
        "holding": {verdict.value: counted.holding[verdict] for verdict in Verdict},
    }


def file_document(path: str, handlers: Iterable[Handler]) -> FileDocument:
    return {"path": path, **tally_document(tally(handlers))}


def handler_document(handler: Handler) -> HandlerDocument:
    return {
        "path": handler.site.path,
        "line": handler.site.line,
        "end_line": handler.end_line,
        "function": handler.site.function,
        "parameter": handler.parameter,
        "dependency": handler.dependency,
        "verdict": handler.verdict.value,
        "reason": handler.reason,
        "commits": list(handler.commits),
        "closes": list(handler.closes),
        "categories": [category.value for category in handler.categories],
        "holds": [hold_document(hold) for hold in handler.holds],
    }


def hold_document(hold: Hold) -> HoldDocument:
    return {
        "session": hold.session.name,
        "origin": hold.session.origin.value,
        "certain": hold.certain,
        "released": hold.released is not None,
        "waits": [
            {"kind": wait.kind.value, "what": wait.what, "path": wait.site.path, "line": wait.site.line}
            for wait in hold.waits
        ],
        "steps": [step_document(step) for step in steps_of_hold(hold, hold.waits)],
    }


def step_document(step: Step) -> StepDocument:
    return {
        "event": step.event.value,
        "path": step.site.path,
        "line": step.site.line,
        "function": step.site.function,
        "text": step.text,
    }
