"""Invented reports, made once."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def samples():
    """The module samples.py beside this file."""
    spec = spec_from_file_location("report_samples", Path(__file__).with_name("samples.py"))
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def report(samples):
    """ResNet-20's size, budget met."""
    return samples.report()


@pytest.fixture(scope="session")
def small(samples):
    """ResNet-8's size, budget met."""
    return samples.report(1, "1.5ms")


@pytest.fixture(scope="session")
def infeasible(samples):
    return samples.report(1, "0.1ms")
