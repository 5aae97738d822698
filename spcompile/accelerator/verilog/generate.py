"""Device file -> Verilog, for one packing of weights."""

from dataclasses import asdict, dataclass

from spcompile.costs.fpga.cycles import groups_at_once
from spcompile.errors import TargetError
from spcompile.formats.grouped import place_bits
from spcompile.targets.accelerator import Accelerator
from spcompile.verdict import Verdict

DEPTH = 6  # registers from a window's address to its result
SUMS_AT_ONCE = 2  # cycles from reading a sum to its successor's being there


@dataclass(frozen=True)
class Shape:
    """What the templates are filled with: `kept` of every `of` columns; `place` and `bits`: of one place, as wires and as stored."""

    name: str
    rows: int
    lanes: int
    kept: int
    of: int
    place: int
    bits: int
    positions: int
    extra: int
    least: int


def generates(target: Accelerator) -> Verdict:
    """Is the target an array that the template describes? The reason names the field."""
    wanted = {"precision": "int8", "dataflow": "weight-stationary", "array_positions": 1, "weight_load_cycles": target.array_rows}
    for field, value in wanted.items():
        if getattr(target, field) != value:
            return Verdict.no(f"Verilog is generated for {field} = {value}, {target.name} has {getattr(target, field)}")
    for field, least in (("pipeline_cycles", DEPTH), ("accumulate_cycles", SUMS_AT_ONCE)):
        if getattr(target, field) < least:
            return Verdict.no(f"the generated array needs {field} of at least {least}, {target.name} has {getattr(target, field)}")
    return Verdict.yes()


def shape_of(target: Accelerator, kept: int, of: int) -> Shape:
    """For weights packed `kept` of `of`; 1 of 1 is dense. TargetError where no such array is generated."""
    if not (verdict := generates(target)):
        raise TargetError(verdict.reason)
    if kept > target.array_lanes:
        raise TargetError(f"{kept} weights of a group do not fit {target.name}'s {target.array_lanes} multipliers a row")
    bits = place_bits(of)
    positions = target.output_buffer_bytes // 2 // (4 * target.array_rows)
    least = max(target.array_rows, target.accumulate_cycles)
    lanes = groups_at_once(of, kept, target) * kept
    return Shape(target.name, target.array_rows, lanes, kept, of, max(1, bits), bits, positions, target.pipeline_cycles - DEPTH, least)


def array_source(shape: Shape) -> str:
    """-> array.v, synthesizable."""
    return _render("array.v.j2", asdict(shape))


def bench_source(shape: Shape, **sizes: int) -> str:
    """-> bench.v, for simulators. sizes: weight_bytes, place_bytes, row_bytes, window_bytes, result_bytes that its memories hold."""
    return _render("bench.v.j2", asdict(shape) | sizes)


def _render(template: str, values: dict) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("spcompile.accelerator.verilog"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(template).render(values) + "\n"
