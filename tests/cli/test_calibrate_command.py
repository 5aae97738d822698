"""spcompile calibrate on a tiny set of kernels: on this host, over RPC, and everything that can be wrong with what is given."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from spcompile.compiler import calibrating
from spcompile.compiler.calibrating import Probe
from spcompile.runtime import emulator, host
from spcompile.targets import load_target
from spcompile.targets.system import cores

BASES = (("zen4", 16), ("x86-avx2", 8), ("cortex-a53", 4))
HERE = next((name for name, lanes in BASES if host.runs_here(load_target(name).triple, lanes)), None)
needs_host = pytest.mark.skipif(HERE is None, reason="this machine runs the code of none of the shipped devices")


@pytest.fixture(autouse=True)
def few_kernels(monkeypatch):
    monkeypatch.setattr(calibrating, "PROBES", (Probe("dense", 8, 8, 8, 3), Probe("unstructured@0.5", 8, 8, 8, 1)))
    monkeypatch.setattr(calibrating, "SAMPLES", 2)


@pytest.fixture
def board(tmp_path):
    def write(base):
        path = tmp_path / "board.toml"
        path.write_text(f'description = "A board"\nbase = "{base}"\n')
        return path

    return write


@needs_host
def test_this_host_is_measured_and_written_down(cli, board):
    path = board(HERE)
    outcome = cli("calibrate", "--target", path, "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert "dense, 3x3 8->8 @8" in outcome.out and f"written into {path}" in outcome.out
    target = load_target(path)
    assert "2 kernels on " in target.measured_when and host.flags_digest()[:12] in target.measured_when
    shown = re.search(r"instructions ([\d.]+), caches beyond L1 ([\d.]+)", outcome.out)
    assert [float(scale) for scale in shown.groups()] == pytest.approx([target.measured_core, target.measured_caches], abs=0.0051)  # two digits shown
    shown = cli("targets", path).out
    assert "calibrated: " in shown.splitlines()[0] and "measured_core" in shown


@needs_host
def test_predictions_use_what_was_measured(cli, board, build):
    import numpy as np

    from spcompile.compiler import inspect

    weight = np.ones((32, 32, 3, 3), np.float32)
    model = build("g (float[1,32,16,16] x) => (float[1,32,14,14] y) { y = Conv(x, w) }", w=weight)
    path = board(HERE)
    assert cli("calibrate", "--target", path, "--quiet").code == 0
    path.write_text(path.read_text().replace(f"core = {load_target(path).measured_core:.4g}", "core = 4.0"))
    as_measured, as_given = inspect(model, target=str(path)), inspect(model, target=HERE)
    assert as_measured.dense_s > 2 * as_given.dense_s
    assert "calibrated: " in as_measured.target.description


@pytest.mark.needs_emulator
def test_a_board_is_measured_over_rpc(cli, board, monkeypatch):
    path = board("cortex-a72")
    with emulator.session("cortex-a72") as remote:
        monkeypatch.setattr(calibrating, "_connected", lambda rpc: remote)
        outcome = cli("calibrate", "--target", path, "--rpc", "gateway:9090", "--quiet")
        for number in range(2):
            with pytest.raises(Exception, match=f"probe{number}"):  # no file is left there
                remote.download(f"probe{number}.so")
    assert (outcome.code, outcome.err) == (0, "")
    assert load_target(path).measured_when.endswith("2 kernels on the board at gateway:9090, threads: 1")


@pytest.fixture
def server():
    """TVM's own RPC server on this host -> its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tvm.exec.rpc_server", "--host", "127.0.0.1", "--port", str(port), "--port-end", str(port + 1)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@needs_host
def test_tvms_own_server_serves(cli, board, server):
    path = board(HERE)
    outcome = cli("calibrate", "--target", path, "--rpc", server, "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"on the board at {server}" in load_target(path).measured_when


FOREIGN = "cortex-a72" if HERE != "cortex-a53" else "x86-avx2"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no device file given: spcompile calibrate --target my_board.toml"),
        (["--target", "zen4"], "'zen4' is no device file of yours; calibrating writes into one"),
        (["--target", "none.toml"], "there is no file none.toml"),
        (["--target", "{board}"], "does not describe this host: it is .* code, this machine is .*; a board is reached with --rpc HOST:PORT"),
        (
            ["--target", "{board}", "--rpc", "127.0.0.1:9"],
            "no TVM RPC server answers at 127.0.0.1:9; on the board, run: python -m tvm.exec.rpc_server --port 9",
        ),
        (["--target", "{board}", "--rpc", "gateway"], "'gateway' is not an address; write HOST:PORT"),
        (["--target", "{board}", "--rpc", "gateway:99999"], "'gateway:99999' is not an address; write HOST:PORT"),
        (["--target", "{board}", "--threads", "0"], "'0' is not a whole number of at least 1"),
        (["--target", "{board}", "--rcp", "a:1"], "unknown option --rcp; did you mean --rpc"),
        (["--target", "{broken}"], "'clock_hz' is -1; a number above"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(cli, board, tmp_path, words, told):
    path, broken = board(FOREIGN), tmp_path / "broken.toml"
    broken.write_text('base = "cortex-a72"\nclock_hz = -1\n')
    before = path.read_text()
    outcome = cli("calibrate", *(word.format(board=path, broken=broken) for word in words))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert re.search(told, outcome.err), outcome.err
    assert path.read_text() == before


@needs_host
def test_no_more_threads_than_there_are_cores(cli, board):
    path, most = board(HERE), min(load_target(HERE).cores, cores())
    before = path.read_text()
    outcome = cli("calibrate", "--target", path, "--threads", most + 1)
    assert outcome.code == 2 and f"--threads asks for {most + 1}; give at most {most}" in outcome.err
    assert path.read_text() == before


@pytest.mark.parametrize("base", ["a100", "zcu104"])
def test_only_cpus_are_calibrated(cli, board, base):
    outcome = cli("calibrate", "--target", board(base))
    assert outcome.code == 2 and "only those of CPUs are calibrated" in outcome.err
