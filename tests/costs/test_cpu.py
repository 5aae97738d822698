"""The analytic model does what its physics say; figures are worked out by hand from the device's numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.costs import cpu
from spcompile.kernels.work import Stream, Work
from spcompile.targets import CPUS, load_target

ZEN4, PI4, A55 = (load_target(name) for name in ("zen4", "raspberry-pi-4", "cortex-a55"))
counts = st.floats(0, 1e9, allow_nan=False)
works = st.builds(
    Work,
    lanes=st.sampled_from([0, 4, 8]),
    fma=counts,
    arithmetic=counts,
    loads=counts,
    broadcasts=counts,
    stores=counts,
    scalar_loads=counts,
    scalar=counts,
    crossing=counts,
    steps=counts,
    loops=counts,
    unforeseen=counts,
    streams=st.lists(st.builds(Stream, counts, counts, st.booleans()), max_size=3).map(tuple),
    units=st.integers(1, 64),
    used_once=st.just(0.0),
    waits=counts,
    macs=counts,
)
targets = st.sampled_from([load_target(name) for name in CPUS])


def seconds(work, target=ZEN4, threads=1):
    return cpu.predict(work, target, threads).expected_s


def test_pure_multiply_adds_run_at_the_peak():
    fma = 1e8
    flops = 2 * 16 * fma / seconds(Work(fma=fma))
    assert flops == pytest.approx(ZEN4.peak_flops, rel=0.01)


def test_a_busier_pipe_hides_an_idler_one_out_of_order():
    busy = cpu.core_cycles(Work(fma=1e6), ZEN4)
    both = cpu.core_cycles(Work(fma=1e6, loads=0.5e6), ZEN4)
    assert busy <= both <= 1.02 * busy


def test_epilogues_use_pipes_that_do_not_multiply():
    work = Work(arithmetic=1e6)
    assert ZEN4.arithmetic_per_cycle > ZEN4.fma_per_cycle
    assert cpu.finish_cycles(work, ZEN4) == pytest.approx(1e6 / ZEN4.arithmetic_per_cycle)
    assert cpu.finish_cycles(work, PI4) == pytest.approx(1e6 / PI4.fma_per_cycle), "where a file names no other rate"


def test_summing_up_and_finishing_hide_each_other_in_part_only_out_of_order():
    both = Work(fma=1e6, arithmetic=1e6)
    longest, added = 1e6, 2e6
    assert longest < cpu.core_cycles(both, ZEN4) < added
    assert cpu.core_cycles(both, A55) == pytest.approx(cpu.accumulate_cycles(both, A55) + cpu.finish_cycles(both, A55))


def test_in_order_multiply_adds_wait_for_their_loads():
    """One round: 4 FMA (4 cycles), 4 loads (8 cycles at 64 bits), one load's latency (4)."""
    rounds = 1000
    cycles = cpu.accumulate_cycles(Work(fma=4 * rounds, loads=4 * rounds, broadcasts=rounds, steps=rounds, loops=1), A55)
    assert cycles == pytest.approx(rounds * (4 + 8 + 4))


def test_long_sums_in_one_register_wait_for_themselves():
    chain = Work(fma=1e6, steps=1e6, loops=1)
    assert cpu.core_cycles(chain, ZEN4) == pytest.approx(1e6 * ZEN4.fma_latency_cycles, rel=0.02)


def test_short_sums_hide_each_others_waiting_in_the_reorder_window():
    long_lists, short_lists = (Work(fma=1e6, loads=1e6, steps=1e6, loops=loops) for loops in (1e3, 1e5))
    waiting = [cpu.accumulate_cycles(work, ZEN4) for work in (long_lists, short_lists)]
    assert waiting[1] < 0.6 * waiting[0]


def test_narrow_registers_pass_a_split_datapath_twice_as_fast():
    wide, narrow = (cpu.core_cycles(Work(lanes=lanes, fma=1e6), ZEN4) for lanes in (16, 8))
    assert narrow == pytest.approx(wide / 2, rel=0.01)
    skylake = load_target("x86-avx512")
    assert cpu.core_cycles(Work(lanes=8, fma=1e6), skylake) == cpu.core_cycles(Work(lanes=16, fma=1e6), skylake)


def test_exits_that_nobody_foresees_cost_what_no_work_in_flight_hides():
    """Where many instructions are in flight for each multiply-add a cycle; in order there are none."""
    penalties = [cpu.core_cycles(Work(unforeseen=1e6), core) / 1e6 / core.mispredict_cycles for core in (ZEN4, load_target("zen5"), PI4, A55)]
    assert penalties == pytest.approx([0.65, 1, 1, 1])


def test_loads_that_cross_lines_cost_more():
    assert cpu.core_cycles(Work(loads=1e6, crossing=1e6), ZEN4) == pytest.approx(1e6 * (1 + ZEN4.line_crossing_cycles), rel=0.01)


@pytest.mark.parametrize(("footprint", "rate"), [(2 << 10, None), (150 << 10, 32), (4 << 20, 26)])
def test_the_level_that_holds_the_footprint_sets_the_bandwidth(footprint, rate):
    moved = 1e9
    cycles = cpu.memory_cycles(Work(streams=(Stream(moved, footprint),)), ZEN4)
    assert cycles == pytest.approx(moved / rate if rate else 0.0, rel=0.1)  # a few bytes come from the level behind


def test_beyond_all_caches_memory_binds():
    moved = 1e9
    assert seconds(Work(streams=(Stream(moved, 1 << 30),)), PI4) == pytest.approx(moved / PI4.memory_bytes_per_second, rel=0.01)


def test_cold_streams_come_from_where_the_whole_network_lies():
    work = Work(streams=(Stream(1e6, 1e6, cold=True), Stream(1e6, 1e6)))
    alone, among = (cpu.predict(work, PI4, 1, network_bytes=total).expected_s for total in (0, 100e6))
    both_from_memory = 2e6 / PI4.memory_bytes_per_second
    assert alone < among < both_from_memory


def test_threads_share_units_and_no_more():
    work = Work(fma=1e9, units=6)
    one, two, four, many = (seconds(work, PI4, threads) for threads in (1, 2, 4, 64))
    assert two == pytest.approx(one / 2, rel=0.01)
    assert four == pytest.approx(one * 2 / 6, rel=0.01)  # 6 units on 4 threads: two of them get 2
    assert many == four


def test_handing_work_on_costs_a_step_each_time_the_threads_double():
    much, target = Work(fma=1e8, units=64), load_target("neoverse-n2")
    cycles = {threads: seconds(much, target, threads) * target.clock_hz - cpu.CALL_CYCLES for threads in (1, 2, 4, 16)}
    handing = {threads: taken - cycles[1] / threads for threads, taken in cycles.items()}
    assert handing == pytest.approx({1: 0, 2: cpu.LAUNCH_CYCLES, 4: 2 * cpu.LAUNCH_CYCLES, 16: 4 * cpu.LAUNCH_CYCLES}, rel=1e-3, abs=1)


def test_short_calls_and_whole_ones_stay_on_one_thread():
    target = load_target("neoverse-n2")
    for work in (Work(fma=1e3, units=64), Work(fma=1e8, units=1)):
        assert cpu.worth(work, target, 4) == 1 and seconds(work, target, 4) == seconds(work, target, 1)
    assert cpu.worth(Work(fma=1e8, units=2), target, 4) == 4


@pytest.mark.parametrize(
    ("scale", "work"),
    [
        ("measured_core", Work(fma=1e9)),
        ("measured_caches", Work(streams=(Stream(1e9, 64 << 10),))),
        ("measured_memory", Work(streams=(Stream(1e9, 1 << 30),))),
    ],
)
def test_what_was_measured_on_a_device_scales_its_own_part_only(scale, work):
    scaled = replace(PI4, **{scale: 2.0})
    assert seconds(work, scaled) == pytest.approx(2 * seconds(work, PI4), rel=0.01)
    others = [other for other in ("measured_core", "measured_caches", "measured_memory") if other != scale]
    assert seconds(work, replace(PI4, **dict.fromkeys(others, 2.0))) == pytest.approx(seconds(work, PI4), rel=0.01)


def test_threads_share_the_memory_of_a_board():
    work = Work(streams=(Stream(1e9, 1 << 30),), units=4)
    assert seconds(work, PI4, 4) == pytest.approx(seconds(work, PI4, 1), rel=0.01)


def test_known_loop_cycles_replace_the_counts_but_not_the_pipes():
    work = Work(fma=1e6, steps=1e5, loops=1)
    assert cpu.accumulate_cycles(work, PI4, 3e6) == pytest.approx(3e6, rel=0.01)
    assert cpu.accumulate_cycles(work, PI4, 1e3) == pytest.approx(1e6 / PI4.fma_per_cycle)


@given(works, targets, st.integers(1, 8))
def test_predictions_are_positive_ranges(work, target, threads):
    latency = cpu.predict(work, target, threads)
    assert 0 < latency.low_s < latency.expected_s < latency.high_s and latency.basis == "analytic"


@given(works, targets, st.sampled_from(["fma", "arithmetic", "loads", "broadcasts", "stores", "scalar", "crossing"]))
def test_more_work_is_never_predicted_faster(work, target, field):
    """Except in the reorder window: more instructions reach less far into the next loop, which is slower too."""
    more = work._replace(**{field: getattr(work, field) * 1.5 + 1})
    assert seconds(more, target) >= seconds(work, target) * (1 - 1e-9)


@given(works, targets)
def test_a_faster_clock_is_never_slower(work, target):
    assert seconds(work, replace(target, clock_hz=2 * target.clock_hz)) <= seconds(work, target) * (1 + 1e-9)
