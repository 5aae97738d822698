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
from spcompile.runtime.gpu_executor import COMPILES, GpuExecutor, runs_here, take_binary_of
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
@pytest.mark.parametrize(("target", "dtype"), [("a100", "float16"), ("h100", "bfloat16")])
def test_sparse_instructions_are_in_the_code(layer, target, dtype, tmp_path):
    gpu = load_target(target)
    program, _ = lower_for_gpu(layer, gpu, dtype)
    compiled = compile_program(program, gpu)
    instructions = re.findall(rb"mma\.sp::ordered_metadata\.sync\.aligned\.m16n8k32\.row\.col\.f32\.(\w+)\.", compiled.ptx)
    assert instructions and {name.decode() for name in instructions} == {TYPES[dtype]}
    assert f".target {gpu.arch}".encode() in compiled.ptx and b"cp.async.cg.shared.global" in compiled.ptx and b"ldmatrix" in compiled.ptx
    write_compiled(compiled, tmp_path, "library.so")
    assert {SOURCE, PTX, CUBIN, "library.so"} == {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / CUBIN).read_bytes()[:4] == b"\x7fELF"


@needs_nvcc
def test_dense_instructions_are_in_the_code(layer):
    gpu = replace(load_target("a100"), sparse_flops=240e12)
    compiled = compile_program(lower_for_gpu(layer, gpu, "float16")[0], gpu)
    assert b"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32" in compiled.ptx and b"mma.sp" not in compiled.ptx


@needs_nvcc
def test_vectors_are_gathered_by_the_load_that_transposes(layer_of):
    compiled = compile_program(lower_for_gpu(layer_of("block8x1@0.9"), load_target("a100"), "float16")[0], load_target("a100"))
    assert b"ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16" in compiled.ptx and b"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32" in compiled.ptx


@needs_nvcc
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize(("choice", "kernel"), [("dense", "dense"), ("2:4", "sparse24"), ("block64x64@0.8", "blocks64"), ("block8x1@0.9", "vectors8")])
def test_no_product_spills(layer_of, choice, kernel, arch, tmp_path):
    """Registers that do not fit would go through memory in the inner loop."""
    source, gpu = tmp_path / "kernels.cu", replace(load_target("a100"), arch=arch)
    source.write_text(compile_program(lower_for_gpu(layer_of(choice), gpu, "float16")[0], gpu).source)
    assert f"mma_{kernel}" in source.read_text()
    command = [str(nvcc.nvcc()), "--cubin", "-O3", f"-arch={gpu.arch}", "--expt-relaxed-constexpr", "-Xptxas", "-v", "-o", str(tmp_path / "x"), str(source)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "registers" in told and set(re.findall(r"(\d+) bytes spill stores", told)) == {"0"}


@needs_nvcc
def test_a_library_is_given_its_own_binary(layer, tmp_path):
    """Several artifacts in one process: each source gets the cubin that was compiled from it."""
    import tvm_ffi

    before = tvm_ffi.get_global_func(COMPILES)
    folders = []
    for dtype in TYPES:
        folders.append(tmp_path / dtype)
        folders[-1].mkdir()
        write_compiled(compile_program(lower_for_gpu(layer, load_target("a100"), dtype)[0], load_target("a100")), folders[-1], "library.so")
    try:
        for folder in folders:
            take_binary_of(folder)
        for folder in folders:
            assert tvm_ffi.get_global_func(COMPILES)((folder / SOURCE).read_text()) == (folder / CUBIN).read_bytes()
    finally:
        tvm_ffi.register_global_func(COMPILES, before, override=True)


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
