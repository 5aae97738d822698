"""Names, aliases and what a Target derives from its numbers."""

import pytest

from spcompile.errors import TargetError
from spcompile.targets import load_target


@pytest.mark.parametrize(
    ("given", "near"), [("cortex-a71", "cortex-a7"), ("Zen4", "zen4"), ("rasberry-pi-4", "raspberry-pi-4"), ("armm", "arm"), ("hosts", "host")]
)
def test_unknown_names_get_near_matches(given, near):
    with pytest.raises(TargetError, match=f"unknown target '{given}': did you mean .*{near}"):
        load_target(given)


def test_a_name_like_nothing_gets_the_whole_list():
    with pytest.raises(TargetError, match=r"unknown target 'zzz': known are x86-avx2, .*, arm, x86, .*host"):
        load_target("zzz")


def test_peak_and_tvm_target_of_a_known_core():
    core = load_target("raspberry-pi-4")
    assert core.peak_flops == pytest.approx(2 * 4 * 1 * 1.8e9)
    assert core.tvm_target() == {"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a72"}
    assert not core.x86 and load_target("zen4").x86


def test_targets_are_values():
    assert load_target("cortex-a72") == load_target("cortex-a72")
    assert len({load_target("arm"), load_target("raspberry-pi-4")}) == 1
