"""A program as one shared library: a C function per kernel, and an entry that calls them in order.

Kernels and entry are objects of their own on purpose: so a kernel is compiled once for all networks (object_store.py). And inlined into one
function, the loads and stores of different kernels would meet, and TVM tells LLVM that buffers of different names never alias, while here they
share one workspace: LLVM then reorders them.
"""

import tempfile
from pathlib import Path

from spcompile.costs.cpu import worth
from spcompile.lowering.program import Argument, Program
from spcompile.runtime.link import shared_library
from spcompile.runtime.object_store import objects_of
from spcompile.targets.target import Target

ENTRY = "spcompile_run"
PASS_OPTIONS = {
    # Local buffers stay where kernels declare them; TVM's rewriting would lose the annotation that keeps them on the stack.
    "tirx.disable_storage_rewrite": True,
}
C_FUNCTION = 1  # TVM's calling_conv of a function that is lowered already: it keeps its plain C signature


def build_library(program: Program, target: Target, threads: int, path: str | Path) -> None:
    """Write the shared library whose entry takes (workspace, values, indices, inputs..., outputs...)."""
    kernels = objects_of(
        [(kernel, worth(kernel.work(), target, threads)) for kernel in program.kernels],
        target,
        lambda kernel, used: compiled_c_function(kernel.emit(used), kernel.name, target),
    )
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for number, content in enumerate([*kernels, _compiled({ENTRY: _entry(program)}, target)]):
            objects.append(Path(folder) / f"{number}.o")
            objects[-1].write_bytes(content)
        shared_library(path, objects, target.triple)


def compiled_c_function(function, name: str, target: Target) -> bytes:
    """A function of plain pointers as an object file."""
    return _compiled({name: function.with_attr("global_symbol", name).with_attr("calling_conv", C_FUNCTION)}, target)


def _compiled(functions: dict, target: Target) -> bytes:
    """One object file."""
    import tvm

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "functions.o"
        compile_module(tvm.IRModule(functions), target).mod.write_to_file(str(path))
        return path.read_bytes()


def compile_module(module, target: Target):
    """TIR functions -> tvm executable for the target."""
    import tvm

    with tvm.transform.PassContext(config=PASS_OPTIONS):
        return tvm.compile(module, target=tvm.target.Target(target.tvm_target()))


def _entry(program: Program):
    from tvm.script.ir_builder import IRBuilder
    from tvm.tirx.script.builder import ir as T

    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(ENTRY)
        T.func_attr({"global_symbol": ENTRY})
        regions = {
            "workspace": T.arg("workspace", T.buffer((max(program.workspace_elements, 1),), "float32")),
            "values": T.arg("values", T.buffer((program.values.size,), "float32")),
            "indices": T.arg("indices", T.buffer((program.indices.size,), "int32")),
        }
        for kind, tensors in (("input", program.inputs), ("output", program.outputs)):
            for index, tensor in enumerate(tensors):
                regions[kind, index] = T.arg(f"{kind}_{index}", T.buffer(tensor.shape or (1,), tensor.dtype))
        for step in program.steps:
            T.evaluate(T.call_extern("int32", step.kernel.name, *(_pointer(program, regions, argument) for argument in step.arguments)))
    return builder.get()


def _pointer(program: Program, regions: dict, argument: Argument):
    from tvm.tirx.script.builder import ir as T

    buffer = program.buffers[argument.buffer]
    if buffer.kind in ("input", "output"):
        region = regions[buffer.kind, buffer.index]
        index, position = [], argument.offset
        for extent in reversed(region.shape):
            index.append(position % int(extent))
            position //= int(extent)
        return T.address_of(region[tuple(reversed(index))])
    return T.address_of(regions[buffer.kind][program.starts[argument.buffer] + argument.offset])
