"""wgmma in the simulator, as PTX ISA 8.7, section 9.7.15, has it: four warps, both sides from shared memory by descriptors, results when waited for."""

import re

import numpy as np

from tests.kernels.gpu.fragments import DTYPES_OF, SHARED_AT, numpy_dtype, spread

SWIZZLES = {1: (128, 7), 2: (64, 3)}  # mode -> (bytes of a row, how many bits of the row are mixed in)
SPARSE = re.compile(r"wgmma\.mma_async\.sp\.sync\.aligned\.m64n(\d+)k32\.f32\.(b?f16)\.\2 \{([%\d, ]+)\}, %(\d+), %(\d+), %(\d+), ([01]), p, 1, 1, 0, 0;")
LANES, WARPS = 32, 4


class Products:
    """Of one thread block: those that run, in groups of each warpgroup."""

    def __init__(self, block):
        self.block = block
        self.fenced: dict[int, bool] = {}  # warpgroup -> registers may be taken
        self.open: dict[int, list] = {}  # words read since the last commit
        self.groups: dict[int, list[list]] = {}
        self.sums: dict[int, list] = {}  # of running products, a register [128] each, and where they belong

    def function(self, name: str, operands, source: str, mask) -> None:
        """A function of our own: its very source says what it does."""
        if found := SPARSE.search(source):
            sums = [int(number.strip(" %")) for number in found[3].split(",")]
            assert sums == list(range(len(sums))) and [int(found[place]) for place in (4, 5, 6)] == [len(sums) + part for part in range(3)], name
            self.multiply(int(found[1]), found[2], operands, mask, int(found[7]))
        else:
            assert 'asm volatile("" :' in source and not any(self.groups.values()), f"{name} does what is not known, or sums still change"

    def instruction(self, name: str, tokens: list[str], operands, mask) -> None:
        for group in self.groups_of(mask):
            if name == "wgmma_fence":
                self.fenced[group] = True
            elif name == "wgmma_commit_group":
                self.groups.setdefault(group, []).append(self.open.pop(group, []))
            elif name == "wgmma_wait_group":
                self.wait(group, int(operands[0].value))
        if tokens[0] == "mma_async":
            shape = re.fullmatch(r"m64n(\d+)k16", tokens[3])
            assert [int(part.value) for part in operands[-5:]] == [1, 1, 1, 0, 0], "plain sums alone are simulated"
            self.multiply(int(shape[1]), tokens[-2 if tokens[-1].startswith("p") else -1], operands, mask)

    def groups_of(self, mask) -> list[int]:
        lanes = mask.reshape(-1, LANES * WARPS)
        assert (lanes.all(axis=1) | ~lanes.any(axis=1)).all(), "an instruction for a warpgroup that some of its lanes leave out"
        return list(np.flatnonzero(lanes.any(axis=1)))

    def multiply(self, columns: int, kind: str, operands, mask, selector: int | None = None) -> None:
        count, dtype, sparse = columns // 2, numpy_dtype(DTYPES_OF[kind]), selector is not None
        registers, inputs = operands[:count], operands[count : count + (3 if sparse else 2)]
        a, b, *metadata = (np.broadcast_to(self.block.value(part), mask.shape) for part in inputs)
        for group in self.groups_of(mask):
            assert self.fenced.get(group), "registers are taken before wgmma.fence"
            at = slice(group * 128, group * 128 + 128)
            left, right = self.matrix(a[at], 64, dtype, group), self.matrix(b[at], columns, dtype, group, 32 if sparse else 16)
            if sparse:
                warps = zip(left.reshape(WARPS, 16, 16), metadata[0][at].reshape(WARPS, LANES), strict=True)
                left = np.concatenate([spread(packed, words, selector) for packed, words in warps])
            self.add(group, at, registers, left @ right.T)

    def add(self, group: int, at: slice, registers, product: np.ndarray) -> None:
        """Lane l of warp w: rows 16 w + l / 4 (+ 8), columns 8 j + 2 (l % 4) + 0, 1, register 4 j + 2 (row is + 8) + odd."""
        if group not in self.sums:
            self.sums[group] = [registers, [self.block.value(register)[at].astype(np.float64) for register in registers]]
        lane = np.arange(128)
        for index, total in enumerate(self.sums[group][1]):
            row = lane // 32 * 16 + lane % 32 // 4 + index % 4 // 2 * 8
            total += product[row, index // 4 * 8 + lane % 4 * 2 + index % 2]
        self.put(group, [np.full(128, np.nan)] * len(registers))

    def put(self, group: int, values: list) -> None:
        mask = np.arange(self.block.threads) // 128 == group
        for register, value in zip(self.sums[group][0], values, strict=True):
            whole = np.zeros(self.block.threads, np.float32)
            whole[mask] = value
            self.block.put(register, whole, mask)

    def wait(self, group: int, running: int) -> None:
        groups = self.groups.get(group, [])
        while len(groups) > running:
            for words in groups.pop(0):
                np.subtract.at(self.block.shared.reading, words, 1)
        if not groups and not self.open.get(group) and group in self.sums:
            self.put(group, self.sums[group][1])
            del self.sums[group]
            self.fenced[group] = False

    def matrix(self, descriptors: np.ndarray, rows: int, dtype, group: int, columns: int = 16) -> np.ndarray:
        """[rows, columns] that a descriptor names, columns adjacent; it is the same in every lane."""
        (descriptor,) = {int(each) for each in descriptors}
        width, mixed = SWIZZLES[descriptor >> 62]
        assert descriptor & ~(0x3FFF | 1 << 16 | 0x3FFF << 32 | 3 << 62) == 0, "patterns begin where the mode says, and no other bit is set"
        start, between = (descriptor & 0x3FFF) << 4, (descriptor >> 32 & 0x3FFF) << 4
        row, byte = np.meshgrid(np.arange(rows), np.arange(0, 2 * columns, 4), indexing="ij")
        address = start + row // 8 * between + row % 8 * width + byte
        address ^= (address >> 7 & mixed) << 4
        words = (address - SHARED_AT) // 4
        assert ((address - SHARED_AT) % 4 == 0).all() and (words >= 0).all() and (words < len(self.block.shared.memory)).all(), "outside shared memory"
        for warp in range(WARPS):
            self.block.shared.read_alone(words.ravel(), group * WARPS + warp)
        np.add.at(self.block.shared.reading, words.ravel(), 1)
        self.open.setdefault(group, []).append(words.ravel())
        return np.ascontiguousarray(self.block.shared.memory[words]).view(dtype).astype(np.float64)
