import json
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.costs.latency import BASES, Latency
from spcompile.errors import ArtifactError
from spcompile.patterns import PATTERNS, Choice
from spcompile.plan import LayerPlan, Option, Plan
from spcompile.report import from_json, to_json
from spcompile.verdict import Verdict

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "report.schema.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture(scope="session")
def variants(samples, report, small, infeasible):
    """Reports that differ in what they hold."""
    bare = {part: Verdict.no(f"no {part}") for part in ("measured", "accuracy", "calibration", "verification")}
    no_layers = Plan("raspberry-pi-4", 1, (), small.plan.fixed, None, True)
    return {
        "full": replace(report, measured=samples.measurement(), warnings=("hot",)),
        "infeasible": infeasible,
        "bare": replace(small, **bare, frontier=(), uniform=(), stages=(), files=(), notes=()),
        "on an array": replace(small, accelerator=samples.accelerator()),
        "no layers": replace(small, plan=no_layers, weights=(), request=replace(small.request, budget=None, max_drop="1%")),
    }


NAMES = ("full", "infeasible", "bare", "on an array", "no layers")


@pytest.mark.parametrize("name", NAMES)
def test_written_and_read_back_it_is_equal(variants, name):
    text = json.dumps(to_json(variants[name]), allow_nan=False)
    assert from_json(json.loads(text)) == variants[name]


@pytest.mark.parametrize("name", NAMES)
def test_it_obeys_its_schema(variants, name):
    VALID.validate(to_json(variants[name]))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_plain_json_already(variants, name):
    form = to_json(variants[name])
    assert json.loads(json.dumps(form)) == form


def seconds():
    return st.floats(0, 1e3, allow_nan=False)


@st.composite
def latencies(draw):
    low_s, expected_s, high_s = sorted(draw(st.tuples(seconds(), seconds(), seconds())))
    return Latency(expected_s, low_s, high_s, draw(st.sampled_from(BASES)))


@st.composite
def options(draw):
    pattern = draw(st.sampled_from(PATTERNS))
    sparsity = draw(st.floats(0, 1, exclude_max=True)) if pattern.fixed_sparsity is None else pattern.fixed_sparsity
    return Option(Choice(pattern, sparsity), draw(latencies()), draw(seconds()))


@settings(deadline=None)
@given(st.lists(options(), min_size=1, max_size=4), st.data())
def test_every_bit_of_every_number_survives(small, offered, data):
    entry = small.plan.layers[0]
    drawn = LayerPlan(entry.layer, offered[0], data.draw(st.sampled_from(offered)), tuple(offered), entry.refusals, "drawn")
    changed = replace(small, plan=replace(small.plan, layers=(drawn, *small.plan.layers[1:]), fixed=data.draw(latencies())))
    assert from_json(json.loads(json.dumps(to_json(changed)))) == changed


def test_predicted_and_outcome_repeat_the_plan(report, infeasible):
    form = to_json(report)
    assert form["predicted"] == {"dense": asdict(report.plan.dense_latency), "plan": asdict(report.plan.latency), "error": report.plan.error}
    assert form["outcome"] == {"done": True, "reason": ""}
    assert to_json(infeasible)["outcome"] == {"done": False, "reason": infeasible.outcome.reason}


@pytest.mark.parametrize("schema", [0, 2, None, "1"])
def test_other_versions_are_refused_by_number(small, schema):
    with pytest.raises(ArtifactError, match=f"schema {schema!r}"):
        from_json(to_json(small) | {"schema": schema})


def remove(form, *path):
    changed = deepcopy(form)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return changed


@pytest.mark.parametrize(
    "path", [("model",), ("model", "sha256"), ("plan", "layers", 0, "options"), ("plan", "layers", 0, "layer", "rows"), ("environment", "packages", 0, "name")]
)
def test_a_missing_field_is_one_line_and_breaks_the_schema(small, path):
    broken = remove(to_json(small), *path)
    with pytest.raises(ArtifactError) as caught:
        from_json(broken)
    assert "\n" not in str(caught.value)
    assert not VALID.is_valid(broken)


def test_an_unknown_field_breaks_both(small):
    broken = to_json(small) | {"colour": "red"}
    with pytest.raises(ArtifactError, match="colour"):
        from_json(broken)
    assert not VALID.is_valid(broken)


def test_values_that_do_not_hold_together_are_refused(small):
    broken = to_json(small)
    broken["weights"] = broken["weights"][1:]
    with pytest.raises(ArtifactError):
        from_json(broken)


def test_an_unknown_pattern_is_refused(small):
    broken = to_json(small)
    broken["plan"]["layers"][0]["options"][0]["choice"]["pattern"] = "plaid"
    with pytest.raises(ArtifactError):
        from_json(broken)


def objects(schema):
    """Every object in the schema, with its place."""
    yield "report", schema
    yield from schema["$defs"].items()


@pytest.mark.parametrize(("name", "form"), [pytest.param(name, form, id=name) for name, form in objects(SCHEMA)])
def test_the_schema_is_closed_and_the_page_names_every_field(name, form):
    page = (DOCS / "report-schema.md").read_text()
    section = page.split(f"\n## {'The report' if name == 'report' else name}\n")[1].split("\n## ")[0]
    assert form["additionalProperties"] is False
    assert set(form["required"]) == set(form["properties"])
    assert [field for field in form["properties"] if f"| `{field}` |" not in section] == []
