"""The demo's network for an array of one's own, as a user would on the command line."""

import json

import pytest

from spcompile.cli import main

ARRAY = 'base = "sat-vcu1525"\ndescription = "a small array"\narray_rows = 8\nweight_load_cycles = 8\narray_lanes = 8\nwindow_columns = 64\nvector_lanes = 8\n'


@pytest.fixture(scope="module")
def made(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("array")
    (folder / "my_array.toml").write_text(ARRAY)
    words = [demo.model, "--target", str(folder / "my_array.toml"), "--budget", "1.6x", "--calib", demo.calibration, "--eval", demo.test]
    code = main([*words, "-o", str(folder / "made.spc"), "--quiet"])
    return code, folder / "made.spc", json.loads((folder / "made.spc/report.json").read_text())


def test_budget_accuracy_and_bits_hold(made):
    code, _, report = made
    assert code == 0 and report["verification"]["worst_relative_difference"] == 0.0
    assert report["accuracy"]["after"] > report["accuracy"]["before"] - 0.03
    simulated, planned = report["accelerator"]["latency"], report["predicted"]["plan"]
    assert simulated["basis"] == "simulated" and simulated["expected_s"] == pytest.approx(planned["expected_s"], rel=0.05)
    assert planned["basis"] == "analytic" and planned["expected_s"] <= report["predicted"]["dense"]["expected_s"] / 1.6 * 1.0001


def test_bf16_needs_no_calibration_and_holds_to_the_bit(demo, tmp_path):
    code = main([demo.model, "--target", "s4-bf16", "--budget", "1.005x", "--eval", demo.test, "-o", str(tmp_path / "made.spc"), "--quiet"])
    report = json.loads((tmp_path / "made.spc/report.json").read_text())
    assert code == 0 and report["verification"]["worst_relative_difference"] == 0.0
    assert report["verification"]["reference"].endswith("on the bf16 network")
    assert report["accuracy"]["after"] > report["accuracy"]["before"] - 0.03
    assert not list((tmp_path / "made.spc").glob("*.v")), "Verilog is of int8 arrays"


def test_zeros_are_packed_and_nobody_claims_to_have_measured(made):
    _, folder, report = made
    assert {"schedule.json", "weights.bin", "places.bin", "rows.bin", "quantised.onnx", "model.onnx"} <= {path.name for path in folder.iterdir()}
    assert any(" of " in step["packing"] for step in report["accelerator"]["steps"])
    assert (folder / "array-1of1.v").read_text().startswith("// 8 x 8 weight-stationary array of int8 multipliers, 1 of every 1 columns")
    assert "nobody measured it" in report["measured"]["reason"]


def test_what_no_processor_runs_is_not_run(made, demo, capsys):
    assert main(["run", str(made[1])]) == 2
    assert "only those for CPUs are loaded: a simulator alone runs it; model.onnx in it runs anywhere" in capsys.readouterr().err


def test_a_baseline_of_kernels_is_for_processors(made, tmp_path, capsys):
    assert main(["check", str(made[1]), "--baseline", str(tmp_path / "baseline.json"), "--update"]) == 2
    assert "of the family 'fpga'; only those for CPUs have kernels to look at" in capsys.readouterr().err


def test_threads_say_nothing_about_an_array(demo, tmp_path, capsys):
    assert main([demo.model, "--target", "s4", "--budget", "2x", "--threads", "2", "-o", str(tmp_path / "a.spc")]) == 2
    assert "s4 is one array: --threads 2 says nothing about it" in capsys.readouterr().err


def test_inspect_knows_what_each_pattern_brings(demo, capsys):
    assert main(["inspect", demo.model, "--target", "s4", "--json"]) == 0
    form = json.loads(capsys.readouterr().out)
    choices = {option["choice"] for layer in form["layers"] for option in layer["options"]}
    assert {"balanced32@0.96875", "1:32", "2:8"} <= choices and form["target"]["name"] == "s4"
    faster = [layer for layer in form["layers"] if any(option["latency"]["expected_s"] < layer["dense"]["expected_s"] for option in layer["options"])]
    assert faster and all(option["latency"]["basis"] == "analytic" for layer in faster for option in layer["options"])
