"""The code of `LookupGemv`."""

from spcompile.kernels.cpu.lookup_gemv import LANES, PAIR, WORD, LookupGemv
from spcompile.kernels.expression import evaluate
from spcompile.kernels.operand import load_operands, operand_pointers

PERMUTE = "llvm.x86.avx512.vpermi2var.ps.512"  # of two registers: lane l of the result is number place[l] % 32 of both together
CHAINS = 2  # independent sums


def emit(k: LookupGemv, threads: int):
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.cpu.offset_gemv_code import join
    from spcompile.kernels.script import kernel_function, outer_loop, prefetch, registers, run

    def body(x, value, place, base, start, y, **operands):
        def accumulate(acc, chain, step):
            if k.ahead:
                prefetch(value, step * LANES + k.ahead)
            found = _looked_up(k, x, T.bind(T.Cast("int32", base[step])), T.bind(_places(k, place, step)))
            T.buffer_store(acc, acc[run(chain * LANES, LANES)] + value[run(step * LANES, LANES)] * found, [run(chain * LANES, LANES)])

        with outer_loop(k.out_rows // k.rows, threads) as m:
            acc = registers(CHAINS * LANES)
            for chain in range(CHAINS):
                with T.vectorized(0, LANES) as i:
                    T.buffer_store(acc, T.float32(0), [chain * LANES + i])
            count = start[m + 1] - start[m]
            with T.serial(0, T.truncdiv(count, CHAINS)) as group:
                for chain in range(CHAINS):
                    accumulate(acc, chain, start[m] + group * CHAINS + chain)
            with T.serial(0, T.truncmod(count, CHAINS)) as left:
                accumulate(acc, 0, start[m] + count - 1 - left)
            join(acc, CHAINS, LANES, k.rows)
            with T.vectorized(0, k.rows) as r:
                row = m * k.rows + r
                T.buffer_store(y, evaluate(k.epilogue, [acc[r], *load_operands(operands.values(), k.operands, row, 0)]), [row * k.y_row_stride])

    pointers = {"x": "float32", "value": "float32", "place": "uint8", "base": "int16", "start": "int32", "y": "float32"}
    return kernel_function(k.name, pointers | operand_pointers(k.operands), body)


def _places(k: LookupGemv, place, step):
    """int32 [16]: where in the window each lane's number stands, in the lowest bits."""
    from tvm.tirx import Broadcast, Ramp
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import run

    if k.place_bytes > WORD:
        return T.Cast(f"int32x{LANES}", place[run(step * LANES, LANES)])
    bits = 8 * k.per_step
    word = T.Cast("int32", T.reinterpret(f"int{bits}", place[run(step * k.per_step, k.per_step)]))
    return Broadcast(word, LANES) >> (Ramp(T.int32(0), T.int32(1), LANES) // Broadcast(T.int32(k.rows), LANES) * Broadcast(T.int32(8), LANES))


def _looked_up(k: LookupGemv, x, base, places):
    """x[base + place], lane by lane: of each pair of registers, then of halves of what was found, bit by bit."""
    from tvm import tirx
    from tvm.tirx.script.builder import ir as T

    from spcompile.kernels.script import run

    def permuted(pair: int):
        first = base + pair * PAIR
        return tirx.call_llvm_pure_intrin(f"float32x{LANES}", PERMUTE, x[run(first, LANES)], places, x[run(first + LANES, LANES)])

    found, bit = [permuted(pair) for pair in range(k.window // PAIR)], PAIR
    while len(found) > 1:
        upper = (places & tirx.Broadcast(T.int32(bit), LANES)) != tirx.Broadcast(T.int32(0), LANES)
        found = [T.Select(upper, high, low) for low, high in zip(found[::2], found[1::2], strict=True)]
        bit *= 2
    return found[0]
