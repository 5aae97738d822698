"""Set the aarch64 emulator up under the user's cache folder; no root, no system package is touched. Run: python -m spcompile.runtime.emulator_setup

Debian's or Ubuntu's apt-get fetches QEMU (unless it is installed) and the arm64 C and C++ libraries, pip fetches the aarch64 wheels of the
installed TVM, and `ziglang` compiles the small server of serve.c.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from spcompile.errors import SpcompileError, ToolError
from spcompile.runtime import emulator

QEMU = ("qemu-aarch64-static", "qemu-aarch64")
LIBRARIES = ("tvm/lib/libtvm_runtime.so", "tvm_ffi/lib/libtvm_ffi.so")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_24_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
TRIPLE = "aarch64-linux-gnu.2.28"  # zig's way to name the oldest glibc to run on: that of the wheels
APT_CONFIG = """
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Post-Invoke-Success "";
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Acquire::Languages "none";
Debug::NoLocking "true";
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
"""


def _run(command: list, doing: str, environment: dict[str, str] | None = None) -> str:
    """-> stdout. Raises ToolError with the tool's last words."""
    if not shutil.which(command[0]):
        raise ToolError(f"{doing} needs {command[0]}, which is not here; the emulator is set up on Debian and Ubuntu")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})})
    if done.returncode:
        raise ToolError(f"{doing} failed: {' '.join(done.stderr.split())[-500:]}")
    return done.stdout


def unpack_debian(packages: tuple[str, ...], architecture: str, scratch: Path, root: Path) -> None:
    """Unpack packages and all that they depend on into the folder `root`, from the system's own package sources.

    apt-get gets lists, cache and an empty status of its own, so it takes nothing for installed and needs no root.
    """
    own = scratch / f"apt-{architecture}"
    (own / "state/lists/partial").mkdir(parents=True)
    (own / "cache/archives/partial").mkdir(parents=True)
    (own / "state/status").touch()
    (own / "apt.conf").write_text(APT_CONFIG.format(architecture=architecture, folder=own))
    environment = {"APT_CONFIG": str(own / "apt.conf")}
    doing = f"fetching {', '.join(packages)} for {architecture}"
    _run(["apt-get", "update"], doing, environment)
    _run(["apt-get", "--yes", "--download-only", "install", *packages], doing, environment)
    for package in sorted((own / "cache/archives").glob("*.deb")):
        _run(["dpkg", "--extract", package, root], f"unpacking {package.name}")


def find_qemu(scratch: Path, built: Path) -> None:
    """built/qemu: the one on the PATH, else Debian's."""
    installed = next(filter(None, map(shutil.which, QEMU)), None)
    if installed:
        (built / "qemu").symlink_to(installed)
        return
    architecture = _run(["dpkg", "--print-architecture"], "finding QEMU").strip()
    unpack_debian(("qemu-user-static",), architecture, scratch, scratch / "qemu-root")
    found = next(path for name in QEMU if (path := scratch / "qemu-root/usr/bin" / name).exists())
    shutil.copy(found, built / "qemu")


def fetch_runtime(scratch: Path, built: Path) -> None:
    """built/lib: TVM's runtime for aarch64, of the version that is installed here."""
    wheels = [f"{name}=={version(name)}" for name in ("apache-tvm", "apache-tvm-ffi")]
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version", python, "--implementation", "cp", "--dest", scratch / "wheels"]
    _run([sys.executable, "-m", "pip", "download", *options, *platforms, *wheels], "fetching TVM for aarch64")
    (built / "lib").mkdir()
    for wheel in (scratch / "wheels").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in set(LIBRARIES).intersection(archive.namelist()):
                (built / "lib" / Path(name).name).write_bytes(archive.read(name))


def compile_server(scratch: Path, built: Path) -> None:
    """built/serve, from serve.c."""
    from tvm_ffi.libinfo import find_dlpack_include_path, find_include_path

    source = Path(__file__).with_name("serve.c")
    includes = [f"-I{folder}" for folder in (find_include_path(), find_dlpack_include_path())]
    # libtvm_ffi.so itself wants libstdc++, which zig does not have and the emulated machine does.
    link = [built / "lib/libtvm_ffi.so", "-Wl,--allow-shlib-undefined", "-o", built / "serve"]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(scratch / "zig"), "ZIG_LOCAL_CACHE_DIR": str(scratch / "zig")}
    _run([sys.executable, "-m", "ziglang", "cc", "-target", TRIPLE, "-O1", *includes, source, *link], "compiling the emulator's server", caches)


def _build(home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="emulator-", dir=home.parent) as name:
        scratch, built = Path(name), Path(name, "built")
        built.mkdir()
        find_qemu(scratch, built)
        unpack_debian(("libc6", "libstdc++6"), "arm64", scratch, built / "root")
        fetch_runtime(scratch, built)
        compile_server(scratch, built)
        shutil.rmtree(home, ignore_errors=True)  # left without its QEMU
        built.replace(home)


def set_up() -> Path:
    """-> the emulator's folder, complete or not there at all; a finished one is kept. About a minute."""
    home = emulator.folder()
    if not emulator.available():
        _build(home)
    with emulator.session():
        return home


if __name__ == "__main__":
    try:
        print(f"aarch64 emulator: {set_up()}")
    except SpcompileError as error:
        sys.exit(f"spcompile: {error}")
