"""`compile` and `inspect` for GPUs, on a machine that has none."""

import json

import numpy as np
import onnx_ir as ir
import pytest

import spcompile
from spcompile.compiler.inputs import prepared
from spcompile.compiler.toolchains import toolchain_for
from spcompile.errors import ArtifactError, TargetError
from spcompile.patterns import parse_patterns
from spcompile.runtime import nvcc
from spcompile.targets import load_target


@pytest.fixture
def network(build, tmp_path):
    """A file: a wide layer where 2:4 pays, and a classifier where it does not."""
    values = np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32) / 32
    text = "g (float[4096,1024] x) => (float[4096,10] y) { a = MatMul(x,w) b = Relu(a) y = MatMul(b,w2) }"
    path = tmp_path / "network.onnx"
    ir.save(build(text, w=values, w2=values[:, :10].copy()), path)
    return path


def compiled(network, tmp_path, **given):
    return spcompile.compile(network, output=tmp_path / "artifact", **{"target": "a100", "budget": "1.01x", **given})


def test_two_of_four_is_chosen_where_it_wins_alone(network, tmp_path):
    result = compiled(network, tmp_path, patterns="2:4")
    assert [entry.chosen.choice.notation for entry in result.plan.layers] == ["2:4", "dense"]
    assert result.plan.latency.basis == "analytic" and result.plan.latency.expected_s < result.plan.dense_latency.expected_s
    files = {path.name for path in result.artifact.iterdir()}
    assert {"kernels.cu", "library.so", "launches.json", "values.npy", "words.npy", "manifest.json", "report.html"} <= files
    assert ({"kernels.ptx", "kernels.cubin"} <= files) == bool(nvcc.available())
    launches = json.loads((result.artifact / "launches.json").read_text())["launches"]
    assert any("sparse24" in launch["kernel"] for launch in launches)


def test_without_nvcc_the_report_says_what_to_install(network, tmp_path, monkeypatch):
    monkeypatch.setattr(nvcc, "nvcc", lambda: None)
    result = compiled(network, tmp_path)
    assert "pip install nvidia-cuda-nvcc" in result.report.verification.reason
    assert (result.artifact / "kernels.cu").is_file() and not (result.artifact / "kernels.cubin").exists()


def test_blocks_are_skipped(network, tmp_path):
    result = compiled(network, tmp_path, patterns="block64x64", budget="2x")
    assert result.plan.layers[0].chosen.choice.pattern.notation == "block64x64" and result.plan.feasible
    assert "blocks64" in (result.artifact / "launches.json").read_text()


def test_vectors_are_skipped(network, tmp_path):
    result = compiled(network, tmp_path, patterns="block8x1", budget="1.2x")
    assert result.plan.layers[0].chosen.choice.pattern.notation == "block8x1" and result.plan.feasible
    assert "vectors8" in (result.artifact / "launches.json").read_text()


def test_what_the_pruner_cannot_do_is_left_out_of_the_plan(network, tmp_path):
    """Of the patterns that the target offers; those that a user names are refused at once."""
    layer = compiled(network, tmp_path, prune="sparsegpt").plan.layers[0]
    refusals = {refusal.pattern: refusal.reason for refusal in layer.refusals}
    assert layer.chosen.choice.notation == "2:4"
    assert all("sparsegpt settles column by column" in refusals[pattern] for pattern in ("block16x16", "block32x32", "block64x64", "channel"))


def test_bf16_is_asked_for_by_name(network, tmp_path):
    result = compiled(network, tmp_path, target="h100", dtype="bf16")
    assert json.loads((result.artifact / "manifest.json").read_text())["dtype"] == "bfloat16"
    assert "bf16" in (result.artifact / "launches.json").read_text()


@pytest.mark.parametrize(("target", "taken"), [("a100", ["dense", "2:4"]), ("t4", ["dense"])])
def test_patterns_that_no_layer_takes_have_no_say_in_the_order_of_channels(network, target, taken):
    model, patterns = prepared(network, None, None), parse_patterns("dense,2:4,unstructured")
    assert [pattern.notation for pattern in toolchain_for(load_target(target), 1).taken(model, patterns)] == taken


def test_an_old_card_is_planned_for_only(network, tmp_path):
    result = compiled(network, tmp_path, target="t4")
    assert "planned for, not compiled for" in result.report.verification.reason
    refusals = {refusal.pattern: refusal.reason for refusal in result.plan.layers[0].refusals}
    assert refusals["2:4"] == "t4 has no sparse tensor cores"


def test_a_gpus_artifact_is_not_loaded_on_a_cpu(network, tmp_path):
    with pytest.raises(ArtifactError, match=r"compiled for a100, only those for CPUs are loaded: .*GpuExecutor runs it"):
        spcompile.load(compiled(network, tmp_path).artifact)


def test_blocks_that_share_no_tile_are_not_foretold_to_pay(network):
    """16 rows are a quarter of a tile: at 30 % zeros nearly every tile keeps every block, and dense is compiled."""
    options = spcompile.inspect(network, target="a100", patterns="block16x16").layers[0]
    times = {option.choice.sparsity: option.latency.expected_s for option in options.options}
    assert times[0.3] == options.dense.expected_s and times[0.9] < 0.5 * options.dense.expected_s


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("1:4", "2:4 alone; 1:4 would be no faster"),
        ("4:8", "2:4 alone; 4:8 would be no faster"),
        ("unstructured", "tensor cores multiply whole tiles"),
        ("block4x1", "no GPU kernel that skips the zeros of block4x1"),
    ],
)
def test_patterns_without_a_kernel_are_refused(network, pattern, reason):
    found = spcompile.inspect(network, target="a100", patterns=pattern)
    assert all(reason in refusal.reason for entry in found.layers for refusal in entry.refusals)
    assert all(entry.refusals and not entry.options for entry in found.layers)


@pytest.mark.parametrize(
    ("target", "given", "message"),
    [
        ("a100", {"threads": 2}, "a100 is a GPU: --threads 2"),
        ("t4", {"dtype": "bf16"}, "t4 do not take bf16"),
        ("a100", {"dtype": "int8"}, "--dtype int8; allowed: fp16, bf16"),
        ("cortex-a72", {"dtype": "fp16"}, "cortex-a72.*leave --dtype out"),
    ],
)
def test_what_a_target_cannot_do_is_said(target, given, message):
    with pytest.raises(TargetError, match=message):
        toolchain_for(load_target(target), **{"threads": 1, **given})
