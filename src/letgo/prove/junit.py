"""An outcome as JUnit XML, a test case for each threshold (https://github.com/testmoapp/junitxml)."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from letgo.prove import units
from letgo.prove.outcome import Outcome, Verdict


def render_junit(outcome: Outcome) -> str:
    judgements, title = outcome.judgements, _legal(outcome.title)
    failed = sum(judgement.passed is False for judgement in judgements)
    errors = 1 if outcome.verdict is Verdict.INCOMPLETE else 0
    counts = {"tests": str(len(judgements) + errors), "failures": str(failed), "errors": str(errors)}
    suites = Element("testsuites", {"name": "letgo prove", **counts})
    suite = SubElement(
        suites,
        "testsuite",
        {"name": title, "time": f"{outcome.seconds:.3f}", "timestamp": outcome.started, **counts},
    )
    for judgement in judgements:
        case = SubElement(suite, "testcase", {"classname": title, "name": judgement.threshold})
        measured = units.of_kind(judgement.measured, judgement.kind)
        if judgement.passed is False:
            SubElement(case, "failure", {"message": f"measured {measured}"})
        elif judgement.passed is None:
            SubElement(case, "skipped", {"message": "could not be seen"})
    if errors:
        case = SubElement(suite, "testcase", {"classname": title, "name": "the run gets to its end"})
        SubElement(case, "error", {"message": _legal("; ".join(outcome.incomplete))})
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _legal(text: str) -> str:
    """Without the characters that XML has no place for."""
    return "".join(char for char in text if char in "\t\n" or char.isprintable())
