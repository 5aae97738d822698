"""Families of targets -> how the compiler serves them. A new family is one file here, one line in TOOLCHAINS and one in targets/device_file.py."""

from spcompile.compiler.toolchains.cpu import Cpu
from spcompile.compiler.toolchains.fpga import Fpga
from spcompile.compiler.toolchains.toolchain import Toolchain
from spcompile.targets import Device

TOOLCHAINS: dict[str, type[Toolchain]] = {"cpu": Cpu, "fpga": Fpga}


def toolchain_for(target: Device, threads: int) -> Toolchain:
    """The toolchain of the target's family."""
    return TOOLCHAINS[target.family](target, threads)


__all__ = ["TOOLCHAINS", "Toolchain", "toolchain_for"]
