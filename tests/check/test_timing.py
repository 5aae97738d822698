"""Times of real artifacts, and what several runs say together."""

from spcompile.check import timing
from spcompile.check.figures import LayerTime
from spcompile.check.timing import AGREEING, MOST_RUNS, times, times_of
from spcompile.runtime.measure import Sample
from spcompile.verdict import Verdict


def sample(*times_s: float) -> Sample:
    return Sample(times_s)


def test_disturbed_runs_and_rounds_do_not_count():
    runs = [sample(1.0, 1.5, 3.0), sample(9.0, 8.0, 9.0), sample(1.02, 5.0, 5.0), sample(7.0, 1.01, 1.2)]
    found = times(runs)
    assert found.undisturbed_s == 1.01 and abs(found.noise - 0.02 / 1.01) < 1e-12
    assert (found.runs, found.rounds) == (4, 12) and found.low_s <= found.median_s <= found.high_s


def not_stepped(monkeypatch):
    """Neither the network nor its layers are called."""
    monkeypatch.setattr(timing, "_call", lambda folder: None)
    monkeypatch.setattr(timing, "Stepwise", lambda folder: None)
    monkeypatch.setattr(timing, "_layers", lambda stepped, seconds: [{}] * len(stepped))


def test_layers_that_take_long_enough_have_times_of_their_own():
    runs = [{"long": sample(1e-3, 2e-3), "short": sample(1e-6, 1e-6), "share": sample(5e-5, 5e-5)} for _ in range(3)]
    found = times([sample(1e-2, 1e-2)] * 3, runs).layers
    assert found == {"long": LayerTime(1e-3, 0.0)}
    assert set(times([sample(2e-3, 2e-3)] * 3, runs).layers) == {"long", "share"}


def test_runs_go_on_until_some_agree(monkeypatch, artifact):
    answers = iter([1.0, 2.0, 1.5, 1.004, 0.999])
    not_stepped(monkeypatch)
    monkeypatch.setattr(timing, "runs_here", lambda *target: Verdict.yes())
    monkeypatch.setattr(timing, "measure", lambda calls, seconds: {"0": sample(*[next(answers)] * 4)})
    (found,) = times_of(artifact)
    assert found.runs == 5 and found.undisturbed_s == 1.0


def test_runs_end_though_none_agree(monkeypatch, artifact):
    seconds = iter(range(1, 100))
    not_stepped(monkeypatch)
    monkeypatch.setattr(timing, "runs_here", lambda *target: Verdict.yes())
    monkeypatch.setattr(timing, "measure", lambda calls, _: {"0": sample(*[float(next(seconds))] * 4)})
    (found,) = times_of(artifact)
    assert found.runs == MOST_RUNS and found.noise == 1.0


def test_real_artifacts_are_timed_in_turns(monkeypatch, artifact, compiled):
    monkeypatch.setattr(timing, "RUN_S", 0.05)
    monkeypatch.setattr(timing, "SHORTEST_S", 0.0)
    monkeypatch.setattr(timing, "MOST_RUNS", AGREEING)
    found = times_of(artifact, compiled(budget="1x"))
    if isinstance(found, Verdict):
        assert "this CPU lacks" in found.reason or "this machine is" in found.reason
    else:
        assert [each.runs for each in found] == [AGREEING] * 2 and all(1e-6 < each.undisturbed_s < 1e-2 for each in found)
        for each in found:
            assert {"first", "second"} <= set(each.layers)
            assert 0 < sum(layer.undisturbed_s for layer in each.layers.values()) < 3 * each.undisturbed_s


def test_code_for_another_machine_is_not_timed(monkeypatch, artifact):
    monkeypatch.setattr(timing, "runs_here", lambda *target: Verdict.no("it is other code"))
    assert times_of(artifact) == Verdict.no("it is other code")
