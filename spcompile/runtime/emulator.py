"""An aarch64 machine in user-mode emulation (QEMU): code for ARM is executed and checked, not only compiled.

It is reached as a board is, over TVM RPC, so what runs here runs on a board with another address. Emulated time says nothing about a
board's time. `python -m spcompile.runtime.emulator_setup` sets it up once.
"""

import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from spcompile.errors import ToolError
from spcompile.user_cache import user_cache
from spcompile.verdict import Verdict

SETUP = "python -m spcompile.runtime.emulator_setup"
ANY_CORE = "max"  # QEMU's core with every instruction it knows


def folder() -> Path:
    """Where it is set up: under the user's cache folder, one for each version of TVM, whose two halves must agree."""
    return user_cache() / f"emulator-aarch64-tvm-{version('apache-tvm')}"


def available() -> Verdict:
    """Is it set up, with its QEMU still in place?"""
    ready = (folder() / "serve").exists() and (folder() / "qemu").exists()
    return Verdict.yes() if ready else Verdict.no(f"the aarch64 emulator is not set up; to set it up: {SETUP}")


def cores() -> tuple[str, ...]:
    """Cores that QEMU can hold code to, by LLVM's names."""
    listed = subprocess.run([folder() / "qemu", "-cpu", "help"], capture_output=True, text=True, check=False).stdout.split()  # it exits with 1
    return tuple(name for name in listed[2:] if name != ANY_CORE)  # after the words "Available CPUs:"


def stand_in(core: str) -> str:
    """The core that a session for `core` really emulates: itself, or "max"."""
    return core if core in cores() else ANY_CORE


def _start(core: str, listener: socket.socket, key: str, workspace: str) -> subprocess.Popen:
    """The server accepts on `listener`, which it inherits: it is connectable at once and no port is guessed."""
    home, log = folder(), Path(workspace, "server.log")
    files = Path(workspace, "files")
    files.mkdir()
    emulate = [home / "qemu", "-cpu", stand_in(core), "-L", home / "root", "-E", f"LD_LIBRARY_PATH={home / 'lib'}"]
    with log.open("wb") as stderr:
        return subprocess.Popen(
            [*emulate, home / "serve", str(listener.fileno()), key],
            pass_fds=[listener.fileno()],
            cwd=files,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            start_new_session=True,  # the terminal's Ctrl-C is for us; we end the server
        )


@contextmanager
def session(core: str = ANY_CORE) -> Iterator:
    """-> a `tvm.rpc.RPCSession` on a fresh emulated machine, half a second to start; the machine is gone when the block ends.

    core: LLVM's name of the core, so that an instruction the core lacks ends the server as it would end a program on the board. A core that
    QEMU lacks is emulated as "max", which refuses no instruction.
    Raises ToolError: not set up, or the server did not start. Sessions may run side by side.
    """
    from tvm import rpc

    if not (verdict := available()):
        raise ToolError(verdict.reason)
    key = secrets.token_hex(16)  # nobody else on this machine gets in
    with TemporaryDirectory(prefix="spcompile-aarch64-") as workspace:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port, server = listener.getsockname()[1], _start(core, listener, key, workspace)
        try:
            try:
                remote = rpc.connect("127.0.0.1", port, key=key)
            except RuntimeError as error:
                said = Path(workspace, "server.log").read_text().strip() or f"it ended with {server.wait(10)}"
                raise ToolError(f"the aarch64 emulator did not start: {' '.join(said.split())}") from error
            yield remote
        finally:
            server.kill()
            server.wait()
