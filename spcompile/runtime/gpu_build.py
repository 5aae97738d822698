"""A GPU program as CUDA source, PTX, cubin and a loadable TVM library whose host entry launches the kernels in order."""

import math
from dataclasses import dataclass
from pathlib import Path

from spcompile.lowering.gpu.program import CONSTANTS, GpuProgram
from spcompile.lowering.program import Argument
from spcompile.runtime.build import ENTRY
from spcompile.runtime.link import shared_library
from spcompile.runtime.nvcc import available, compile_cuda
from spcompile.targets.gpu import Gpu

PIPELINE = "tirx"  # TVM's passes that leave barriers and shared memory as kernels wrote them
HOST = "x86_64-linux-gnu"
SOURCE, PTX, CUBIN = "kernels.cu", "kernels.ptx", "kernels.cubin"


@dataclass(frozen=True)
class Compiled:
    """What became of a program; `executable` is TVM's. ptx and cubin: None without nvcc."""

    source: str
    executable: object
    ptx: bytes | None
    cubin: bytes | None


def write_compiled(compiled: Compiled, folder: Path, library: str) -> None:
    """kernels.cu, kernels.ptx, kernels.cubin, and the library. TVM makes its kernels of the source when it is loaded; our executor gives it the cubin."""
    for name, content in ((SOURCE, compiled.source.encode()), (PTX, compiled.ptx), (CUBIN, compiled.cubin)):
        if content is not None:
            (folder / name).write_bytes(content)
    compiled.executable.export_library(str(folder / library), fcompile=_linked)


def compile_program(program: GpuProgram, gpu: Gpu) -> Compiled:
    """CUDA source needs no CUDA; PTX and cubin need nvcc (ToolError when it fails).

    The entry takes (workspace, values, numbers, words, inputs..., outputs...), all flat.
    """
    import tvm

    device = tvm.target.Target({"kind": "cuda", "arch": gpu.arch})
    calls = {kernel.name: tvm.ir.GlobalVar(kernel.name) for kernel in program.kernels}
    functions = {calls[kernel.name]: kernel.emit(1).with_attr("target", device) for kernel in program.kernels}
    functions[tvm.ir.GlobalVar(ENTRY)] = _entry(program, calls)
    whole = tvm.target.Target({"kind": "cuda", "arch": gpu.arch}, host={"kind": "llvm", "mtriple": HOST})
    executable = tvm.compile(tvm.IRModule(functions), target=whole, tir_pipeline=PIPELINE)
    source = executable.mod.imports[0].inspect_source()
    ptx, cubin = compile_cuda(source, gpu.arch) if available() else (None, None)
    return Compiled(source, executable, ptx, cubin)


def _linked(output: str, objects, **_) -> None:
    shared_library(output, objects, HOST)


_linked.need_system_lib = False


def _entry(program: GpuProgram, calls: dict):
    import tvm
    from tvm.script.ir_builder import IRBuilder
    from tvm.tirx.script.builder import ir as T

    dtypes = {"workspace": program.dtype} | {region: dtype or program.dtype for region, dtype in CONSTANTS.items()}
    sizes = {"workspace": program.workspace_elements} | {region: array.size for region, array in program.constants.items()}
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(ENTRY)
        T.func_attr({"global_symbol": ENTRY})
        regions = {(region, 0): T.arg(region, T.buffer((max(sizes[region], 1),), dtype)) for region, dtype in dtypes.items()}
        for kind, tensors in (("input", program.inputs), ("output", program.outputs)):
            for index, tensor in enumerate(tensors):
                regions[kind, index] = T.arg(f"{kind}_{index}", T.buffer((math.prod(tensor.shape),), tensor.dtype))
        for step in program.steps:
            pointers = [_pointer(program, regions, argument) for argument in step.arguments]
            T.evaluate(tvm.ir.Call(calls[step.kernel.name], pointers, ret_ty=tvm.ir.TupleType([])))
    return builder.get()


def _pointer(program: GpuProgram, regions: dict, argument: Argument):
    from tvm.tirx.script.builder import ir as T

    kind, number, element = program.place(argument)
    return T.address_of(regions[kind, number][element])
