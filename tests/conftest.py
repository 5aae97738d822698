"""What a test may ask of the machine it runs on; what is absent is skipped by name."""

import itertools
from pathlib import Path

import pytest
from hypothesis import settings

from spcompile.runtime import emulator
from spcompile.verdict import Verdict

settings.register_profile("busy machine", deadline=None)
if settings.get_current_profile_name() == "default":  # CI has a profile of its own, with the same examples every time
    settings.load_profile("busy machine")

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


NUMBERS = itertools.count()


def _shared() -> Verdict:
    return Verdict.yes() if (SHARED / "assets").is_dir() else Verdict.no("the folder ../shared is not beside this repository")


def _gpu() -> Verdict:
    import tvm

    return Verdict.yes() if tvm.cuda(0).exist else Verdict.no("no CUDA device")


def _avx512() -> Verdict:
    flags = Path("/proc/cpuinfo")
    return Verdict.yes() if flags.exists() and " avx512f " in flags.read_text() else Verdict.no("this CPU has no AVX-512")


NEEDS = {"needs_shared": _shared, "needs_emulator": emulator.available, "needs_gpu": _gpu, "needs_avx512": _avx512}


def pytest_runtest_setup(item):
    for marker, available in NEEDS.items():
        if item.get_closest_marker(marker) and not (verdict := available()):
            pytest.skip(f"{marker}: {verdict.reason}")


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """What a terminal, a CI service or pytest's own workers say about screens does not reach the tests."""
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def untuned(monkeypatch, tmp_path_factory):
    """No test sees what was tuned on this machine, or by another test."""
    monkeypatch.setenv("SPCOMPILE_TUNING", str(tmp_path_factory.getbasetemp() / f"tuning-{next(NUMBERS)}.jsonl"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of models and data sets; mark the test `needs_shared`."""
    return SHARED


@pytest.fixture(scope="session")
def build():
    """build("g (float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Relu(x) }", w=array, ...) -> an onnx_ir model; arrays become initializers."""
    import onnx
    import onnx_ir as ir

    def build(text: str, opset: int = 18, **arrays) -> ir.Model:
        proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}, "test" : 1]> {text}')
        proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in arrays.items())
        return ir.from_proto(proto)

    return build


@pytest.fixture(scope="session")
def assert_equal_outputs():
    """Two models give the same outputs, to `relative` of the largest, for the same random inputs."""
    import numpy as np

    from spcompile.ir.session import run

    def assert_equal_outputs(before, after, relative: float = 1e-5) -> None:
        generator = np.random.default_rng(0)
        feeds = {value.name: generator.normal(size=value.shape.numpy()).astype(value.dtype.numpy()) for value in before.graph.inputs}
        expected, found = run(before, feeds), run(after, feeds)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert array.shape == found[name].shape
            np.testing.assert_allclose(found[name], array, rtol=0, atol=relative * np.abs(array).max(initial=0), err_msg=name)

    return assert_equal_outputs


@pytest.fixture
def aarch64():
    """A fresh emulated machine, as a `tvm.rpc.RPCSession`; mark the test `needs_emulator`."""
    with emulator.session() as remote:
        yield remote
