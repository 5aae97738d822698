"""Devices by name. A new device is one file in devices/ and one line here."""

import difflib
from pathlib import Path

from spcompile.errors import TargetError
from spcompile.targets.accelerator import Accelerator
from spcompile.targets.device import Device
from spcompile.targets.device_file import DEVICES as FOLDER
from spcompile.targets.device_file import parse_target, read_table
from spcompile.targets.gpu import Gpu
from spcompile.targets.host import host_target
from spcompile.targets.target import Cache, Target

__all__ = [
    "ACCELERATORS",
    "ALIASES",
    "CPUS",
    "DEVICES",
    "GPUS",
    "Accelerator",
    "Cache",
    "Device",
    "Gpu",
    "Target",
    "explain_target",
    "list_targets",
    "load_target",
]

CPUS = (
    "x86-avx2",
    "x86-avx512",
    "x86-amx",
    "zen4",
    "zen5",
    "cortex-a53",
    "cortex-a55",
    "cortex-a72",
    "cortex-a73",
    "cortex-a76",
    "cortex-a78",
    "cortex-x1",
    "neoverse-n1",
    "neoverse-n2",
    "neoverse-v1",
    "apple-m1",
    "raspberry-pi-3",
    "raspberry-pi-4",
    "raspberry-pi-5",
    "rk3399",
    "rk3588",
    "snapdragon-835",
    "snapdragon-855",
    "snapdragon-865",
)
GPUS = ("t4", "a100", "h100-pcie", "h100-sxm", "h200", "l4", "rtx-3090", "rtx-4090", "orin")
ACCELERATORS = ("s4", "s4-bf16", "sat-vcu1525", "zcu102", "zcu104", "kv260", "vta-pynq-z2")
DEVICES = (*CPUS, *GPUS, *ACCELERATORS)
ALIASES = {  # name -> (device, why that one)
    "arm": ("raspberry-pi-4", "the commonest 64-bit ARM board; code made for its Armv8.0 core runs on every 64-bit ARM Linux machine"),
    "x86": ("x86-avx2", "code made for it runs on every x86-64 PC and server since 2013 (Intel) or 2015 (AMD)"),
    "h100": ("h100-sxm", "the form most H100 servers have"),
}


def load_target(name: str | Path) -> Device:
    """A shipped device, an alias, "host" (this machine), or the path of a device file. TargetError: unknown name, or a file that does not hold together."""
    text = str(name)
    if text == "host":
        return host_target([(device, read_table(FOLDER / f"{device}.toml")) for device in CPUS])
    if text.endswith(".toml") or Path(text).is_file():
        return parse_target(read_table(Path(text)), text)
    device = ALIASES[text][0] if text in ALIASES else text
    if device not in DEVICES:
        raise TargetError(f"unknown target {text!r}: {_suggestion(text)}; `spcompile targets` lists all, a device file of your own is --target my_board.toml")
    return parse_target(read_table(FOLDER / f"{device}.toml"), f"{device}.toml")


def list_targets() -> tuple[Device, ...]:
    """Every shipped device, in the order of DEVICES."""
    return tuple(load_target(name) for name in DEVICES)


def explain_target(name: str | Path) -> str:
    """One line for the report: what a name given as --target means."""
    target = load_target(name)
    if str(name) in ALIASES:
        device, reason = ALIASES[str(name)]
        return f"{name} = {device} ({target.description}): {reason}"
    return f"{target.name}: {target.description}"


def _suggestion(text: str) -> str:
    names = (*DEVICES, *ALIASES, "host")
    near = difflib.get_close_matches(text.lower(), names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}"
