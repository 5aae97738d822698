import io
import json

import pytest
from rich.console import Console

from spcompile.costs.latency import Latency
from spcompile.patterns import parse_choice
from spcompile.report import LayerInspection, WhatIf
from spcompile.report.inspection_view import narrowed, show_layers, show_summary, to_json


def what_if(notation, expected_s):
    return WhatIf(parse_choice(notation), Latency(expected_s, expected_s, expected_s, "analytic"))


@pytest.fixture
def layer(samples):
    """Dense takes 1 s; unstructured dips below at 0.5, rises, and stays below from 0.8 on."""
    layer = samples.network(1)[1]
    times = {"unstructured@0.3": 1.5, "unstructured@0.5": 0.9, "unstructured@0.7": 1.1, "unstructured@0.8": 0.7, "unstructured@0.9": 0.3, "2:4": 1.2}
    options = tuple(what_if(notation, time_s) for notation, time_s in reversed(times.items()))
    return LayerInspection(layer, Latency(1.0, 1.0, 1.0, "analytic"), options, ())


@pytest.fixture(scope="module")
def inspection(samples):
    return samples.inspection()


def printed(show, width, *given):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show(*given, console)
    return console.file.getvalue()


def test_levels_ascend(layer):
    assert [option.choice.sparsity for option in layer.of_pattern("unstructured")] == [0.3, 0.5, 0.7, 0.8, 0.9]


def test_the_crossover_is_where_it_pays_for_good(layer):
    assert layer.crossover("unstructured") == parse_choice("unstructured@0.8")


def test_no_crossover_where_it_never_pays_or_is_refused(layer):
    assert layer.crossover("2:4") is None
    assert layer.crossover("channel") is None


def test_nearest_level_within_the_slack(layer):
    assert layer.nearest("unstructured", 0.52, 0.04).choice.sparsity == 0.5
    assert layer.nearest("unstructured", 0.6, 0.04) is None


def test_the_whole_network_at_one_level(inspection):
    expected_s = inspection.fixed.expected_s
    for entry in inspection.layers:
        taken = [option.latency for option in entry.options if option.choice.notation == "2:4"] or [entry.dense]
        expected_s += taken[0].expected_s
    assert inspection.whole_s("2:4", 0.5) == pytest.approx(expected_s)
    assert inspection.whole_s("2:4", 0.75) is None


@pytest.mark.parametrize("width", [80, 120, 240])
def test_the_summary_fits_and_names_every_layer_and_pattern(inspection, width):
    text = printed(lambda console: show_summary(inspection, console), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for entry in inspection.layers:
        assert entry.layer.name in text
    for pattern in inspection.patterns:
        assert pattern in text
    assert "2:4 on 1 of 8 layers: 3 in-channels are not a multiple of 4" in text


def test_a_refused_pattern_says_so_in_its_cell(inspection):
    lines = printed(lambda console: show_summary(inspection, console), 240).splitlines()
    header = next(line for line in lines if line.startswith("layer")).split()
    linear = next(line for line in lines if line.startswith("/linear")).replace(" %, ", "%,").split()
    assert linear[header.index("block4x1") - 1] == "refused"  # "dense ms" is two words of the header


def test_one_layer_with_every_level(inspection):
    text = printed(lambda console: show_layers(narrowed(inspection, "*layer1.0/conv1*"), console), 80)
    entry = inspection.layers[1]
    assert f"{entry.layer.name}, 16x144 @ 1024" in text
    for option in entry.options:
        assert option.choice.notation in text
    assert inspection.layers[2].layer.name not in text


def test_some_layers_by_name(inspection):
    assert len(narrowed(inspection, "*conv1*").layers) == 4 and not narrowed(inspection, "nothing").layers


def test_json_holds_every_option_and_crossover(inspection):
    form = json.loads(json.dumps(to_json(inspection), allow_nan=False))
    assert form["schema"] == 1
    for told, entry in zip(form["layers"], inspection.layers, strict=True):
        assert [option["choice"] for option in told["options"]] == [option.choice.notation for option in entry.options]
        assert told["dense"]["expected_s"] == entry.dense.expected_s
        for pattern, sparsity in told["crossovers"].items():
            assert sparsity == (choice.sparsity if (choice := entry.crossover(pattern)) else None)


def test_a_model_without_prunable_layers(samples):
    from dataclasses import replace

    empty = replace(samples.inspection(), layers=())
    assert "no layer can be pruned" in printed(lambda console: show_summary(empty, console), 80)
