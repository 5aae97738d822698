"""The analytic model of FPGA-like accelerators: docs/accelerators.md explains it; the simulator in spcompile/accelerator judges it."""
