"""The list of kernel calls that every artifact holds."""

import json

import pytest

from spcompile.errors import ArtifactError
from spcompile.runtime.steps import read_steps, write_steps


def test_steps_read_back_are_the_program_s(network, tmp_path):
    write_steps(tmp_path / "kernels.json", network.program)
    records = read_steps(tmp_path / "kernels.json")
    assert [(r.kernel, r.title, r.node, r.layer) for r in records] == [(s.kernel.name, s.kernel.title, s.node, s.layer) for s in network.program.steps]
    assert [record.work for record in records] == [step.kernel.work() for step in network.program.steps]
    assert [len(record.arguments) for record in records] == [len(step.arguments) for step in network.program.steps]
    assert {region.split()[0] for record in records for region, _ in record.arguments} == {"workspace", "values", "indices", "input", "output"}
    assert {"conv", "fc"} <= {record.layer for record in records}


def test_one_call_is_one_line(network, tmp_path):
    write_steps(tmp_path / "kernels.json", network.program)
    assert len((tmp_path / "kernels.json").read_text().splitlines()) == len(network.program.steps) + 2


def test_another_schema_is_told(network, tmp_path):
    path = tmp_path / "kernels.json"
    write_steps(path, network.program)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(ArtifactError, match="has schema 99, this spcompile reads 2; compile again"):
        read_steps(path)
