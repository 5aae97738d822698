"""The whole path in one call: a trained network, a device, a budget -> a plan, a report, an artifact."""

from spcompile.compiler.compilation import Result, compile
from spcompile.compiler.inspection import inspect

__all__ = ["Result", "compile", "inspect"]
