"""The file that lives in a repository: exact, readable in a diff, refused when it is something else."""

import json
from dataclasses import replace

import pytest

from spcompile.check import BaselineError
from spcompile.check.baseline import SCHEMA, read, to_text, write
from spcompile.verdict import Verdict


@pytest.mark.parametrize("missing", [False, True])
def test_read_back_it_is_equal(sample, tmp_path, missing):
    if missing:
        sample = replace(sample, measured=Verdict.no("it is ARM code"), total=sample.total | {"accuracy": Verdict.no("no labels")})
    write(tmp_path / "b.json", sample)
    assert read(tmp_path / "b.json") == sample
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_a_diff_can_be_read(sample):
    """Keys are sorted, a layer is a line, so one slower layer changes its line and the totals."""
    text = to_text(sample)

    def keys(pairs):
        assert [name for name, _ in pairs] == sorted(name for name, _ in pairs)
        return dict(pairs)

    assert json.loads(text, object_pairs_hook=keys)["schema"] == SCHEMA
    slower = replace(sample.layers[1], figures=sample.layers[1].figures | {"predicted_cycles": 501.0})
    other = to_text(replace(sample, layers=(sample.layers[0], slower)))
    changed = [after for before, after in zip(text.splitlines(), other.splitlines(), strict=True) if before != after]
    assert len(changed) == 1 and '"name": "fc"' in changed[0] and "501.0" in changed[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is damaged"),
        ("\x00", "is damaged"),
        ("[]", "is no baseline: it has no schema"),
        ("{}", "is no baseline: it has no schema"),
        ('{"schema": 99}', "has schema 99, this spcompile reads 1; write it again with --update"),
        ('{"schema": 1}', "does not hold together"),
    ],
)
def test_what_is_no_baseline_is_told_in_one_line(tmp_path, content, said):
    (tmp_path / "b.json").write_text(content)
    with pytest.raises(BaselineError, match=said) as raised:
        read(tmp_path / "b.json")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda form: form.pop("total"),
        lambda form: form.update(surprise=1),
        lambda form: form["layers"][0].update(figures=3),
        lambda form: form["total"].update(macs=[1]),
        lambda form: form["measured"].update(noise=-1),
        lambda form: form.update(layers=None),
    ],
)
def test_a_baseline_edited_by_hand_is_told(sample, tmp_path, change):
    form = json.loads(to_text(sample))
    change(form)
    (tmp_path / "b.json").write_text(json.dumps(form))
    with pytest.raises(BaselineError, match="does not hold together"):
        read(tmp_path / "b.json")
