"""Latency regression checks: an artifact against a committed baseline, on any machine. docs/check.md describes figures, files and exit codes."""

from collections.abc import Callable, Mapping

from spcompile.check.baseline import BaselineError
from spcompile.check.check import Result, check, update
from spcompile.check.github import to_annotations, to_markdown
from spcompile.check.json_form import to_json_text
from spcompile.check.junit import to_junit
from spcompile.check.text import show, to_text

__all__ = ["RENDERERS", "BaselineError", "Result", "check", "headline", "show", "to_markdown", "update"]

RENDERERS: Mapping[str, Callable[[Result], str]] = {"text": to_text, "json": to_json_text, "junit": to_junit, "github": to_annotations}


def headline(result: Result) -> str:
    return result.headline
