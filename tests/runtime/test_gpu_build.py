"""GPU programs compiled without a GPU; with one, run."""

import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from spcompile.errors import ToolError
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.ir.session import run as reference
from spcompile.lowering.gpu.lower import lower_for_gpu
from spcompile.passes import prepare
from spcompile.patterns import parse_choice
from spcompile.runtime import nvcc
from spcompile.runtime.gpu_build import CUBIN, PTX, SOURCE, compile_program, write_compiled
from spcompile.runtime.gpu_executor import BINARIES, COMPILES, GpuExecutor, binary_of, runs_here
from spcompile.targets import load_target

needs_nvcc = pytest.mark.skipif(not nvcc.available(), reason=nvcc.available().reason or "nvcc is here")
TYPES = {"float16": "f16", "bfloat16": "bf16"}


@pytest.fixture
def layer_of(build):
    """layer_of(choice): a linear layer with bias and activation, large enough for what its weights are pruned to to pay."""

    def layer_of(notation: str):
        values = np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32) / 32
        text = "g (float[2048,1024] x) => (float[2048,1024] y) { a = MatMul(x,w) b = Add(a,c) y = Relu(b) }"
        model = prepare(build(text, w=values, c=values[0]))
        found, choice = find_layers(model)[0], parse_choice(notation)
        matrix = weight(model, found)
        return with_weights(model, {found.name: np.where(choice.pattern.mask(np.abs(matrix), choice.sparsity), matrix, 0)})

    return layer_of


@pytest.fixture
def layer(layer_of):
    return layer_of("2:4")


@needs_nvcc
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("target", "instruction"),
    [
        ("a100", rb"mma\.sp::ordered_metadata\.sync\.aligned\.m16n8k32\.row\.col\.f32\.(\w+)\."),
        ("h100", rb"wgmma\.mma_async\.sp\.sync\.aligned\.\w+k32\.f32\.(\w+)\."),
    ],
)
def test_sparse_instructions_are_in_the_code(layer, target, instruction, dtype, tmp_path):
    gpu = load_target(target)
    program, _ = lower_for_gpu(layer, gpu, dtype)
    compiled = compile_program(program, gpu)
    instructions = re.findall(instruction, compiled.ptx)
    assert instructions and {name.decode() for name in instructions} == {TYPES[dtype]}
    assert f".target {gpu.arch}".encode() in compiled.ptx and b"cp.async.cg.shared.global" in compiled.ptx
    write_compiled(compiled, tmp_path, "library.so")
    assert {SOURCE, PTX, CUBIN, "library.so"} == {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / CUBIN).read_bytes()[:4] == b"\x7fELF"


@needs_nvcc
@pytest.mark.parametrize(
    ("target", "instruction"), [("a100", b"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"), ("h100", b"wgmma.mma_async.sync.aligned.m64n")]
)
def test_dense_instructions_are_in_the_code(layer, target, instruction):
    gpu = load_target(target)
    gpu = replace(gpu, sparse_flops=gpu.dense_flops)
    compiled = compile_program(lower_for_gpu(layer, gpu, "float16")[0], gpu)
    assert instruction in compiled.ptx and b".sp" not in compiled.ptx.replace(b".sparse", b"")


@needs_nvcc
def test_vectors_are_gathered_by_the_load_that_transposes(layer_of):
    compiled = compile_program(lower_for_gpu(layer_of("block8x1@0.9"), load_target("a100"), "float16")[0], load_target("a100"))
    assert b"ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16" in compiled.ptx and b"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32" in compiled.ptx


@needs_nvcc
@pytest.mark.parametrize("target", ["a100", "h100"])
@pytest.mark.parametrize(("choice", "kernel"), [("dense", "dense"), ("2:4", "sparse24"), ("block64x64@0.8", "blocks64"), ("block8x1@0.9", "vectors8")])
def test_no_product_spills_or_waits(layer_of, choice, kernel, target, tmp_path):
    """Registers that do not fit would go through memory in the inner loop, and wgmma whose registers are touched runs one at a time."""
    source, gpu = tmp_path / "kernels.cu", load_target(target)

    def wanted(kernels: list, gpu) -> int:
        return next(place for place, each in enumerate(kernels) if f"mma_{kernel}" in each.title)

    source.write_text(compile_program(lower_for_gpu(layer_of(choice), gpu, "float16", wanted)[0], gpu).source)
    assert f"mma_{kernel}" in source.read_text()
    command = [str(nvcc.nvcc()), "--cubin", "-O3", f"-arch={gpu.arch}", "--expt-relaxed-constexpr", "-Xptxas", "-v", "-o", str(tmp_path / "x"), str(source)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "registers" in told and set(re.findall(r"(\d+) bytes spill stores", told)) == {"0"} and "serialized" not in told


@needs_nvcc
def test_a_library_is_given_its_own_binary(layer, tmp_path):
    """Several artifacts in one process: each source gets the cubin that was compiled from it."""
    import tvm_ffi

    folders = []
    for dtype in TYPES:
        folders.append(tmp_path / dtype)
        folders[-1].mkdir()
        write_compiled(compile_program(lower_for_gpu(layer, load_target("a100"), dtype)[0], load_target("a100")), folders[-1], "library.so")
    held = [binary_of(folder) for folder in folders]
    for folder, binary in zip(folders, held, strict=True):
        assert tvm_ffi.get_global_func(COMPILES)((folder / SOURCE).read_text()) == (folder / CUBIN).read_bytes() == binary.cubin


def test_a_binary_is_kept_as_long_as_anybody_holds_it(tmp_path):
    """Two of one source: the first one's end is not the second one's. Nothing is left in the end but one function of ours before TVM's."""
    import tvm_ffi

    (tmp_path / SOURCE).write_text("one kernel")
    (tmp_path / CUBIN).write_bytes(b"its binary")
    count = len(BINARIES)
    first, second = binary_of(tmp_path), binary_of(tmp_path)
    asked = tvm_ffi.get_global_func(COMPILES)
    del first
    assert asked("one kernel") == b"its binary" and len(BINARIES) == count + 1
    assert second.cubin == b"its binary" and tvm_ffi.get_global_func(COMPILES).same_as(asked)
    del second
    assert len(BINARIES) == count


def test_source_is_written_without_nvcc(layer, monkeypatch, tmp_path):
    monkeypatch.setattr(nvcc, "nvcc", lambda: None)
    compiled = compile_program(lower_for_gpu(layer, load_target("a100"), "float16")[0], load_target("a100"))
    assert compiled.ptx is None and compiled.cubin is None and "mma_sp" in compiled.source
    write_compiled(compiled, tmp_path, "library.so")
    assert {path.name for path in tmp_path.iterdir()} == {SOURCE, "library.so"}


def test_absence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(nvcc, "nvcc", lambda: None)
    with pytest.raises(ToolError, match="pip install nvidia-cuda-nvcc"):
        nvcc.compile_cuda("", "sm_80")


@needs_nvcc
def test_a_failure_is_one_line():
    with pytest.raises(ToolError, match=r"failed for sm_80: .*undefined") as caught:
        nvcc.compile_cuda("__global__ void f() { x; }", "sm_80")
    assert "\n" not in str(caught.value)


@pytest.mark.needs_gpu
@needs_nvcc
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("choice", ["dense", "2:4", "block16x16@0.9", "block64x64@0.8", "block8x1@0.9"])
def test_the_gpu_computes_what_the_reference_does(layer_of, choice, dtype, tmp_path):
    import tvm

    major, minor = str(tvm.cuda(0).compute_version).split(".")
    gpu = replace(load_target("a100"), arch=f"sm_{major}{minor}")
    assert runs_here(gpu)
    layer = layer_of(choice)
    program, _ = lower_for_gpu(layer, gpu, dtype)
    write_compiled(compile_program(program, gpu), tmp_path, "library.so")
    feed = {"x": np.random.default_rng().standard_normal((2048, 1024)).astype(np.float32)}
    found, expected = GpuExecutor(program, tmp_path / "library.so").run(feed)["y"], reference(layer, feed)["y"]
    assert np.abs(found - expected).max() <= {"float16": 5e-3, "bfloat16": 4e-2}[dtype] * np.abs(expected).max()
