import io

import pytest

from spcompile.progress import Bars, Lines, Silent, speaker


class Terminal(io.StringIO):
    def isatty(self):
        return True


def work(progress):
    """Two stages, one inside the other."""
    with progress.stage("prune", 3) as advance:
        advance()
        with progress.stage("solve") as step:
            step(5)
        advance(2)


def test_lines_say_begin_and_end_with_counts():
    stream = io.StringIO()
    work(Lines(stream))
    begin, inner_begin, inner_end, end = stream.getvalue().splitlines()
    assert (begin, inner_begin) == ("prune ...", "solve ...")
    assert inner_end.startswith("solve: ")
    assert "of" not in inner_end
    assert end.startswith("prune: ")
    assert end.endswith(" s, 3 of 3")


def test_a_failed_stage_is_not_told_as_done():
    stream = io.StringIO()
    with pytest.raises(ValueError, match="no"), Lines(stream).stage("prune", 3):
        raise ValueError("no")
    assert stream.getvalue() == "prune ...\n"


def test_bars_show_names_and_counts():
    stream = Terminal()
    work(Bars(stream))
    shown = stream.getvalue()
    assert "prune" in shown
    assert "solve" in shown
    assert "3/3" in shown
    assert "5/5" in shown


def test_bars_can_be_used_again_and_after_a_failure():
    stream = Terminal()
    bars = Bars(stream)
    with pytest.raises(ValueError, match="no"), bars.stage("first"):
        raise ValueError("no")
    work(bars)
    work(bars)
    assert stream.getvalue().count("3/3") >= 2


def test_silence(capsys):
    work(Silent())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("quiet", "stream", "kind"), [(True, Terminal(), Silent), (False, Terminal(), Bars), (False, io.StringIO(), Lines)])
def test_who_speaks(quiet, stream, kind):
    assert type(speaker(quiet=quiet, stream=stream)) is kind
