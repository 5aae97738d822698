"""An NVIDIA GPU that code is made for: numbers with units in their names and a source for each; no behaviour of its own."""

from dataclasses import dataclass, field
from typing import ClassVar

from spcompile.errors import TargetError
from spcompile.targets.device import Device


@dataclass(frozen=True)
class Gpu(Device):
    """One card. Tensor core rates are of 16-bit floats summed in fp32, a multiply-add counted as 2, zeros of 2:4 counted too."""

    ALLOWED: ClassVar[dict[str, tuple[str, ...]]] = {"arch": ("sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_90a")}
    name: str
    description: str
    family: str  # "gpu"
    arch: str  # as nvcc calls it
    sms: int  # streaming multiprocessors
    clock_hz: float  # boost
    tensor_flop_per_cycle: float  # of one SM, dense, by the data sheet
    dense_flops: float  # of the whole card, sustained in large products: what power and clock leave of the data sheet's peak
    sparse_flops: float  # the same of 2:4; equal to dense_flops: no sparse tensor cores
    fp32_flop_per_cycle: float  # of one SM outside the tensor cores, multiply-add = 2
    shared_bytes: int  # that one thread block may use
    l2_bytes: int
    l2_bytes_per_cycle: float  # read by all SMs together
    memory_bytes_per_second: float
    has_bf16: bool  # tensor cores take bf16
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)  # (field, where its value comes from)

    def __post_init__(self):
        if not self.dense_flops <= self.peak_flops:
            raise TargetError(f"field 'dense_flops' is {self.dense_flops:.3g}, above the peak of {self.peak_flops:.3g} that SMs, clock and rate give")
        if not self.dense_flops <= self.sparse_flops <= 2 * self.peak_flops:
            raise TargetError(f"field 'sparse_flops' is {self.sparse_flops:.3g}; it must lie between dense_flops and twice the peak, {2 * self.peak_flops:.3g}")

    @property
    def peak_flops(self) -> float:
        """Of the whole card's tensor cores, dense, by the data sheet."""
        return self.sms * self.tensor_flop_per_cycle * self.clock_hz

    @property
    def has_sparse(self) -> bool:
        """Do its tensor cores skip the zeros of 2:4?"""
        return self.sparse_flops > self.dense_flops

    @property
    def has_warpgroups(self) -> bool:
        """Is code made for wgmma? Hopper's tensor cores alone take it, and only under the name sm_90a; sm_90 is the same card without it."""
        return self.arch == "sm_90a"

    @property
    def capability(self) -> int:
        """Compute capability times 10: 80 for sm_80."""
        return int(self.arch.removeprefix("sm_").removesuffix("a"))
