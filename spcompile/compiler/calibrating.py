"""spcompile.calibrate: time a dozen kernels on a device, and write into its device file how far its rates are from the truth."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import onnx_ir as ir

from spcompile import passes
from spcompile.compiler.building import Built, build
from spcompile.costs import measured
from spcompile.costs.calibration import Observation, Scales, fit
from spcompile.errors import TargetError, ToolError
from spcompile.ir.layers import find_layers, with_weights
from spcompile.patterns import parse_choice
from spcompile.progress import Progress, Silent
from spcompile.report.numbers import plural
from spcompile.runtime import host
from spcompile.runtime.build import ENTRY
from spcompile.runtime.executor import Executor
from spcompile.runtime.verify import inputs_for
from spcompile.targets import load_target
from spcompile.targets.measured_section import own_device_file, write_measured
from spcompile.targets.system import cores

SAMPLES = 9
SAMPLE_MS = 5  # over RPC: as many calls as last so long
AS_GIVEN = Scales(1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Probe:
    """A layer that is timed: a convolution, pruned at random."""

    choice: str
    in_channels: int
    out_channels: int
    size: int
    kernel: int

    def __str__(self) -> str:
        return f"{self.choice}, {self.kernel}x{self.kernel} {self.in_channels}->{self.out_channels} @{self.size}"

    def model(self) -> ir.Model:
        from onnx import TensorProto, helper, numpy_helper

        random = np.random.default_rng(0)
        weight = random.standard_normal((self.out_channels, self.in_channels, self.kernel, self.kernel)).astype(np.float32)
        sides = [self.size, self.size]
        graph = helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["y"], name="layer", pads=[self.kernel // 2] * 4)],
            "probe",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, self.in_channels, *sides])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, self.out_channels, *sides])],
            [numpy_helper.from_array(weight, "w")],
        )
        model = passes.prepare(ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)))
        (layer,), choice = find_layers(model), parse_choice(self.choice)
        matrix = layer.to_matrix(weight)
        return with_weights(model, {layer.name: matrix * choice.pattern.mask(random.random(matrix.shape), choice.sparsity)})


PROBES = (  # instructions out of L1 first, then x or weights in the caches behind it, then images and weights that only memory holds
    Probe("dense", 32, 32, 16, 3),
    Probe("unstructured@0.8", 32, 32, 16, 3),
    Probe("block4x1@0.8", 32, 64, 16, 3),
    Probe("dense", 128, 128, 28, 1),
    Probe("unstructured@0.8", 128, 128, 28, 1),
    Probe("2:4", 128, 128, 14, 3),
    Probe("block4x1@0.9", 256, 256, 14, 3),
    Probe("unstructured@0.9", 256, 256, 14, 3),
    Probe("dense", 64, 64, 112, 1),
    Probe("block4x1@0.9", 64, 64, 112, 1),
    Probe("dense", 4096, 1024, 1, 1),
    Probe("block4x1@0.5", 4096, 1024, 1, 1),
)


@dataclass(frozen=True)
class Calibrated:
    """probes: what was timed, its time, what the device file's rates say and what the new scales say, in seconds."""

    path: Path
    scales: Scales
    machine: str
    probes: tuple[tuple[str, float, float, float], ...]

    @property
    def errors(self) -> tuple[float, float]:
        """Median relative error before and after."""
        return tuple(statistics.median(abs(row[at] / row[1] - 1) for row in self.probes) for at in (2, 3))


def calibrate(device_file: str | Path, *, rpc: str | None = None, threads: int = 1, progress: Progress | None = None) -> Calibrated:
    """Time PROBES on this host, or on the board whose TVM RPC server listens at `rpc` ("host:port"), and write [measured] into the device file.

    Raises TargetError: no device file, or one for another machine than this host; ToolError: no server to be reached.
    """
    path, progress = own_device_file(device_file), progress or Silent()
    device = load_target(path)
    if device.family != "cpu":
        raise TargetError(f"{path} describes a device of the family '{device.family}'; only those of CPUs are calibrated")
    target = AS_GIVEN.on(device)
    if rpc is None and not (verdict := host.runs_here(target.triple, target.lanes_fp32)):
        raise TargetError(f"{path} does not describe this host: {verdict.reason}; a board is reached with --rpc HOST:PORT")
    available = min(device.cores, cores()) if rpc is None else device.cores
    if threads > available:
        raise TargetError(
            f"{path} has {plural(device.cores, 'core')}{'' if rpc else f', this host {cores()}'}, --threads asks for {threads:,}; give at most {available}"
        )
    machine, timed = _device(rpc, threads)
    with tempfile.TemporaryDirectory() as folder:
        built = []
        with progress.stage("build", len(PROBES)) as advance:
            for number, probe in enumerate(PROBES):
                built.append(build(probe.model(), target, threads, Path(folder) / f"probe{number}.so"))
                advance()
        with progress.stage("measure"):
            seconds = timed(built)
    observations = [Observation(tuple(step.kernel.work() for step in b.program.steps), b.program.bytes, taken) for b, taken in zip(built, seconds, strict=True)]
    scales = fit(observations, target, threads)
    rows = [(str(p), o.seconds, o.predicted_s(target, threads), o.predicted_s(scales.on(target), threads)) for p, o in zip(PROBES, observations, strict=True)]
    date = datetime.now(timezone.utc).date().isoformat()
    found = {"date": date, "machine": machine, "kernels": len(rows), "threads": threads}
    write_measured(path, found | {"core": scales.core, "caches": scales.caches, "memory": scales.memory})
    return Calibrated(path, scales, machine, tuple(rows))


def _device(rpc: str | None, threads: int) -> tuple[str, Callable[[Sequence[Built]], list[float]]]:
    """-> (what the machine is, a function: programs -> seconds of each)."""
    if rpc is None:
        return f"{host.cpu_model()} (flags {host.flags_digest()[:12]})", lambda built: _on_host(built, threads)
    remote = _connected(rpc)
    remote.get_function("runtime.config_threadpool")(1, threads)  # 1: the fastest cores
    return f"the board at {rpc}", lambda built: [_on_board(b, remote) for b in built]


def _on_host(built: Sequence[Built], threads: int) -> list[float]:
    return [time.low_s for time in measured.measure([b.call() for b in built], threads, SAMPLES)]  # the fastest: other work only ever adds


def _on_board(built: Built, remote) -> float:
    program, library = built.program, built.library
    remote.upload(bytearray(library.read_bytes()), target=library.name)
    try:
        device, module = remote.cpu(), remote.load_module(library.name)
    finally:
        remote.remove(library.name)  # what is loaded needs its file no more, and a server that is killed would leave it there
    timed = {ENTRY: module.time_evaluator(ENTRY, device, number=1, repeat=SAMPLES, min_repeat_ms=SAMPLE_MS)}
    executor = Executor(timed, device, program.inputs, program.outputs, program.workspace_elements, program.values, program.indices)
    return min(executor.bind(inputs_for(program, None, 0)[0])().results)


def _connected(rpc: str):
    from tvm import rpc as tvm_rpc

    name, _, port = rpc.rpartition(":")
    try:
        return tvm_rpc.connect(name, int(port))
    except RuntimeError as error:
        raise ToolError(f"no TVM RPC server answers at {rpc}; on the board, run: python -m tvm.exec.rpc_server --port {port}") from error
