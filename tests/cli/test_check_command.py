"""spcompile check, with a check that only answers what it is told."""

import json
from types import SimpleNamespace

import pytest

import spcompile.check as package
from spcompile.check.check import Result
from spcompile.check.compare import SAME, WHOLE, WORSE, Finding
from spcompile.check.figures import MACS

FINE = Result("net.spc", "b.json", (Finding(WHOLE, MACS, 10.0, 10.0, 0.005, SAME),), ("a note",))
WORSE_RESULT = Result("net.spc", "b.json", (Finding(WHOLE, MACS, 10.0, 11.0, 0.005, WORSE),), ())


@pytest.fixture
def checker(monkeypatch):
    """`calls` holds the arguments; `result` is what a check answers with."""
    made = SimpleNamespace(calls=[], result=FINE)

    def check(*given):
        made.calls.append(given[:-1])
        return made.result

    def update(*given):
        made.calls.append(given[:-1])
        return SimpleNamespace(layers=(1, 2), model="net", target="zen4")

    monkeypatch.setattr(package, "check", check)
    monkeypatch.setattr(package, "update", update)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return made


def test_fine_is_0_and_a_regression_1(cli, checker):
    outcome = cli("check", "net.spc", "--baseline", "b.json", "--tolerance", "5%")
    assert outcome.code == 0 and outcome.out.startswith("fine: 1 figures the same")
    assert checker.calls == [("net.spc", "b.json", None, 0.05)]
    checker.result = WORSE_RESULT
    assert cli("check", "net.spc", "--against", "old.spc").code == 1
    assert checker.calls[1] == ("net.spc", None, "old.spc", None)


def test_update_writes_and_says_what(cli, checker):
    outcome = cli("check", "net.spc", "--baseline", "b.json", "--update")
    assert outcome.code == 0 and outcome.out == "b.json: figures of 2 layers of net on zen4\n"
    assert checker.calls == [("net.spc", "b.json")]


def test_a_form_goes_to_standard_output_or_to_a_file(cli, checker, tmp_path):
    assert json.loads(cli("check", "net.spc", "--baseline", "b.json", "--format", "json").out)["outcome"] == "fine"
    outcome = cli("check", "net.spc", "--baseline", "b.json", "--format", "junit", "-o", tmp_path / "out.xml")
    assert outcome.out == "fine: 1 figures the same, 0 not compared\n" and "<testsuites>" in (tmp_path / "out.xml").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out.xml"]


def test_the_step_summary_is_appended_where_github_asks_for_it(cli, checker, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    cli("check", "net.spc", "--baseline", "b.json")
    assert summary.read_text() == "before\n"
    assert cli("check", "net.spc", "--baseline", "b.json", "--format", "github").out.startswith("::notice")
    assert summary.read_text().startswith("before\n### spcompile check: fine")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no artifact given"),
        (("net.spc",), "no baseline given"),
        (("net.spc", "--update"), "no baseline given"),
        (("net.spc", "--baseline", "b.json", "--update", "--against", "old.spc"), "--update compares nothing"),
        (("net.spc", "--baseline", "b.json", "--tolerance", "5"), "write for example 5%"),
        (("net.spc", "--baseline", "b.json", "--tolerance", "0%"), "between 0% and 100%"),
        (("net.spc", "--baseline", "b.json", "--tolerance", "-5%"), "between 0% and 100%"),
        (("net.spc", "--baseline", "b.json", "--format", "yaml"), "invalid choice: 'yaml'"),
    ],
)
def test_mistakes_are_one_line(cli, checker, words, said):
    outcome = cli("check", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1) and said in outcome.err
    assert checker.calls == []


def test_what_is_missing_is_one_line(cli, tmp_path):
    outcome = cli("check", tmp_path, "--baseline", tmp_path / "b.json")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1) and "there is no baseline" in outcome.err
