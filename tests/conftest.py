"""What a test may ask of the machine it runs on; what is absent is skipped by name."""

from pathlib import Path

import pytest

from spcompile.verdict import Verdict

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def _shared() -> Verdict:
    return Verdict.yes() if (SHARED / "assets").is_dir() else Verdict.no("the folder ../shared is not beside this repository")


def _gpu() -> Verdict:
    import tvm

    return Verdict.yes() if tvm.cuda(0).exist else Verdict.no("no CUDA device")


def _avx512() -> Verdict:
    flags = Path("/proc/cpuinfo")
    return Verdict.yes() if flags.exists() and " avx512f " in flags.read_text() else Verdict.no("this CPU has no AVX-512")


NEEDS = {"needs_shared": _shared, "needs_gpu": _gpu, "needs_avx512": _avx512}


def pytest_runtest_setup(item):
    for marker, available in NEEDS.items():
        if item.get_closest_marker(marker) and not (verdict := available()):
            pytest.skip(f"{marker}: {verdict.reason}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of models and data sets; mark the test `needs_shared`."""
    return SHARED
