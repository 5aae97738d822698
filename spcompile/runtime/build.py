"""A program as one compiled module: a function per kernel and `main`, which calls them in order."""

from spcompile.lowering.program import Argument, Program
from spcompile.targets.target import Target

ENTRY = "main"
# Local buffers stay where kernels declare them; TVM's rewriting would lose the annotation that keeps them on the stack.
PASS_OPTIONS = {"tirx.disable_storage_rewrite": True}


def compile_program(program: Program, target: Target, threads: int):
    """-> tvm executable whose `main` takes (workspace, values, indices, inputs..., outputs...), all flat or of the model's shapes."""
    import tvm

    functions = {kernel.name: (tvm.ir.GlobalVar(kernel.name), kernel.emit(threads)) for kernel in program.kernels}
    module = tvm.IRModule({variable: function for variable, function in functions.values()})
    module[ENTRY] = _main(program, {name: variable for name, (variable, _) in functions.items()})
    with tvm.transform.PassContext(config=PASS_OPTIONS):
        return tvm.compile(module, target=tvm.target.Target(target.tvm_target()))


def _main(program: Program, functions: dict):
    import tvm
    from tvm.script.ir_builder import IRBuilder
    from tvm.tirx.script.builder import ir as T

    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(ENTRY)
        T.func_attr({"global_symbol": ENTRY, "tirx.noalias": True})
        regions = {
            "workspace": T.arg("workspace", T.buffer((max(program.workspace_elements, 1),), "float32")),
            "values": T.arg("values", T.buffer((program.values.size,), "float32")),
            "indices": T.arg("indices", T.buffer((program.indices.size,), "int32")),
        }
        for kind, tensors in (("input", program.inputs), ("output", program.outputs)):
            for index, tensor in enumerate(tensors):
                regions[kind, index] = T.arg(f"{kind}_{index}", T.buffer(tensor.shape or (1,), tensor.dtype))
        for step in program.steps:
            pointers = [_pointer(program, regions, argument) for argument in step.arguments]
            T.evaluate(tvm.ir.Call(functions[step.kernel.name], pointers, ret_ty=tvm.ir.PrimType("int32")))
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
