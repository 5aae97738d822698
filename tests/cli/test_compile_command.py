import json
from dataclasses import replace
from pathlib import Path

import pytest

from spcompile.progress import Lines, Silent
from spcompile.report import from_json
from spcompile.report.headline import headline

PLAIN = ("--target", "arm", "--budget", "3ms")


def test_the_shortest_form(cli, compiler, model):
    outcome = cli(model, *PLAIN)
    assert (outcome.code, outcome.err) == (0, "")
    (called, given), *others = compiler.calls
    assert (called, others) == (model, [])
    assert isinstance(given.pop("progress"), Lines)
    assert given == {
        "target": "arm",
        "budget": "3ms",
        "max_drop": None,
        "calibration": None,
        "evaluate": None,
        "recover": None,
        "patterns": None,
        "threads": 1,
        "dtype": None,
        "input_shapes": None,
        "seed": 0,
        "measure": False,
        "prune": None,
        "output": None,
        "force": False,
    }


def test_every_option_arrives(cli, compiler, model):
    words = "--target my_board.toml --budget 2x --max-drop 1% --calib images --eval test.npz --patterns unstructured,2:4 --threads 4 --dtype bf16"
    more = "--input-shape x=1,3,32,32 --input-shape tokens=1x128 --seed 7 --measure --pruner magnitude --recover 10min -o out --force --quiet"
    assert cli(model, *words.split(), *more.split()).code == 0
    given = compiler.calls[0][1]
    assert isinstance(given.pop("progress"), Silent)
    assert given == {
        "target": "my_board.toml",
        "budget": "2x",
        "max_drop": "1%",
        "calibration": "images",
        "evaluate": "test.npz",
        "recover": "10min",
        "patterns": "unstructured,2:4",
        "threads": 4,
        "dtype": "bf16",
        "input_shapes": {"x": (1, 3, 32, 32), "tokens": (1, 128)},
        "seed": 7,
        "measure": True,
        "prune": "magnitude",
        "output": "out",
        "force": True,
    }


def test_options_may_come_before_the_model(cli, compiler, model):
    assert cli(*PLAIN, model).code == 0
    assert compiler.calls[0][0] == model


def test_recovery_needs_inputs_to_learn_from(cli, compiler, model):
    outcome = cli(model, *PLAIN, "--recover", "10min")
    assert (outcome.code, compiler.calls) == (2, [])
    assert outcome.err == "spcompile: error: --recover needs typical inputs to learn from, no labels: --calib FILE.npz or a folder of images\n"


def test_a_model_named_like_a_command_is_given_as_a_path(cli, compiler, model):
    Path("run").write_bytes(b"")
    assert cli("./run", *PLAIN).code == 0
    assert compiler.calls[0][0] == "./run"


def test_the_report_is_shown_with_the_page(cli, compiler, model):
    out = cli(model, *PLAIN).out
    assert out.splitlines()[0] == headline(compiler.report)
    assert "refused" in out
    assert out.splitlines()[-1] == "net-arm.spc/report.html"


def test_quiet_leaves_the_headline_and_the_page(cli, compiler, model):
    assert cli(model, *PLAIN, "--quiet").out.splitlines() == [headline(compiler.report), "net-arm.spc/report.html"]


def test_json_is_the_report_and_nothing_else(cli, compiler, model):
    assert from_json(json.loads(cli(model, *PLAIN, "--json").out)) == compiler.report


@pytest.mark.parametrize("form", [(), ("--quiet",), ("--json",)])
def test_an_infeasible_budget_is_reported_and_exits_with_1(cli, compiler, model, samples, form):
    compiler.report = samples.report(1, "0.1ms")
    outcome = cli(model, *PLAIN, *form)
    assert outcome.code == 1
    assert outcome.err == f"spcompile: {compiler.report.outcome.reason}\n"
    assert "resnet8" in outcome.out


def test_a_regression_exits_with_1(cli, compiler, model, samples):
    compiler.report = replace(compiler.report, measured=samples.measurement(0.001, 0.0012))
    outcome = cli(model, *PLAIN)
    assert outcome.code == 1
    assert "slower than dense" in outcome.err
