"""`--target host`: the shipped device that fits this machine, with what the system says about itself filled in."""

import platform
from dataclasses import replace
from pathlib import Path

from spcompile.errors import TargetError
from spcompile.targets.device_file import parse_target
from spcompile.targets.system import cores, cpuinfo, read
from spcompile.targets.target import Target


def host_target(devices: list[tuple[str, dict]], root: Path = Path("/")) -> Target:
    """devices: (name, table as read from its file). The fitting one that demands most of the machine wins; of big and little cores the fastest.

    `root` holds proc/ and sys/. TargetError when this machine's kind is not among the devices.
    """
    machine, flags = platform.machine().lower(), _cpu_flags(root)
    fitting = [
        (len(needs), parse_target(table, f"{name}.toml"))
        for name, table in devices
        if "recognised_by" in table and (needs := set(table["recognised_by"]["flags"])) <= flags
    ]
    if not fitting:
        kinds = ", ".join(name for name, table in devices if "recognised_by" in table)
        raise TargetError(f"target 'host': this machine ({machine}) is none of {kinds}; give a device file of your own: --target my_board.toml")
    _, target = max(fitting, key=lambda entry: (entry[0], entry[1].peak_flops))
    return _with_own_numbers(target, root)


def _cpu_flags(root: Path) -> set[str]:
    """x86: vendor and feature flags of the first core; ARM: "part:0xd08" of every core."""
    pairs = cpuinfo(root)
    parts = {f"part:{value}" for key, value in pairs if key == "CPU part"}
    return parts | {word for key, value in pairs if key in ("flags", "vendor_id", "Features") for word in value.split()}


def _with_own_numbers(target: Target, root: Path) -> Target:
    """Cores, cache sizes and the highest clock, where the system tells them; rates stay the device's."""
    sizes = [_cache_bytes(root, level) or cache.bytes for level, cache in enumerate(target.caches, 1)]
    caches = tuple(replace(cache, bytes=size) for cache, size in zip(target.caches, sizes, strict=True))
    khz = read(root / "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").strip()
    clock_hz = 1e3 * int(khz) if khz else target.clock_hz
    own = {"cores": "cores this process may use"} | {f"caches.{level}.bytes": "sysfs" for level in range(len(caches))}
    own |= {"clock_hz": "cpufreq/cpuinfo_max_freq"} if khz else {}
    description = f"this machine, described by {target.name} ({target.description})"
    return replace(
        target, name="host", description=description, cores=cores(), caches=caches, clock_hz=clock_hz, sources=tuple((dict(target.sources) | own).items())
    )


def _cache_bytes(root: Path, level: int) -> int | None:
    for index in sorted((root / "sys/devices/system/cpu/cpu0/cache").glob("index*")):
        size = read(index / "size").strip()
        if read(index / "level").strip() == str(level) and read(index / "type").strip() != "Instruction" and size:
            return int(size[:-1]) * {"K": 1 << 10, "M": 1 << 20}[size[-1]]
    return None
