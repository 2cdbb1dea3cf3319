"""SARIF 2.1.0, the format of code scanning (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html)."""

import json
import os
from typing import Any, TypeAlias
from urllib.parse import quote

from letgo import __version__
from letgo.holds import Confidence, Event, Finding, Site, Step, Suppression
from letgo.report.fingerprint import fingerprints
from letgo.report.outcome import Outcome
from letgo.rules.rule import Rule

Object: TypeAlias = dict[str, Any]
"""A JSON object."""

LEVEL = {Confidence.CERTAIN: "error", Confidence.LIKELY: "warning"}

IMPORTANCE = {Event.OPENED: "essential", Event.WAIT: "essential", Event.NEVER_RELEASED: "essential"}


def render(outcome: Outcome) -> str:
    """One run. Suppressed findings are in it, marked; the steps of each trace are a code flow."""
    findings = (*outcome.findings, *outcome.suppressed)
    codes = {rule.code: number for number, rule in enumerate(outcome.rules)}
    run = {
        "tool": {
            "driver": {
                "name": "letgo",
                "version": __version__,
                "rules": [_rule(rule) for rule in outcome.rules],
            }
        },
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The directory that letgo ran in."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not outcome.unreadable,
                "exitCode": outcome.exit_code,
                "toolExecutionNotifications": _notifications(outcome),
            }
        ],
        "results": [
            _result(finding, fingerprint, codes)
            for finding, fingerprint in zip(findings, fingerprints(findings), strict=True)
        ],
    }
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2) + "\n"


def _rule(rule: Rule) -> Object:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {"text": rule.page, "markdown": rule.page},
        "defaultConfiguration": {"enabled": not (rule.preview or rule.strict), "level": "error"},
        "properties": {"tags": ["database", "transactions", rule.group.value]},
    }


def _result(finding: Finding, fingerprint: str, codes: dict[str, int]) -> Object:
    result: Object = {
        "ruleId": finding.code,
        "level": LEVEL[finding.confidence],
        "rank": float(max(0, min(100, finding.rank))),
        "message": {"text": f"{finding.message}\n{finding.help}"},
        "locations": [_location(finding.site)],
        "partialFingerprints": {"letgo/v1": fingerprint},
        "suppressions": [_suppression(finding.suppression)] if finding.suppression else [],
        "properties": {"confidence": finding.confidence.value},
    }
    if finding.code in codes:
        result["ruleIndex"] = codes[finding.code]
    if finding.trace:
        result["codeFlows"] = [{"threadFlows": [{"locations": _steps(finding.trace)}]}]
    if finding.root:
        result["relatedLocations"] = [_location(finding.root.site, finding.root.cause)]
    return result


def _steps(trace: tuple[Step, ...]) -> list[Object]:
    locations = []
    depth = 0
    for step in trace:
        locations.append(
            {
                "location": _location(step.site, step.text),
                "nestingLevel": depth,
                "importance": IMPORTANCE.get(step.event, "important"),
            }
        )
        depth = depth + 1 if step.event is Event.CALL else 0
    return locations


def _location(site: Site, message: str = "") -> Object:
    location: Object = {
        "physicalLocation": _physical(site.path, site.line),
        "logicalLocations": [{"fullyQualifiedName": site.function, "kind": "function"}],
    }
    return {**location, "message": {"text": message}} if message else location


def _physical(path: str, line: int) -> Object:
    physical: Object = {"artifactLocation": {"uri": quote(os.fsencode(path)), "uriBaseId": "%SRCROOT%"}}
    return {**physical, "region": {"startLine": line}} if line > 0 else physical


def _suppression(suppression: Suppression) -> Object:
    return {
        "kind": "inSource" if suppression.by == "inline" else "external",
        "justification": suppression.reason,
        "location": _location(suppression.site),
        "properties": {"by": suppression.by},
    }


def _notifications(outcome: Outcome) -> list[Object]:
    places = [
        (found.path, found.line, f"{found.path} could not be read: {found.reason}") for found in outcome.unreadable
    ]
    places += [(stale.site.path, stale.site.line, f"{stale.what}; {stale.cure}") for stale in outcome.stale]
    return [
        {"level": "error", "message": {"text": text}, "locations": [{"physicalLocation": _physical(path, line)}]}
        for path, line, text in places
    ]
