"""A result as JUnit XML, which every CI service reads: a figure is a test case, a place its class."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from spcompile.check.check import Result
from spcompile.check.compare import BETTER, MISSED, SKIPPED, WORSE, Finding
from spcompile.check.wording import sentence


def to_junit(result: Result) -> str:
    """One test suite."""
    suites = Element("testsuites")
    add_suite(suites, f"spcompile check {result.artifact}", result)
    return written(suites)


def written(suites: Element) -> str:
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def add_suite(suites: Element, name: str, result: Result) -> None:
    """Worse and missed are failures, not compared is skipped, better is a pass that says so."""
    counts = {"tests": len(result.findings), "failures": len(result.failures), "errors": 0, "skipped": len(result.of(SKIPPED))}
    suite = SubElement(suites, "testsuite", {"name": name} | {name: str(count) for name, count in counts.items()})
    for finding in result.findings:
        _case(suite, finding)
    SubElement(suite, "system-out").text = "\n".join((result.headline, *result.notes))


def _case(suite: Element, finding: Finding) -> None:
    case = SubElement(suite, "testcase", {"classname": f"spcompile.{finding.place}", "name": finding.figure.name})
    if finding.outcome in (WORSE, MISSED):
        SubElement(case, "failure", {"message": sentence(finding), "type": "regression" if finding.outcome == WORSE else "limit missed"})
    elif finding.outcome == SKIPPED:
        SubElement(case, "skipped", {"message": finding.reason})
    elif finding.outcome == BETTER:
        SubElement(case, "system-out").text = f"{sentence(finding)}; write a new baseline with --update"
