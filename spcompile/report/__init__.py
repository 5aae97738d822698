"""What was done, with proof: values, their JSON, and their views on terminal and page."""

from spcompile.report.accelerator_facts import AcceleratorFacts, AcceleratorStep
from spcompile.report.facts import (
    Accuracy,
    ArtifactFile,
    Calibration,
    Environment,
    LayerWeights,
    Measurement,
    ModelFacts,
    Package,
    PlanPoint,
    Request,
    Stage,
    TargetFacts,
    Tensor,
    Timing,
    Verification,
)
from spcompile.report.inspection import Inspection, LayerInspection, WhatIf
from spcompile.report.json_form import from_json, to_json
from spcompile.report.report import Report

__all__ = [
    "AcceleratorFacts",
    "AcceleratorStep",
    "Accuracy",
    "ArtifactFile",
    "Calibration",
    "Environment",
    "Inspection",
    "LayerInspection",
    "LayerWeights",
    "Measurement",
    "ModelFacts",
    "Package",
    "PlanPoint",
    "Report",
    "Request",
    "Stage",
    "TargetFacts",
    "Tensor",
    "Timing",
    "Verification",
    "WhatIf",
    "from_json",
    "to_json",
]
