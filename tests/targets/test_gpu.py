"""GPU device files: numbers that belong together, and what is refused."""

import pytest

from spcompile.errors import TargetError
from spcompile.targets import GPUS, load_target

cards = pytest.mark.parametrize("name", GPUS)
DATA_SHEET = {  # dense 16-bit TFLOP/s with fp32 sums
    "t4": 65, "a100": 312, "h100-pcie": 756, "h100-sxm": 989, "h200": 989, "l4": 121, "rtx-3090": 71, "rtx-4090": 165, "orin": 42.5,
}  # fmt: skip


@pytest.mark.parametrize("name", DATA_SHEET)
def test_sms_clock_and_rate_give_the_data_sheets_peak(name):
    assert load_target(name).peak_flops == pytest.approx(DATA_SHEET[name] * 1e12, rel=0.02)


@cards
def test_numbers_are_plausible(name):
    gpu = load_target(name)
    assert 8 <= gpu.sms <= 200 and 1e9 <= gpu.clock_hz <= 3e9 and 1e11 <= gpu.memory_bytes_per_second <= 1e13
    assert 48 * 1024 <= gpu.shared_bytes <= 256 * 1024 and 2**21 <= gpu.l2_bytes <= 2**28
    assert gpu.memory_bytes_per_second < gpu.l2_bytes_per_cycle * gpu.clock_hz


def test_hopper_alone_has_wgmma_and_a_file_of_ones_own_can_leave_it_out(tmp_path):
    assert {name for name in GPUS if load_target(name).has_warpgroups} == {"h100-pcie", "h100-sxm", "h200"}
    own = tmp_path / "own.toml"
    own.write_text('base = "h200"\narch = "sm_90"\n')
    assert not load_target(own).has_warpgroups and load_target(own).capability == load_target("h200").capability == 90


@cards
def test_sparse_tensor_cores_came_with_ampere(name):
    gpu = load_target(name)
    assert gpu.has_sparse == gpu.has_bf16 == (gpu.capability >= 80)


def test_h100_is_the_sxm_form():
    assert load_target("h100") == load_target("h100-sxm")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dense_flops = 1e15", "dense_flops.*above the peak"),
        ("sparse_flops = 1e14", "sparse_flops.*between dense_flops and twice the peak"),
        ('arch = "sm_70"', "arch.*allowed: sm_75"),
        ("sms = 0", "sms"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, line, message):
    file = tmp_path / "mine.toml"
    file.write_text(f'base = "a100"\n{line}\n')
    with pytest.raises(TargetError, match=message):
        load_target(file)


def test_an_own_card_is_a_few_lines(tmp_path):
    file = tmp_path / "half.toml"
    file.write_text('base = "a100"\ndescription = "a slice"\nsms = 42\ndense_flops = 9e13\nsparse_flops = 1.5e14\n')
    assert load_target(file).sms == 42 and load_target(file).source("clock_hz").startswith("NVIDIA")
