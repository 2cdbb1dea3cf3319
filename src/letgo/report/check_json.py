"""Findings as JSON, for programs."""

import json
from dataclasses import asdict
from typing import TypedDict

from letgo.holds import Confidence, Finding, Root, Site, Step, Suppression
from letgo.report.outcome import Outcome

VERSION = 1
"""Raised when a field changes its meaning or goes; new fields don't raise it."""


class SiteDocument(TypedDict):
    path: str
    line: int
    function: str


class StepDocument(SiteDocument):
    event: str
    text: str


class RootDocument(SiteDocument):
    cause: str
    cure: str


class SuppressionDocument(TypedDict):
    by: str
    reason: str
    path: str
    line: int


class FindingDocument(SiteDocument):
    code: str
    rule: str
    message: str
    help: str
    confidence: str
    rank: int
    handler: SiteDocument
    trace: list[StepDocument]
    root: RootDocument | None
    suppressed: SuppressionDocument | None


def render(outcome: Outcome) -> str:
    """One object: the findings that stand, those that are suppressed, and what else there is to say of the run."""
    document = {
        "version": VERSION,
        "findings": [finding_document(finding) for finding in outcome.findings],
        "suppressed": [finding_document(finding) for finding in outcome.suppressed],
        "stale": [
            {"by": stale.by, "path": stale.site.path, "line": stale.site.line, "what": stale.what, "cure": stale.cure}
            for stale in outcome.stale
        ],
        "unreadable": [asdict(unreadable) for unreadable in outcome.unreadable],
        "unresolved": [
            {**site_document(unresolved.site), "call": unresolved.call, "reason": unresolved.reason}
            for unresolved in outcome.unresolved
        ],
        "summary": summary_document(outcome),
    }
    return json.dumps(document, indent=2) + "\n"


def summary_document(outcome: Outcome) -> dict[str, object]:
    return {
        "findings": len(outcome.findings),
        "certain": outcome.count(Confidence.CERTAIN),
        "likely": outcome.count(Confidence.LIKELY),
        "by_code": outcome.by_code(),
        "suppressed": len(outcome.suppressed),
        "stale": len(outcome.stale),
        "files": outcome.files,
        "unreadable": len(outcome.unreadable),
        "seconds": round(outcome.seconds, 3),
    }


def finding_document(finding: Finding) -> FindingDocument:
    return {
        "code": finding.code,
        "rule": finding.rule,
        **site_document(finding.site),
        "message": finding.message,
        "help": finding.help,
        "confidence": finding.confidence.value,
        "rank": finding.rank,
        "handler": site_document(finding.handler),
        "trace": [step_document(step) for step in finding.trace],
        "root": root_document(finding.root) if finding.root else None,
        "suppressed": suppression_document(finding.suppression) if finding.suppression else None,
    }


def site_document(site: Site) -> SiteDocument:
    return {"path": site.path, "line": site.line, "function": site.function}


def step_document(step: Step) -> StepDocument:
    return {"event": step.event.value, **site_document(step.site), "text": step.text}


def root_document(root: Root) -> RootDocument:
    return {**site_document(root.site), "cause": root.cause, "cure": root.cure}


def suppression_document(suppression: Suppression) -> SuppressionDocument:
    site = suppression.site
    return {"by": suppression.by, "reason": suppression.reason, "path": site.path, "line": site.line}
