"""spcompile MODEL.onnx --target T --budget B, from the file to a running network."""

import json
import os

import numpy as np
import onnx_ir as ir
import pytest

import spcompile
from spcompile.cli import main
from spcompile.errors import ArtifactError
from spcompile.ir.layers import find_layers, weight
from spcompile.ir.session import run as run_reference
from spcompile.lowering.tuning_store import user_store
from spcompile.patterns import parse_choice
from spcompile.report import from_json
from spcompile.report.facts import Accuracy, Measurement, Verification
from spcompile.runtime import emulator
from spcompile.runtime.artifact import read_manifest

FILES = {"manifest.json", "model.onnx", "library.so", "values.npy", "indices.npy", "kernels.json", "report.json", "report.html"}


@pytest.fixture(params=["host", "arm"])
def compiled(request, for_host, for_arm):
    return {"host": for_host, "arm": for_arm}[request.param]


def report_of(compiled):
    return from_json(json.loads((compiled.folder / "report.json").read_text()))


class TestArtifact:
    def test_is_a_folder_of_plain_files(self, compiled):
        assert {path.name for path in compiled.folder.iterdir()} == FILES
        assert set(read_manifest(compiled.folder)["files"]) == FILES - {"manifest.json"}

    def test_leaves_nothing_beside_it(self, compiled):
        assert [path.name for path in compiled.folder.parent.iterdir()] == ["artifact"]

    def test_model_is_plain_onnx_with_the_plan_s_zeros(self, compiled):
        model = ir.load(compiled.folder / "model.onnx")
        plan = read_manifest(compiled.folder)["plan"]
        for layer in find_layers(model):
            choice = parse_choice(plan[layer.name])
            zeros = float((weight(model, layer) == 0).mean())
            assert zeros >= choice.sparsity - 0.02, (layer.name, choice.notation, zeros)
            assert choice.pattern.check(weight(model, layer) != 0), layer.name

    def test_page_is_self_contained(self, compiled):
        page = (compiled.folder / "report.html").read_text()
        assert "<svg" in page and "http-equiv" in page and 'src="http' not in page


class TestReport:
    def test_budget_is_kept_by_prediction(self, compiled):
        plan = report_of(compiled).plan
        assert plan.feasible and plan.latency.expected_s <= plan.budget_s < plan.dense_latency.expected_s

    def test_accuracy_hardly_suffers_where_there_are_data(self, compiled):
        accuracy = report_of(compiled).accuracy
        assert isinstance(accuracy, Accuracy) and accuracy.samples == 1000
        assert accuracy.before > 0.91 and accuracy.before - accuracy.after < 0.02

    def test_every_layer_has_a_reason(self, compiled):
        assert all(entry.why for entry in report_of(compiled).plan.layers)


class TestHost:
    def test_checked_and_measured_here(self, for_host):
        report = report_of(for_host)
        assert isinstance(report.verification, Verification) and report.verification.holds and report.verification.real_inputs > 0
        assert report.verification.where == "this host" and isinstance(report.measured, Measurement)

    def test_runs_as_onnx_runtime_runs_the_pruned_model(self, for_host, demo):
        x = np.load(demo.test)["x"][:1]
        expected = run_reference(ir.load(for_host.folder / "model.onnx"), {"pixels": x})
        found = spcompile.load(for_host.folder).run(x)
        np.testing.assert_allclose(found["logits"], expected["logits"], rtol=1e-4, atol=1e-4 * np.abs(expected["logits"]).max())

    def test_run_command(self, for_host, capsys):
        assert main(["run", str(for_host.folder), "--repeat", "3", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["outputs"]["logits"]["shape"] == [1, 10]

    def test_changed_library_is_refused(self, for_host, tmp_path):
        copy = tmp_path / "copy"
        copy.mkdir()
        for path in for_host.folder.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        with (copy / "library.so").open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"x")
        with pytest.raises(ArtifactError, match="changed since compiling"):
            spcompile.load(copy)


class TestArm:
    def test_library_is_arm_code(self, for_arm):
        header = (for_arm.folder / "library.so").read_bytes()[:20]
        assert header[:4] == b"\x7fELF" and int.from_bytes(header[18:20], "little") == 183  # EM_AARCH64

    def test_checked_in_the_emulator_where_there_is_one(self, for_arm):
        check = report_of(for_arm).verification
        assert isinstance(check, Verification) == bool(emulator.available())
        assert not emulator.available() or ("aarch64 emulator" in check.where and check.holds)

    def test_cannot_be_loaded_here(self, for_arm):
        if os.uname().machine == "aarch64":
            pytest.skip("this machine runs ARM code")
        with pytest.raises(ArtifactError, match=r"raspberry-pi-4 and cannot run here.*aarch64"):
            spcompile.load(for_arm.folder)

    def test_alias_is_explained(self, for_arm):
        assert "arm" in report_of(for_arm).target.alias and "Raspberry Pi 4" in report_of(for_arm).target.alias


def test_infeasible_budget_gives_the_fastest_plan_and_exit_code_1(demo, tmp_path, capsys):
    code = main([demo.model, "--target", "arm", "--budget", "1us", "-o", str(tmp_path / "a"), "--quiet"])
    report = from_json(json.loads((tmp_path / "a/report.json").read_text()))
    assert code == 1 and not report.plan.feasible
    assert "no plan keeps" in capsys.readouterr().err
    assert report.plan.latency.expected_s == pytest.approx(min(point.latency_s for point in report.frontier))


def test_without_calibration_says_what_that_costs(demo, tmp_path):
    assert main([demo.model, "--target", "arm", "--budget", "1.2x", "-o", str(tmp_path / "a"), "--quiet"]) == 0
    report = from_json(json.loads((tmp_path / "a/report.json").read_text()))
    assert "no calibration data" in report.calibration.reason and report.notes


def test_max_drop_is_kept(demo, tmp_path):
    words = ["--target", "arm", "--max-drop", "1%", "--patterns", "unstructured,block4x1", "--calib", demo.calibration, "--eval", demo.test]
    assert main([demo.model, *words, "-o", str(tmp_path / "a"), "--quiet"]) == 0
    report = from_json(json.loads((tmp_path / "a/report.json").read_text()))
    assert report.accuracy.before - report.accuracy.after <= 0.01 + 1e-9
    assert report.plan.latency.expected_s < report.plan.dense_latency.expected_s
    assert report.outcome and not report.warnings


def test_recovery_keeps_the_plan_and_is_told(demo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["--target", "arm", "--budget", "2.5x", "--calib", demo.calibration, "--eval", demo.test, "--recover", "4s"]
    assert main([demo.model, *words, "-o", str(tmp_path / "a"), "--quiet"]) == 0
    report = from_json(json.loads((tmp_path / "a/report.json").read_text()))
    assert report.request.recover == "4s" and next(stage.wall_s for stage in report.stages if stage.name == "recover") > 1
    assert report.accuracy.after > report.accuracy.pruned - 0.01
    assert any("recovered without labels" in note for note in report.notes)
    model = ir.load(tmp_path / "a/model.onnx")
    for layer in find_layers(model):
        choice = report.plan.choices[layer.name]
        assert choice.pattern.check(weight(model, layer) != 0) and (weight(model, layer) == 0).mean() >= choice.sparsity - 0.02
    assert not any((tmp_path / "cache").rglob("*.pt")), "a recovery that has ended leaves nothing behind"


def test_recovery_lets_a_faster_plan_keep_the_accuracy(demo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["--target", "arm", "--max-drop", "1%", "--calib", demo.calibration, "--eval", demo.test, "--quiet"]
    assert main([demo.model, *words, "-o", str(tmp_path / "pruned")]) == 0
    assert main([demo.model, *words, "-o", str(tmp_path / "recovered"), "--recover", "4s"]) == 0
    pruned, recovered = (from_json(json.loads((tmp_path / name / "report.json").read_text())) for name in ("pruned", "recovered"))
    assert recovered.accuracy.before - recovered.accuracy.after <= 0.01 + 1e-9
    assert recovered.plan.latency.expected_s <= pruned.plan.latency.expected_s


def test_model_without_a_prunable_layer_compiles_dense_and_says_so(build, tmp_path):
    model = build("g (float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Relu(x) }")
    result = spcompile.compile(model, target="host", budget="1x", output=tmp_path / "a")
    assert any("no layer" in warning for warning in result.report.warnings)
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(spcompile.load(result.artifact).run(x)["y"], np.maximum(x, 0))


def test_measure_keeps_the_measured_budget(demo, tmp_path):
    """Noise may exceed it now and then, which is said and gives exit code 1; what was promised is what is written."""
    code = main([demo.model, "--target", "host", "--budget", "1.5x", "--measure", "-o", str(tmp_path / "a"), "--quiet"])
    report = from_json(json.loads((tmp_path / "a/report.json").read_text()))
    assert report.request.measure and isinstance(report.measured, Measurement)
    assert len(user_store().variants()) > 5  # kernels that were measured too
    assert code == (0 if report.outcome else 1)


def test_inspect_prunes_nothing(demo, capsys):
    assert main(["inspect", demo.model, "--target", "cortex-a72", "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert len(layers) > 5 and all(layer["options"] or layer["refusals"] for layer in layers)


@pytest.mark.parametrize(
    ("words", "dtype"), [(["--target", "a100", "--budget", "2ms"], "float16"), (["--target", "h100", "--dtype", "bf16", "--budget", "1x"], "bfloat16")]
)
def test_a_gpu_is_planned_and_compiled_for_without_one(demo, tmp_path, words, dtype):
    """To a report with predicted times, CUDA source and a TVM library."""
    assert main([demo.model, *words, "--calib", demo.calibration, "-o", str(tmp_path / "out"), "--quiet"]) == 0
    report = from_json(json.loads((tmp_path / "out" / "report.json").read_text()))
    assert report.plan.latency.basis == "analytic" and report.plan.feasible and read_manifest(tmp_path / "out")["dtype"] == dtype
    assert {"kernels.cu", "library.so", "launches.json", "report.html"} <= {path.name for path in (tmp_path / "out").iterdir()}
