"""report.json: values -> plain dicts and back, exactly. docs/report-schema.md describes the form, docs/report.schema.json checks it."""

from dataclasses import asdict
from functools import cache

from spcompile.errors import ArtifactError
from spcompile.ir.layer import Layer
from spcompile.patterns import Pattern, parse
from spcompile.plan import LayerPlan, Option, Refusal
from spcompile.report.facts import Accuracy, Calibration, Measurement, Verification
from spcompile.report.report import SCHEMA, Report
from spcompile.verdict import Verdict


def to_json(report: Report) -> dict:
    """-> {"schema": 1, "predicted": ..., and every field of Report}. `predicted` and `outcome` repeat what the plan implies, for readers without our code."""
    plan = report.plan
    implied = {"dense": asdict(plan.dense_latency), "plan": asdict(plan.latency), "error": plan.error}
    outcome = {"done": bool(report.outcome), "reason": report.outcome.reason}
    return {"schema": SCHEMA, "outcome": outcome, "predicted": implied, **_converter().unstructure(report)}


def from_json(form: dict) -> Report:
    """Inverse of `to_json`; ArtifactError when the form is of another schema or does not hold together."""
    from cattrs.errors import BaseValidationError

    schema = form.get("schema")
    if schema != SCHEMA:
        raise ArtifactError(f"the report has schema {schema!r}, this spcompile reads {SCHEMA}: compile again, or read it with the version that wrote it")
    try:
        return _converter().structure({key: value for key, value in form.items() if key not in ("schema", "outcome", "predicted")}, Report)
    except BaseValidationError as error:
        from cattrs import transform_error

        raise ArtifactError(f"the report does not hold together: {transform_error(error, path='report')[0]}") from error


@cache
def _converter():
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})
    converter.register_unstructure_hook_func(lambda kind: isinstance(kind, type) and issubclass(kind, Pattern), lambda pattern: pattern.notation)
    converter.register_structure_hook(Pattern, lambda notation, _: parse(notation))
    converter.register_unstructure_hook(LayerPlan, lambda entry: _layer_to_json(converter, entry))
    converter.register_structure_hook(LayerPlan, lambda form, _: _layer_from_json(converter, form))
    for part in (Measurement, Accuracy, Calibration, Verification):
        converter.register_structure_hook(part | Verdict, lambda form, _, part=part: converter.structure(form, Verdict if form.keys() == {"reason"} else part))
    return converter


def _layer_to_json(converter, entry: LayerPlan) -> dict:
    """The options are written once; `chosen` is a place among them, and the first is dense."""
    return {
        "layer": converter.unstructure(entry.layer),
        "chosen": entry.options.index(entry.chosen),
        "options": [converter.unstructure(option) for option in entry.options],
        "refusals": [asdict(refusal) for refusal in entry.refusals],
        "why": entry.why,
    }


def _layer_from_json(converter, form: dict) -> LayerPlan:
    options = converter.structure(form["options"], tuple[Option, ...])
    refusals = converter.structure(form["refusals"], tuple[Refusal, ...])
    layer = converter.structure(form["layer"], Layer)
    return LayerPlan(layer, options[0], options[form["chosen"]], options, refusals, form["why"])
