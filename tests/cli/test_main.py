import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from spcompile.cli import COMMANDS
from spcompile.errors import DataError, ModelError
from spcompile.interrupt import SIGNALS, Interrupt

PROGRAM = [sys.executable, "-m", "spcompile"]
HEAVY = ("torch", "tvm", "onnx", "onnx_ir", "onnxruntime", "numpy", "scipy", "matplotlib", "rich", "jinja2", "cattrs")
ARM = ("--target", "arm")


def mistake(outcome):
    """The one line on standard error of a mistake."""
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("spcompile: error: ")
    assert outcome.err.count("\n") == 1
    return outcome.err.removeprefix("spcompile: error: ")


def test_help_imports_nothing_heavy():
    code = f"import sys; from spcompile.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_answers_at_once():
    """Processor time, which a busy machine does not lengthen much."""
    times_s = []
    for _ in range(3):
        before = os.times()
        subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
        after = os.times()
        times_s.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(times_s) <= 0.3


@pytest.mark.parametrize("words", [("--help",), ("targets", "--help"), ("inspect", "--help"), ("run", "--help")])
def test_help_is_a_good_outcome_and_fits_80_columns(cli, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (0, "")
    assert max(len(line) for line in outcome.out.splitlines()) <= 100


def test_help_names_every_command(cli):
    told = cli("--help").out
    for command in COMMANDS:
        assert f"spcompile {command.name}" in told
        assert command.summary in told


def test_version(cli):
    assert cli("--version").out == f"spcompile {version('spcompile')}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no model given"),
        (("net.onnx",), "no target given"),
        (("net.onnx", *ARM), "nothing to aim at"),
        (("net.onnx", *ARM, "--max-drop", "1%"), "--eval"),
        (("net.onnx", "--targt", "arm"), "unknown option --targt; did you mean --target?"),
        (("net.onnx", "--budjet=3ms"), "unknown option --budjet; did you mean --budget?"),
        (("net.onnx", "--zzzzzz"), "`spcompile --help` lists the options"),
        (("inspect", "net.onnx", "--lyer", "x"), "unknown option --lyer; did you mean --layer?"),
        (("net.onnx", "other.onnx"), "unexpected word 'other.onnx'"),
        (("inspct", "net.onnx", *ARM), "did you mean `spcompile inspect`?"),
        (("target",), "did you mean `spcompile targets`?"),
        (("net.onnx", "--target"), "argument --target: expected one argument"),
        (("net.onnx", *ARM, "--budget", "3ms", "--calib", ""), "--calib is empty; give FILE.npz|FOLDER, or leave it out"),
        (("net.onnx", *ARM, "--budget", "3ms", "-o", ""), "-o or --output is empty; give FOLDER"),
        (("", *ARM), "is empty; give MODEL.onnx"),
        (("run", "net.spc", "-o", ""), "-o or --output is empty; give FILE.npz"),
        (("net.onnx", *ARM, "--threads", "0"), "'0' is not a whole number of at least 1"),
        (("net.onnx", *ARM, "--seed", "-1"), "--seed"),
        (("net.onnx", *ARM, "--seed", "1.5"), "'1.5' is not a whole number of at least 0"),
        (("net.onnx", *ARM, "--input-shape", "1,3"), "write for example x=1,3,224,224"),
        (("net.onnx", *ARM, "--input-shape", "x=1,3", "--input-shape", "x=1,4", "--budget", "1ms"), "twice for the same input"),
        (("targets", "cortex-a7"), "did you mean cortex-a7"),
        (("targets", "missing.toml"), "missing.toml"),
    ],
)
def test_a_mistake_is_one_line(cli, model, words, said):
    assert said in mistake(cli(*words))


BELOW = (ModelError("net is\nno model"), DataError("NaN in x"), PermissionError(13, "Permission denied", "out.spc"), OSError(28, "No space left on device"))


@pytest.mark.parametrize("error", BELOW, ids=lambda error: type(error).__name__)
def test_errors_from_below_become_one_line(cli, compiler, model, error):
    compiler.error = error
    said = mistake(cli(model, *ARM, "--budget", "3ms"))
    assert ("out.spc: Permission denied" if isinstance(error, PermissionError) else " ".join(str(error).split())) in said


def test_debug_shows_the_traceback(cli, compiler, model):
    compiler.error = ModelError("no")
    with pytest.raises(ModelError):
        cli(model, *ARM, "--budget", "3ms", "--debug")


def test_our_own_mistakes_are_not_dressed_up(cli, compiler, model):
    compiler.error = AssertionError("ours")
    with pytest.raises(AssertionError, match="ours"):
        cli(model, *ARM, "--budget", "3ms")


def test_an_interrupt_is_one_line_and_130(cli, compiler, model):
    compiler.error = KeyboardInterrupt()
    outcome = cli(model, *ARM, "--budget", "3ms")
    assert (outcome.code, outcome.err) == (130, "spcompile: interrupted\n")


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "RuntimeError", "ModelError"])
def test_control_c_and_being_told_to_end_end_a_real_process_quietly(tmp_path, raised, number, code):
    """The process sends itself the signal while it compiles; libraries in C++ turn it into errors of their own."""
    (tmp_path / "net.onnx").write_bytes(b"")
    program = (
        "import os, signal, sys, time, types; from spcompile.cli import main; from spcompile.errors import ModelError\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "def interrupted(*given, **named):\n"
        "    try:\n"
        f"        os.kill(os.getpid(), signal.{number})\n"
        "        time.sleep(20)\n"
        "    except KeyboardInterrupt:\n"
        f"        raise {raised}\n"
        "fake = sys.modules['spcompile.compiler'] = types.ModuleType('spcompile.compiler')\n"
        "fake.compile = interrupted\n"
        "sys.exit(main(['net.onnx', '--target', 'arm', '--budget', '3ms']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=15)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "spcompile: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_the_signals_handler_is_put_back(cli, compiler, model):
    before = [signal.getsignal(number) for number in SIGNALS]
    assert cli(model, *ARM, "--budget", "3ms").code == 0
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_reader_that_leaves_is_no_error():
    """As in `spcompile targets | head -0`: the pipe is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run([*PROGRAM, "targets"], stdout=closed, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (141, "")


def test_nothing_that_was_said_is_lost_at_the_end(tmp_path):
    """The process ends at once, with what it wrote still to be flushed into a file."""
    with (tmp_path / "out").open("w") as out:
        done = subprocess.run([*PROGRAM, "targets"], stdout=out, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cortex-a76" in (tmp_path / "out").read_text()
    missing = subprocess.run([*PROGRAM, tmp_path / "missing.onnx", *ARM, "--budget", "3ms"], capture_output=True, text=True)
    assert missing.returncode == 2 and missing.stderr.count("\n") == 1 and "missing.onnx" in missing.stderr


def test_a_name_that_the_terminal_cannot_show_ends_no_command(tmp_path):
    (tmp_path / "Bär.toml").write_text('base = "zen4"\n', encoding="utf-8")
    done = subprocess.run([*PROGRAM, "targets", tmp_path / "Bär.toml"], capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout.startswith(rb"B\xe4r: ")


def test_temporary_folders_of_libraries_are_gone_at_the_end(tmp_path):
    """matplotlib makes one where it cannot have one of its own, and leaves it to the interpreter's end."""
    code = "import atexit, pathlib, sys; from spcompile.cli import program; atexit.register(pathlib.Path(sys.argv.pop()).rmdir); program()"
    (tmp_path / "own").mkdir()
    done = subprocess.run([sys.executable, "-c", code, "targets", tmp_path / "own"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and list(tmp_path.iterdir()) == []
