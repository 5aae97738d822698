"""Runs the TIR of a GPU kernel in numpy, all threads of a block in step: the very statements that are compiled, on the tensor cores of PTX ISA 8.7.

Shared memory begins as NaN bits. A cp.async lands only when a wait_group asks for its group, and what it read is read then; lanes beyond memory
that was given are an error, and so is shared memory that two warps touch between the same two barriers, one of them writing, and an instruction for
whole warps or a barrier that only some of the threads reach. What wgmma works at is NaN until it is waited for; what it reads must have passed a
fence between the proxies and may not be written before then. Shared memory begins where no swizzle does.
"""

import numpy as np

from tests.kernels.gpu.fragments import DTYPES_OF, SHARED_AT, a_matrix, b_matrix, numpy_dtype, spread
from tests.kernels.gpu.warpgroups import Products

GARBAGE = 0x7FFFFFFF  # NaN in both halves and as a whole
BINARY = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "FloorDiv": np.floor_divide, "FloorMod": np.mod, "Min": np.minimum,
    "Max": np.maximum, "LT": np.less, "LE": np.less_equal, "GT": np.greater, "GE": np.greater_equal, "EQ": np.equal, "NE": np.not_equal,
    "And": np.logical_and, "Or": np.logical_or, "BitwiseXor": np.bitwise_xor, "BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or,
    "LShift": np.left_shift, "RShift": np.right_shift, "Mod": np.fmod,
}  # fmt: skip
FUNCTIONS = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "fabs": np.abs, "floor": np.floor, "pow": np.power}
FUNCTIONS |= {"sin": np.sin, "cos": np.cos, "nearbyint": np.rint}


def launch(function, *arrays: np.ndarray) -> None:
    """Run a kernel's PrimFunc over its whole grid; arrays are flat and written in place."""
    _Launch(function, arrays).run()


class _Address:
    """Element `index` (of each thread) of a memory."""

    def __init__(self, memory: np.ndarray, index):
        self.memory, self.index = memory, index


class _Launch:
    def __init__(self, function, arrays):
        self.body = function.body
        self.pointers = dict(zip(function.params, arrays, strict=True))
        self.memory = {}

    def run(self) -> None:
        statements, extents = _flat(self.body), {}
        while statements and type(statements[-1]).__name__ == "AttrStmt":
            *declared, nest = statements
            for statement in declared:
                self.declare(statement)
            extents[nest.node.thread_tag] = (nest.node.var, int(nest.value))
            statements = _flat(nest.body)
        (thread, threads), grid = extents.pop("threadIdx.x"), [extents[f"blockIdx.{axis}"] for axis in "xyz" if f"blockIdx.{axis}" in extents]
        for block in np.ndindex(*(extent for _, extent in grid)):
            values = {var: np.int64(at) for (var, _), at in zip(grid, block, strict=True)} | {thread: np.arange(threads)}
            _Block(dict(self.memory), values, threads).execute(statements, np.ones(threads, bool))

    def declare(self, statement) -> None:
        self.memory[statement.buffer] = self.pointers[statement.data]


def _flat(statement) -> list:
    return [part for inner in statement.seq for part in _flat(inner)] if type(statement).__name__ == "SeqStmt" else [statement]


class _Block:
    def __init__(self, memory: dict, values: dict, threads: int):
        self.memory, self.values, self.threads = memory, values, threads
        self.local: set = set()
        self.active = np.ones(threads, bool)  # threads that run the statement at hand
        self.shared: _Watched | None = None
        self.copies: list[tuple] = []  # since the last commit
        self.groups: list[list[tuple]] = []
        self.products = Products(self)

    # ---- statements ------------------------------------------------------------------------------------------------------

    def execute(self, statements: list, mask: np.ndarray) -> None:
        for statement in statements:
            self.active = mask
            getattr(self, type(statement).__name__)(statement, mask)

    def AllocBuffer(self, statement, mask) -> None:
        buffer, size = statement.buffer, int(np.prod([int(n) for n in statement.buffer.shape]))
        if buffer.scope().startswith("shared"):
            self.memory[buffer] = np.full(size, GARBAGE, np.uint32).view(numpy_dtype(buffer.dtype))[:size]
            self.shared = _Watched(self.memory[buffer])
        else:
            self.memory[buffer] = np.full((self.threads, size), np.nan).astype(numpy_dtype(buffer.dtype), casting="unsafe") if "float" in str(
                buffer.dtype
            ) else np.full((self.threads, size), GARBAGE).astype(numpy_dtype(buffer.dtype))  # fmt: skip
            self.local.add(buffer)

    def For(self, statement, mask) -> None:
        first, extent = int(self.value(statement.min)), np.broadcast_to(self.value(statement.extent), mask.shape)
        for at in range(int(extent[mask].max(initial=0))):
            self.values[statement.loop_var] = np.int64(first + at)
            self.execute(_flat(statement.body), mask & (at < extent))

    def IfThenElse(self, statement, mask) -> None:
        condition = np.broadcast_to(self.value(statement.condition), mask.shape)
        for branch, taken in ((statement.then_case, mask & condition), (statement.else_case, mask & ~condition)):
            if branch is not None and taken.any():
                self.execute(_flat(branch), taken)

    def BufferStore(self, statement, mask) -> None:
        index, value = (np.broadcast_to(v, mask.shape) for v in (self.value(statement.indices[0]), self.value(statement.value)))
        self.store(statement.buffer, index, value, mask)

    def store(self, data, index, value, mask) -> None:
        memory, at = self.memory[data], np.nonzero(mask)[0]
        assert index[at].min() >= 0 and index[at].max() < memory.shape[-1], "a store lies outside its memory"
        if data in self.local:
            memory[at, index[at]] = value[at].astype(memory.dtype)
        else:
            if self.shared and memory is self.shared.memory:
                self.shared.write(index[at], at // 32)
            memory[index[at]] = value[at].astype(memory.dtype)

    def Evaluate(self, statement, mask) -> None:
        call = statement.value
        name = call.op.name.removeprefix("tirx.")
        if name == "cuda.func_call":
            self.products.function(str(call.args[0].value), call.args[1:-1], str(call.args[-1].value), mask)
        elif name.startswith("ptx."):
            tokens = [str(part.value) for part in call.args if type(part).__name__ == "StringImm"]
            self.instruction(name.removeprefix("ptx."), tokens, [part for part in call.args if type(part).__name__ != "StringImm"], mask)
        else:
            assert name == "cuda.cta_sync" and mask.all(), name
            if self.shared:
                self.shared.barrier()

    # ---- instructions ----------------------------------------------------------------------------------------------------

    def instruction(self, name: str, tokens: list[str], operands: list, mask) -> None:
        if name.startswith("cp_async_cg"):
            into, source, size, there = (self.value(part) for part in operands)
            assert (into.index % 4 == 0).all(), "a copy of 16 bytes that is not aligned"
            self.shared.begin(into.index, np.arange(self.threads) // 32, mask)
            self.copies.append((into, source, int(size), np.broadcast_to(there, mask.shape), mask))
        elif name == "cp_async_commit_group":
            self.groups.append(self.copies)
            self.copies = []
        elif name == "cp_async_wait_group":
            while len(self.groups) > int(operands[0].value):
                for copy in self.groups.pop(0):
                    self.land(*copy)
        elif name == "ld_vec":
            self.load_vector(operands[:-1], self.value(operands[-1]), mask)
        elif name == "st_vec":
            self.store_vector(self.value(operands[0]), [self.value(part) for part in operands[1:]], mask)
        elif name == "fence_proxy":
            assert tokens[:3] == ["proxy", "async", "shared::cta"] and mask.all(), f"{tokens}: a fence of all memory waits for all of it"
            self.shared.fence()
        elif name.startswith("wgmma"):
            self.products.instruction(name, tokens, operands, mask)
        elif name == "ldmatrix":
            self.ldmatrix(operands[:4], self.value(operands[4]), "trans" in tokens, _warps(mask))
        else:
            assert name.startswith("mma"), name
            self.mma(name.startswith("mma_sp"), next(numpy_dtype(DTYPES_OF[token]) for token in tokens if token in DTYPES_OF), operands, _warps(mask))

    def land(self, into, source, size, there, mask) -> None:
        item = source.memory.dtype.itemsize
        for lane in np.nonzero(mask)[0]:
            chunk, first, count = np.zeros(size, np.uint8), int(_of(source.index, lane)), int(there[lane]) // item
            assert first % (size // item) == 0, "a copy of 16 bytes from where it is not aligned"
            assert first >= 0 and first + count <= len(source.memory), "a copy reads outside its memory"
            chunk[: count * item] = source.memory[first : first + count].view(np.uint8)
            first = int(_of(into.index, lane))
            self.shared.land(first, lane // 32)
            into.memory[first : first + 4] = chunk.view(np.uint32)

    def load_vector(self, registers, address, mask) -> None:
        index = _aligned(address, len(registers), mask)
        for part, register in enumerate(registers):
            if self.shared and address.memory is self.shared.memory:
                self.shared.read((index + part)[mask], np.flatnonzero(mask) // 32)
            kind = np.uint16 if address.memory.dtype.itemsize == 2 else np.uint32
            self.put(register, address.memory[np.where(mask, index + part, 0)].view(kind), mask)

    def store_vector(self, address, values, mask) -> None:
        index = _aligned(address, len(values), mask)
        for part, value in enumerate(values):
            address.memory[(index + part)[mask]] = np.broadcast_to(value, mask.shape)[mask].view(address.memory.dtype)

    def ldmatrix(self, registers, address, transposed: bool, mask) -> None:
        """.m8n8.x4.b16: lanes 8 i .. 8 i + 7 name the rows of matrix i; lane l gets elements 2 (l % 4), + 1 of row l / 4 of each, or of column l / 4."""
        lanes = np.arange(self.threads)
        for matrix, register in enumerate(registers):
            first = lanes // 32 * 32 + matrix * 8
            if not transposed:
                words = address.index[first + lanes % 32 // 4] + lanes % 4
                self.shared.read(words[mask], lanes[mask] // 32)
                self.put(register, address.memory[np.where(mask, words, 0)], mask)
                continue
            column, halves = lanes % 32 // 4, []
            for row in (lanes % 4 * 2, lanes % 4 * 2 + 1):
                words = address.index[first + row] + column // 2
                self.shared.read(words[mask], lanes[mask] // 32)
                halves.append(address.memory[np.where(mask, words, 0)] >> (column % 2 * 16).astype(np.uint32) & 0xFFFF)
            self.put(register, halves[0] | halves[1] << 16, mask)

    def mma(self, sparse: bool, dtype, operands, mask) -> None:
        """D = A B + C of each warp, m16n8k16 or sparse m16n8k32; products summed in float64."""
        a_count, b_count = 4, 4 if sparse else 2
        d, a = operands[:4], [self.value(part) for part in operands[4 : 4 + a_count]]
        b = [self.value(part) for part in operands[4 + a_count : 4 + a_count + b_count]]
        c = [self.value(part) for part in operands[4 + a_count + b_count : 8 + a_count + b_count]]
        results = [np.empty(self.threads, np.float32) for _ in range(4)]
        for warp in np.flatnonzero(mask[::32]) * 32:
            at = slice(warp, warp + 32)
            left = a_matrix([part[at] for part in a], dtype)
            if sparse:
                left = spread(left, self.value(operands[-2])[at], int(operands[-1].value))
            product = left @ b_matrix([part[at] for part in b], dtype)
            for part in range(4):
                group, pair = np.arange(32) // 4, np.arange(32) % 4 * 2 + part % 2
                results[part][at] = product[group + part // 2 * 8, pair] + c[part][at]
        for register, result in zip(d, results, strict=True):
            self.put(register, result, mask)

    def put(self, register, value, mask) -> None:
        self.store(register.source, np.broadcast_to(self.value(register.indices[0]), mask.shape), value, mask)

    # ---- expressions -----------------------------------------------------------------------------------------------------

    def value(self, e):
        kind = type(e).__name__
        if kind in ("IntImm", "FloatImm"):
            return numpy_dtype(e.ty.dtype).type(e.value)
        if kind in ("Var", "SizeVar"):
            return self.values[e]
        if kind in BINARY:
            with np.errstate(all="ignore"):
                return BINARY[kind](self.value(e.a), self.value(e.b))
        return getattr(self, f"_{kind}")(e)

    def _Not(self, e):
        return np.logical_not(self.value(e.a))

    def _Cast(self, e):
        value = self.value(e.value)
        if isinstance(value, _Address):
            value = SHARED_AT + 4 * value.index
        with np.errstate(all="ignore"):
            return np.asarray(value).astype(numpy_dtype(e.ty.dtype))

    def _Select(self, e):
        return np.where(self.value(e.condition), self.value(e.true_value), self.value(e.false_value))

    def _Let(self, e):
        self.values[e.var] = self.value(e.value)
        return self.value(e.body)

    def _TensorLoad(self, e):
        memory, index = self.memory[e.source], self.value(e.indices[0])
        if e.source in self.local:
            return memory[np.arange(self.threads), np.broadcast_to(index, (self.threads,))]
        index = np.broadcast_to(index, (self.threads,))
        at = index[self.active]
        assert at.min(initial=0) >= 0 and at.max(initial=0) < len(memory), "a load lies outside its memory"
        if self.shared and memory is self.shared.memory:
            self.shared.read(at, np.flatnonzero(self.active) // 32)
        return memory[np.where(self.active, index, 0)]

    def _Call(self, e):
        name = e.op.name.removeprefix("tirx.").removeprefix("prim.")
        if name == "address_of":
            return _Address(self.memory[e.args[0].source], np.asarray(self.value(e.args[0].indices[0])))
        if name in ("cuda.cvta_generic_to_shared", "likely"):
            return self.value(e.args[0])
        if name == "if_then_else":
            return self.either(*e.args)
        if name == "reinterpret":
            return np.ascontiguousarray(self.value(e.args[-1])).view(numpy_dtype(e.ty.dtype))
        if name.startswith("cuda.__shfl_xor_sync"):
            _, mine, distance, _ = (self.value(part) for part in e.args)
            return np.broadcast_to(mine, (self.threads,))[np.arange(self.threads) ^ int(distance)]
        with np.errstate(all="ignore"):
            return FUNCTIONS[name](*(self.value(part) for part in e.args))

    def either(self, condition, first, second):
        """Threads evaluate the side that they take alone."""
        taken, active = np.broadcast_to(self.value(condition), (self.threads,)), self.active
        values = []
        for side, of in ((first, active & taken), (second, active & ~taken)):
            self.active = of
            values.append(self.value(side))
        self.active = active
        return np.where(taken, *values)


class _Watched:
    """Shared memory with, for each word, who touched it last and between which barriers; -2: several warps."""

    def __init__(self, memory: np.ndarray):
        self.memory, self.interval = memory, 0
        self.written, self.writer, self.seen, self.reader = (np.full(len(memory), -1) for _ in range(4))
        self.on_its_way = np.zeros(len(memory), bool)  # a copy was asked for and not waited for
        self.unfenced = np.ones(len(memory), bool)  # written, and the async proxy was not told before the last barrier
        self.told = np.zeros(len(memory), bool)  # the same, but the barrier is still to come
        self.reading = np.zeros(len(memory), int)  # instructions that still read it on their own

    def read(self, words, warps) -> None:
        assert not self.on_its_way[words].any(), "a copy is read before it was waited for"
        assert not ((self.written[words] == self.interval) & (self.writer[words] != warps)).any(), "no barrier between another warp's write and a read"
        several = (self.seen[words] == self.interval) & (self.reader[words] != warps)
        self.reader[words], self.seen[words] = np.where(several, -2, warps), self.interval

    def write(self, words, warps) -> None:
        assert not ((self.seen[words] == self.interval) & (self.reader[words] != warps)).any(), "no barrier between another warp's read and a write"
        assert not ((self.written[words] == self.interval) & (self.writer[words] != warps)).any(), "two warps write one word"
        assert not self.reading[words].any(), "a write under an instruction that was not waited for"
        self.unfenced[words], self.told[words] = True, False
        self.writer[words], self.written[words] = warps, self.interval

    def fence(self) -> None:
        self.told |= self.unfenced & ~self.on_its_way

    def barrier(self) -> None:
        self.interval += 1
        self.unfenced &= ~self.told
        self.told[:] = False

    def read_alone(self, words, warps) -> None:
        """By an instruction that goes on by itself."""
        assert not self.unfenced[words].any(), "wgmma reads what was written without a fence between the proxies"
        self.read(words, warps)

    def begin(self, first, warps, mask) -> None:
        for part in range(4):
            words = first[mask] + part
            self.write(words, warps[mask])
            assert not self.on_its_way[words].any(), "two copies into one place"
            self.on_its_way[words] = True

    def land(self, first: int, warp: int) -> None:
        words = np.arange(first, first + 4)
        self.on_its_way[words] = False
        self.write(words, np.full(4, warp))


def _warps(mask: np.ndarray) -> np.ndarray:
    """The lanes of an instruction that whole warps run together."""
    warps = mask.reshape(-1, 32)
    assert (warps.all(axis=1) | ~warps.any(axis=1)).all(), "an instruction for whole warps that some lanes of one leave out"
    return mask


def _aligned(address, count: int, mask: np.ndarray) -> np.ndarray:
    """Element of each thread, the first of `count`."""
    index, size = np.broadcast_to(address.index, mask.shape), address.memory.dtype.itemsize
    assert ((address.memory.ctypes.data + index[mask] * size) % (count * size) == 0).all(), "a vector from where it is not aligned"
    assert index[mask].min(initial=0) >= 0 and index[mask].max(initial=0) + count <= len(address.memory), "a vector lies outside its memory"
    return index


def _of(index, lane: int):
    return index if np.ndim(index) == 0 else index[lane]
