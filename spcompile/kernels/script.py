"""The frame around every kernel's code, written with TVM's script builder."""

from collections.abc import Callable
from contextlib import ExitStack, contextmanager

UNBOUNDED = 1 << 30  # kernels index through flat pointers; their extent is the caller's promise


def kernel_function(name: str, parameters: dict[str, str], body: Callable):
    """-> private PrimFunc(pointer, ...) -> int32 0.

    parameters: name -> dtype of what it points to. body(**buffers) writes the statements; each buffer is flat.
    A TVM function that launches threads returns a status, hence the int32.
    """
    import tvm
    from tvm import tirx
    from tvm.script.ir_builder import IRBuilder
    from tvm.tirx.script.builder import ir as T

    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name(name)
        T.func_attr({"tirx.noalias": True})
        T.func_ret(tvm.ir.PrimType("int32"))
        pointers = {key: T.arg(key, T.handle(dtype)) for key, dtype in parameters.items()}
        body(**{key: T.decl_buffer((UNBOUNDED,), parameters[key], data=pointer) for key, pointer in pointers.items()})
        T.Return(tirx.const(0, "int32"))
    return builder.get()


def outer_loop(extent: int, threads: int):
    """-> a loop over `extent`, its iterations split evenly over `threads` when there are several."""
    from tvm.tirx.script.builder import ir as T

    return T.parallel(0, extent) if threads > 1 and extent > 1 else T.serial(0, extent)


def run(start, lanes: int):
    """Indices of a register's elements."""
    from tvm.tirx import Ramp, const

    return Ramp(start + const(0, "int32"), const(1, "int32"), lanes) if lanes > 1 else start


def registers(count: int):
    """-> a local buffer of `count` fp32 that LLVM keeps in registers.

    The annotation leaves it a stack slot: TVM would otherwise ask on which device this private function runs, which only
    packed functions are told.
    """
    from tvm.tirx.script.builder import ir as T

    return T.alloc_buffer((count,), "float32", scope="local", annotations={"disable_lower_builtin": True})


def prefetch(buffer, index, write: bool = False, into_l2: bool = False) -> None:
    """Ask for the cache line of buffer[index], into L1 unless `into_l2`; any address may be asked for."""
    from tvm.tirx.script.builder import ir as T

    T.evaluate(T.call_intrin("void", "tirx.prefetch", T.address_of(buffer[index]), int(write), 2 if into_l2 else 3, 1))  # 1: data


def masked_load(buffer, at, count: int, lanes: int):
    """-> the `count` first of `lanes` floats from buffer[at] on, zeros behind them, which are not read."""
    from tvm import tirx
    from tvm.tirx.script.builder import ir as T

    zeros = tirx.Broadcast(T.float32(0), lanes)
    return tirx.call_llvm_pure_intrin(f"float32x{lanes}", "llvm.masked.load", T.address_of(buffer[at]), _first(count, lanes), zeros)


def masked_store(buffer, at, value, count: int, lanes: int) -> None:
    """Write the `count` first of `lanes` floats to buffer[at] on. One instruction with AVX-512; LLVM writes it out elsewhere."""
    from tvm import tirx
    from tvm.tirx.script.builder import ir as T

    T.evaluate(tirx.call_llvm_intrin("void", "llvm.masked.store", value, T.address_of(buffer[at]), _first(count, lanes)))


def _first(count: int, lanes: int):
    from tvm import tirx
    from tvm.tirx.script.builder import ir as T

    return tirx.Ramp(T.int32(0), T.int32(1), lanes) < tirx.Broadcast(T.int32(count), lanes)


@contextmanager
def nest(extents, threads: int):
    """Nested loops over `extents`, the outermost split over threads; yields their indices."""
    from tvm.tirx.script.builder import ir as T

    with ExitStack() as stack:
        yield [stack.enter_context(outer_loop(extent, threads) if depth == 0 else T.serial(0, extent)) for depth, extent in enumerate(extents)]
