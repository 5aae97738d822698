"""The whole path in one call: a trained network, a device, a budget -> a plan, a report, an artifact."""

from spcompile.compiler.compilation import compile
from spcompile.compiler.inspection import inspect
from spcompile.compiler.job import Result

__all__ = ["Result", "compile", "inspect"]
