"""A result for programs; docs/check.md describes the form."""

import json

from spcompile.check.check import Result
from spcompile.check.wording import sentence

SCHEMA = 1  # raised when a reader of the old form would misread the new one


def to_json_text(result: Result) -> str:
    """Strict JSON."""
    return json.dumps(to_json(result), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def to_json(result: Result) -> dict:
    return {
        "schema": SCHEMA,
        "outcome": result.outcome,
        "new_baseline_asked": result.asks_for_baseline,
        "headline": result.headline,
        "artifact": result.artifact,
        "against": result.against,
        "notes": list(result.notes),
        "findings": [
            {
                "place": finding.place,
                "figure": finding.figure.name,
                "unit": finding.figure.unit,
                "more_is_better": finding.figure.more_is_better,
                "was": finding.was,
                "is": finding.now,
                "change": finding.change,
                "tolerance": finding.tolerance,
                "outcome": finding.outcome,
                "told": sentence(finding),
            }
            for finding in result.findings
        ],
    }
