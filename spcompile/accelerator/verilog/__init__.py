"""The array of a device file as synthesizable Verilog, and a bench that runs it on exported files."""

from spcompile.accelerator.verilog.generate import Shape, array_source, bench_source, generates, shape_of

__all__ = ["Shape", "array_source", "bench_source", "generates", "shape_of"]
