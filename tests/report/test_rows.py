from dataclasses import replace

import pytest

from spcompile.report.html import render
from spcompile.report.rows import rows, shape


def test_rows_follow_the_network(report):
    found = rows(report)
    assert [row.number for row in found] == list(range(1, 21))
    assert [row.name for row in found] == [entry.layer.name for entry in report.plan.layers]
    assert [row.kept for row in found] == [weights.density for weights in report.weights]


def test_shares_and_the_fixed_part_make_the_whole(report):
    fixed = report.plan.fixed.expected_s / report.plan.latency.expected_s
    assert sum(row.share for row in rows(report)) + fixed == pytest.approx(1)


def test_speedup_compares_with_dense(report):
    row = rows(report)[1]
    assert row.speedup == pytest.approx(row.dense.latency.expected_s / row.chosen.latency.expected_s)


def test_groups_are_told_in_the_shape(report):
    layer = report.plan.layers[1].layer
    assert shape(layer) == "16x144 @ 1024"
    assert shape(replace(layer, groups=16, columns=9)) == "16x9 @ 1024, 16 groups"


def test_layers_that_share_a_weight_are_one_row(report):
    """As the steps of a recurrent layer do: here the last layer runs three times."""
    *others, last = report.plan.layers
    again = [replace(last, layer=replace(last.layer, name=f"again{step}", output=f"out{step}")) for step in range(2)]
    more = [replace(report.weights[-1], layer=entry.layer.name) for entry in again]
    recurrent = replace(report, plan=replace(report.plan, layers=(*others, last, *again)), weights=(*report.weights, *more))
    found = rows(recurrent)
    assert len(found) == len(report.plan.layers) and found[-1].name == "/linear/Gemm and 2 more" and found[-1].shape == "10x64 @ 1, 3 times"
    assert found[-1].chosen_s == pytest.approx(3 * last.chosen.latency.expected_s) and found[-1].error == pytest.approx(3 * last.chosen.error)
    assert [option.choice for option in found[-1].options] == [option.choice for option in last.options]
    assert sum(row.share for row in found) + recurrent.plan.fixed.expected_s / recurrent.plan.latency.expected_s == pytest.approx(1)
    assert "10x64 @ 1, 3 times" in render(recurrent)
