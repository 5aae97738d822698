"""The fingerprint of this machine, within which measured times can be compared."""

import platform

from spcompile.check.figures import Environment
from spcompile.runtime import host

RUNNING = ("apache-tvm", "numpy")  # packages that have a part in every call


def environment(threads: int) -> Environment:
    """Of this machine and a model that uses so many threads."""
    versions = {name: version for name, version in host.packages().items() if name in RUNNING}
    return Environment(host.cpu_model(), host.flags_digest(), threads, versions | {"python": platform.python_version()})


def difference(was: Environment, now: Environment) -> str:
    """What differs, in words; "" when nothing does."""
    parts = {
        "CPU": (was.cpu, now.cpu),
        "CPU flags": (was.cpu_flags_sha256[:8], now.cpu_flags_sha256[:8]),
        "threads": (was.threads, now.threads),
        **{name: (was.versions.get(name, "none"), now.versions.get(name, "none")) for name in sorted({*was.versions, *now.versions})},
    }
    return ", ".join(f"{name} {before} -> {after}" for name, (before, after) in parts.items() if before != after)
