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


def test_lines_tell_what_is_done_with_counts():
    stream = io.StringIO()
    work(Lines(stream))
    inner, outer = stream.getvalue().splitlines()
    assert inner.startswith("solve: ")
    assert "of" not in inner
    assert outer.startswith("prune: ")
    assert outer.endswith(" s, 3 of 3")


def test_long_stages_are_told_of_while_they_last():
    stream = io.StringIO()
    work(Lines(stream, every_s=0.0))
    lines = [line.replace(" 0 s", "") for line in stream.getvalue().splitlines()]
    assert lines[:2] == ["prune ..., 1 of 3", "solve ..."]
    assert len(lines) == 4


def test_a_failed_stage_is_not_told_as_done():
    stream = io.StringIO()
    with pytest.raises(ValueError, match="no"), Lines(stream).stage("prune", 3):
        raise ValueError("no")
    assert stream.getvalue() == ""


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
