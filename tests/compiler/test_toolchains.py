"""Every family of targets has a toolchain, and every toolchain a family."""

from dataclasses import replace

import pytest

from spcompile.compiler.toolchains import TOOLCHAINS, toolchain_for
from spcompile.errors import TargetError
from spcompile.targets import list_targets, load_target
from spcompile.targets.device_file import FAMILIES


def test_families_and_toolchains_are_the_same():
    assert set(TOOLCHAINS) == set(FAMILIES)


def test_every_device_finds_its_toolchain():
    for target in list_targets():
        toolchain = toolchain_for(target, 1)
        assert type(toolchain) is TOOLCHAINS[target.family] and (toolchain.target, toolchain.threads) == (target, 1)
        assert toolchain.offered[0].notation == "dense"


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("host", "^host has 2 cores, --threads asks for 1,000; give at most 2$"),
        ("raspberry-pi-4", "^raspberry-pi-4 has 2 cores, --threads asks for 1,000; give at most 2, or a device file of your own that has more$"),
    ],
)
def test_a_cpu_has_no_more_threads_than_cores(name, refusal):
    device = replace(load_target("raspberry-pi-4"), name=name, cores=2)
    assert toolchain_for(device, 2).threads == 2
    with pytest.raises(TargetError, match=refusal):
        toolchain_for(device, 1000)
