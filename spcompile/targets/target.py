"""The CPU that code is made for: numbers with units in their names and a source for each; no behaviour of its own."""

from dataclasses import dataclass, field
from typing import ClassVar

from spcompile.targets.device import Device


@dataclass(frozen=True)
class Cache:
    """One level, as one core sees it. `bytes_per_cycle` is what one core reads out of it, sustained, at `Target.clock_hz`."""

    bytes: int
    bytes_per_cycle: float
    shared: bool  # by all cores, else each has its own


@dataclass(frozen=True)
class Target(Device):
    """One CPU. "Vector" is one whole register of `lanes_fp32` floats; rates are per core and cycle, sustained."""

    ALLOWED: ClassVar[dict[str, tuple[str, ...]]] = {"triple": ("x86_64-linux-gnu", "aarch64-linux-gnu")}
    name: str
    description: str
    family: str  # "cpu"
    triple: str  # "x86_64-linux-gnu", "aarch64-linux-gnu"
    mcpu: str  # LLVM's name of the core that code is made for
    features: tuple[str, ...]  # LLVM attributes beyond mcpu's own: "+avx512vl", "-aes"
    scheduling_model: str  # LLVM's name of the core whose scheduling model llvm-mca is to use; "" = there is no fitting one
    lanes_fp32: int  # fp32 lanes of one vector register as code is generated
    datapath_lanes: int  # fp32 lanes that one pipe takes at once; wider registers pass twice, narrower ones run at that multiple of the rates below
    vector_registers: int
    fma_per_cycle: float  # vectors
    fma_latency_cycles: float  # from one accumulation to the next into the same register
    loads_per_cycle: float  # vectors, from L1
    load_latency_cycles: float  # from L1 into a vector register
    line_crossing_cycles: float  # what a vector load costs more when it straddles two cache lines
    broadcasts_per_cycle: float  # scalars loaded to be spread over the lanes
    stores_per_cycle: float  # vectors, to L1
    folds_loads: bool  # an FMA reads one operand from memory (x86)
    pairs_loads: bool  # one instruction loads two registers (ARM)
    issue_width: float  # instructions
    dispatch_width: int  # micro-operations, for llvm-mca
    out_of_order: bool  # does it look past a waiting instruction?
    reorder_window: int  # instructions in flight
    mispredict_cycles: float  # a wrongly predicted branch
    clock_hz: float  # under sustained vector load
    cores: int  # of the kind described
    caches: tuple[Cache, ...]  # L1 data first
    memory_bytes_per_second: float  # one core reading
    memory_bytes_per_second_shared: float  # all cores together
    arithmetic_per_cycle: float = 0.0  # vectors added, compared, masked, where other pipes help the multiply-adders; 0: as fma_per_cycle
    columns_ahead: int = 0  # that dense products ask for x before they multiply it, where it lies in L2; 0: hardware fetches it in time
    # Our kernels compute in fp32; the next two serve benchmarks that predict other engines' fp16 and int8 networks (benchmarks/ncnn.py).
    fp16_flop_per_cycle: float = 0.0  # one core on 16-bit floats (fp16 or bf16), multiply-add = 2; 0: no instructions for them
    int8_op_per_cycle: float = 0.0  # one core on 8-bit whole numbers, multiply-add = 2; 0: none worth using
    measured_core: float = 1.0  # time that instructions took on the device itself, over what the rates above say
    measured_caches: float = 1.0  # the same of bytes from the caches beyond L1
    measured_memory: float = 1.0  # the same of bytes from memory
    measured_when: str = ""  # date, kernels and machine of these three; "": nobody measured
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)  # (field, where its value comes from)

    def __post_init__(self):
        assert self.family == "cpu" and self.caches and self.cores > 0 and self.clock_hz > 0, self.name
        assert min(self.measured_core, self.measured_caches, self.measured_memory) > 0, self.name

    @property
    def x86(self) -> bool:
        return self.triple.startswith("x86_64")

    @property
    def peak_flops(self) -> float:
        """fp32 FLOP/s of one core."""
        return 2 * self.lanes_fp32 * self.fma_per_cycle * self.clock_hz

    def tvm_target(self) -> dict:
        """What `tvm.target.Target` takes."""
        return {"kind": "llvm", "mtriple": self.triple, "mcpu": self.mcpu} | ({"mattr": list(self.features)} if self.features else {})
