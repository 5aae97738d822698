import io
from dataclasses import replace

import pytest
from rich.console import Console

from spcompile.report.headline import headline
from spcompile.report.terminal import show, show_headline
from spcompile.verdict import Verdict


def printed(report, width, what=show, **terminal):
    console = Console(file=io.StringIO(), width=width, highlight=False, **terminal)
    what(report, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 160, 240])
def test_no_line_is_too_long_and_nothing_is_cut(report, width):
    text = printed(report, width)
    body = text.split("\n", 1)[1]
    assert max(len(line) for line in body.splitlines()) <= width
    assert "…" not in text
    assert "\x1b" not in text
    for entry in report.plan.layers:
        assert f"{entry.dense.latency.expected_s * 1e3:.3f}" in text
        assert entry.layer.name in text
        assert entry.chosen.choice.notation in text
        assert f"{entry.layer.rows}x{entry.layer.columns} @ {entry.layer.positions}" in text


@pytest.mark.parametrize("width", [80, 240])
def test_every_reason_of_a_small_network_is_told(small, width):
    text = " ".join(printed(small, width).split())
    for entry in small.plan.layers:
        assert entry.why in text


def test_of_many_reasons_those_of_the_slowest_layers_are_told(report):
    why = printed(report, 80).split("\nwhy\n")[1].split("\n\n")[0].split("\n - ")
    assert len(why) == 13
    assert why[-1].startswith("the other 3 layers: in report.html")
    assert not any(line.startswith("/conv1/Conv, /linear/Gemm:") for line in why)  # the two fastest
    assert [entry.why in printed(report, 240) for entry in report.plan.layers] == [True] * 20


def test_layers_with_the_same_reason_share_a_line(samples):
    lines = printed(samples.report(1, "2ms"), 120).splitlines()
    assert " - /conv1/Conv, /layer2/layer2.0/conv1/Conv, /linear/Gemm: nothing faster is worth its error here" in lines


def test_a_wide_table_has_a_line_for_each_layer(report):
    lines = [line for line in printed(report, 240).splitlines() if "/layer2/layer2.1/conv1/Conv" in line]
    assert [" ".join(line.split()) for line in lines] == [
        "/layer2/layer2.1/conv1/Conv 32x288 @ 256 block16x1@0.4 60 % 0.458 0.274 5.6 % 0.0015 1.7x faster than dense for 0.0015 of error"
    ]


def test_the_headline_comes_first_and_whole(report):
    assert printed(report, 80).splitlines()[0] == headline(report)
    assert printed(report, 80, show_headline) == headline(report) + "\n"


def test_refusals_checks_cautions_and_notes_follow(samples, report):
    text = " ".join(printed(replace(report, measured=samples.measurement(), warnings=("the clock was unsteady",)), 100).split())
    assert "refused - 2:4 on 1 of 20 layers" in text
    assert "largest relative difference 3.1e-06 <= 0.0001" in text
    assert "measured on AMD EPYC 9R14, this host: 8.1 ms dense, 4.7 ms plan" in text
    assert "beware - the clock was unsteady" in text
    assert "arm = raspberry-pi-4" in text
    assert "took 40.3 s, at most 912 MB of memory" in text


def test_a_device_that_was_named_itself_is_described(report):
    """A device file's description also says that it was calibrated, and when."""
    named = replace(report.target, name="my_board", description="My board (calibrated: 2026-11-29, 12 kernels)", alias="")
    assert " - my_board: My board (calibrated: 2026-11-29, 12 kernels)" in printed(replace(report, target=named), 160)


def test_every_missing_part_gives_its_reason(small):
    missing = {part: Verdict.no(f"{part} lacks data") for part in ("measured", "accuracy", "calibration", "verification")}
    text = printed(replace(small, **missing), 100)
    assert "no comparison: verification lacks data" in text
    assert "no measurement: measured lacks data" in text
    assert "no accuracy: accuracy lacks data" in text
    assert "calibration: calibration lacks data" in text


def test_brackets_in_names_are_not_markup(samples, small):
    first = small.plan.layers[0]
    named = replace(first, layer=replace(first.layer, name="conv[bold]x"), why="[red]because")
    weights = replace(small.weights[0], layer="conv[bold]x")
    changed = replace(small, plan=replace(small.plan, layers=(named, *small.plan.layers[1:])), weights=(weights, *small.weights[1:]))
    for text in (printed(changed, 80), printed(changed, 240)):
        assert "conv[bold]x" in text
        assert "[red]because" in text


def test_a_terminal_gets_colour_for_good_and_bad(report, infeasible):
    assert "\x1b[1;32m" in printed(report, 80, show_headline, force_terminal=True, color_system="standard")
    assert "\x1b[1;31m" in printed(infeasible, 80, show_headline, force_terminal=True, color_system="standard")


def test_a_model_without_prunable_layers_is_shown(small):
    empty = replace(small, plan=replace(small.plan, layers=()), weights=(), model=replace(small.model, parameters=0, parameters_kept=0))
    assert "weights 0 -> 0 (none)" in printed(empty, 80)
