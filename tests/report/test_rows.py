from dataclasses import replace

import pytest

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
