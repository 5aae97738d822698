"""The artifact's files, the manifest last."""

import json
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from spcompile.compiler import facts
from spcompile.compiler.toolchains import Toolchain
from spcompile.ir.save import save
from spcompile.pruning import Calibration
from spcompile.report.facts import ArtifactFile
from spcompile.report.html import render
from spcompile.report.json_form import to_json
from spcompile.report.report import Report
from spcompile.runtime import artifact


def write(stage: Path, toolchain: Toolchain, built, report: Report, pruned: ir.Model, calibration: Calibration | None) -> Report:
    """Into `stage`, where `built` lies already -> the report, which now names the other files."""
    save(pruned, stage / artifact.MODEL)
    toolchain.write(built, stage)
    files = tuple(ArtifactFile(path.name, path.stat().st_size, artifact.digest(path)) for path in sorted(stage.iterdir()))
    report = replace(report, files=files)
    (stage / "report.json").write_text(json.dumps(to_json(report), indent=1, allow_nan=False) + "\n")
    (stage / "report.html").write_text(render(report))
    kept = facts.manifest_facts(report.plan.choices, report.request.seed, calibration, report.model.sha256, report.environment)
    toolchain.write_manifest(built, stage, kept)
    return report
