"""A result as JUnit XML, which every CI service reads: a figure is a test case, a place its class."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from spcompile.check.check import Result
from spcompile.check.compare import BETTER, SKIPPED, WORSE, Finding
from spcompile.check.wording import sentence


def to_junit(result: Result) -> str:
    """One test suite; worse is a failure, not compared is skipped, better is a pass that says so."""
    counts = {"tests": len(result.findings), "failures": len(result.of(WORSE)), "errors": 0, "skipped": len(result.of(SKIPPED))}
    suites = Element("testsuites")
    suite = SubElement(suites, "testsuite", {"name": f"spcompile check {result.artifact}"} | {name: str(count) for name, count in counts.items()})
    for finding in result.findings:
        _case(suite, finding)
    SubElement(suite, "system-out").text = "\n".join((result.headline, *result.notes))
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: Element, finding: Finding) -> None:
    case = SubElement(suite, "testcase", {"classname": f"spcompile.{finding.place}", "name": finding.figure.name})
    if finding.outcome == WORSE:
        SubElement(case, "failure", {"message": sentence(finding), "type": "regression"})
    elif finding.outcome == SKIPPED:
        SubElement(case, "skipped", {"message": finding.reason})
    elif finding.outcome == BETTER:
        SubElement(case, "system-out").text = f"{sentence(finding)}; write a new baseline with --update"
