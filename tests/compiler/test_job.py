"""What a compilation gives back."""

from pathlib import Path

from spcompile.compiler.job import Result
from spcompile.report.headline import headline
from tests.report import samples


def test_a_result_is_shown_in_one_line():
    """A notebook shows the last value of a cell."""
    report = samples.report()
    shown = repr(Result(report.plan, report, Path("net.spc")))
    assert headline(report) in shown and "net.spc" in shown and len(shown) < 500 and "\n" not in shown
