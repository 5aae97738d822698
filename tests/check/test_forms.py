"""One result in every form, read back with the readers that CI services use."""

import json
from xml.etree import ElementTree

import pytest

from spcompile.check import RENDERERS, to_markdown
from spcompile.check.check import Result
from spcompile.check.compare import BETTER, SAME, SKIPPED, WHOLE, WORSE, Finding
from spcompile.check.figures import ACCURACY, LATENCY, MACS, PREDICTED

ODD = 'a|b <c> "d" & 100%: e, [f]_g\n::error::h'  # what a model may call a layer
FINDINGS = (
    Finding(WHOLE, LATENCY, None, None, 0.0, SKIPPED, "measured in another environment"),
    Finding(WHOLE, MACS, 1000.0, 1000.0, 0.005, SAME),
    Finding(WHOLE, ACCURACY, 0.915, 0.92, 0.005, BETTER),
    Finding(ODD, PREDICTED, 500.0, 515.0, 0.005, WORSE),
    Finding("relu", PREDICTED, None, 40.0, 0.005, WORSE, "new since the baseline"),
)
RESULT = Result("net.spc", "baseline.json", FINDINGS, ("a note",))
FINE = Result("net.spc", "baseline.json", FINDINGS[:2], ())


@pytest.mark.parametrize("form", RENDERERS)
@pytest.mark.parametrize("result", [RESULT, FINE], ids=["regression", "fine"])
def test_every_form_tells_the_headline_and_ends_its_last_line(form, result):
    text = RENDERERS[form](result)
    assert result.headline.split(":")[0] in text and text.endswith("\n")


def test_headlines():
    assert RESULT.headline == "regression: 2 figures worse, 1 figures better, 1 figures the same, 1 not compared"
    assert FINE.headline == "fine: 1 figures the same, 1 not compared"
    better = Result("net.spc", "b.json", FINDINGS[:3], ())
    assert better.headline == "fine, and better: 1 figures better, 1 figures the same, 1 not compared; write a new baseline with --update"


def test_json_holds_every_finding():
    form = json.loads(RENDERERS["json"](RESULT))
    assert (form["schema"], form["outcome"], form["new_baseline_asked"]) == (1, "regression", False)
    assert [(finding["place"], finding["figure"], finding["outcome"]) for finding in form["findings"]] == [
        (finding.place, finding.figure.name, finding.outcome) for finding in FINDINGS
    ]
    assert form["findings"][3]["change"] == pytest.approx(0.03)
    assert form["findings"][4]["was"] is None and form["findings"][4]["change"] is None


def test_junit_is_xml_with_a_case_for_every_figure():
    root = ElementTree.fromstring(RENDERERS["junit"](RESULT))
    suite = root.find("testsuite")
    cases = suite.findall("testcase")
    assert root.tag == "testsuites"
    assert {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")} == {"tests": 5, "failures": 2, "errors": 0, "skipped": 1}
    assert [case.get("name") for case in cases] == [finding.figure.name for finding in FINDINGS]
    assert [[child.tag for child in case] for case in cases] == [["skipped"], [], ["system-out"], ["failure"], ["failure"]]
    assert "500 cycles -> 515 cycles +3.0 %" in cases[3].find("failure").get("message")


def test_annotations_are_one_command_a_line():
    lines = RENDERERS["github"](RESULT).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "::error", "::notice", "::notice"]
    title, _, message = lines[0].removeprefix("::error title=").partition("::")
    assert "\n" not in title and ":" not in title and "," not in title and "100%25%3A e%2C" in title and "%0A" in title
    assert message.startswith("worse: 500 cycles -> 515 cycles +3.0 %25 (allowed 0.5%25)")


def test_the_step_summary_is_a_table_that_odd_names_cannot_break():
    lines = to_markdown(RESULT).splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 1 + 5
    assert all(row.replace("\\|", "").count("|") == 7 for row in rows)
    assert lines[0].startswith("### spcompile check: regression") and "- a note" in lines


def test_text_shows_what_differs_and_the_reasons():
    text = RENDERERS["text"](RESULT)
    assert "new since the baseline" in text and "+3.0 %" in text and "1,000 MAC" in text and "a note" in text
