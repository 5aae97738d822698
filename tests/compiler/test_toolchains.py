"""Every family of targets has a toolchain, and every toolchain a family."""

from spcompile.compiler.toolchains import TOOLCHAINS, toolchain_for
from spcompile.targets import list_targets
from spcompile.targets.device_file import FAMILIES


def test_families_and_toolchains_are_the_same():
    assert set(TOOLCHAINS) == set(FAMILIES)


def test_every_device_finds_its_toolchain():
    for target in list_targets():
        toolchain = toolchain_for(target, 1)
        assert type(toolchain) is TOOLCHAINS[target.family] and (toolchain.target, toolchain.threads) == (target, 1)
        assert toolchain.offered[0].notation == "dense"
