"""JUnit XML: a suite for each file, a failed case for each finding. For CI systems that show nothing else."""

import re
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from letgo.holds import Finding
from letgo.report.outcome import Outcome, place

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped (https://www.w3.org/TR/xml/#charsets)."""


def render(outcome: Outcome) -> str:
    """Findings fail, suppressed ones are skipped, unreadable files and stale suppressions are errors.

    A clean run has one passing case, since many readers take an empty report for a broken one.
    """
    suites = Element("testsuites", name="letgo", time=f"{outcome.seconds:.3f}")
    found = sorted((*outcome.findings, *outcome.suppressed), key=lambda finding: (finding.site.path, finding.site.line))
    for path, findings in groupby(found, key=lambda finding: finding.site.path):
        suite = SubElement(suites, "testsuite", name=text(path))
        for finding in findings:
            _add_finding(suite, finding)
    problems = [(place(bad.path, bad.line), "unreadable", bad.reason) for bad in outcome.unreadable] + [
        (place(stale.site.path, stale.site.line), "stale suppression", f"{stale.what}; {stale.cure}")
        for stale in outcome.stale
    ]
    if problems:
        suite = SubElement(suites, "testsuite", name="letgo")
        for where, kind, reason in problems:
            case = SubElement(suite, "testcase", name=text(f"{kind}: {where}"), classname="letgo")
            SubElement(case, "error", type=kind, message=text(reason))
    if len(suites) == 0:
        suite = SubElement(suites, "testsuite", name="letgo")
        SubElement(suite, "testcase", name="no transaction is held", classname="letgo")
    for suite in suites:
        _count(suite)
    for kind in ("tests", "failures", "errors", "skipped"):
        suites.set(kind, str(sum(int(suite.get(kind, "0")) for suite in suites)))
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _add_finding(suite: Element, finding: Finding) -> None:
    name = f"{finding.code} {finding.handler.function}:{finding.site.line}"
    module = finding.site.path.removesuffix(".py").replace("/", ".")
    case = SubElement(suite, "testcase", name=text(name), classname=text(module))
    case.set("file", text(finding.site.path))
    case.set("line", str(finding.site.line))
    if finding.suppression:
        SubElement(case, "skipped", message=text(f"{finding.suppression.by}: {finding.suppression.reason}"))
        return
    failure = SubElement(case, "failure", type=finding.rule, message=text(finding.message))
    steps = [f"{place(step.site.path, step.site.line)} {step.event}: {step.text}" for step in finding.trace]
    failure.text = text("\n".join((f"{finding.message} [{finding.confidence}]", *steps, finding.help)))


def _count(suite: Element) -> None:
    suite.set("tests", str(len(suite)))
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(sum(case.find(tag) is not None for case in suite)))


def text(content: str) -> str:
    """The content with a replacement character for whatever XML cannot hold."""
    return NOT_XML.sub("\ufffd", content)
