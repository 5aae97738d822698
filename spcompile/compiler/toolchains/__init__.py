"""Families of targets -> how the compiler serves them. A new family is one file here, one line in TOOLCHAINS and one in targets/device_file.py."""

from spcompile.compiler.toolchains.cpu import Cpu
from spcompile.compiler.toolchains.fpga import Fpga
from spcompile.compiler.toolchains.gpu import Gpu
from spcompile.compiler.toolchains.toolchain import Toolchain
from spcompile.targets import Device

TOOLCHAINS: dict[str, type[Toolchain]] = {"cpu": Cpu, "fpga": Fpga, "gpu": Gpu}


def toolchain_for(target: Device, threads: int, dtype: str | None = None) -> Toolchain:
    """The toolchain of the target's family. dtype: of its numbers, where the family leaves a choice."""
    return TOOLCHAINS[target.family](target, threads, dtype)


__all__ = ["TOOLCHAINS", "Toolchain", "toolchain_for"]
