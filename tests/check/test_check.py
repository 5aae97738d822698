"""Real artifacts against real baselines: what is unchanged passes, what was planted is found."""

from dataclasses import replace

import pytest

from spcompile.check import BaselineError, baseline, check, timing, update
from spcompile.check.check import ATTEMPTS
from spcompile.check.compare import BETTER, SKIPPED, WHOLE, WORSE
from spcompile.check.figures import LayerTime, Times
from spcompile.errors import ArtifactError
from spcompile.report.facts import LEAST_NOISE
from spcompile.verdict import Verdict


@pytest.fixture
def path(artifact, tmp_path, not_run):
    update(artifact, tmp_path / "baseline.json")
    return tmp_path / "baseline.json"


def worse(result) -> set[tuple[str, str]]:
    return {(finding.place, finding.figure.name) for finding in result.of(WORSE)}


def test_the_same_model_compiled_again_has_identical_figures(artifact, compiled, path):
    again = compiled()
    result = check(again, path)
    assert not result.failures and result.headline.startswith("fine: ")
    assert [finding for finding in result.findings if finding.outcome != SKIPPED and finding.was != finding.now] == []
    assert {finding.place for finding in result.findings} >= {WHOLE, "first", "second", "last"}
    update(again, path.with_name("again.json"))
    assert path.with_name("again.json").read_text() == path.read_text()


class TestPlanted:
    """In the layer that is called second; no other place but the whole model may be blamed."""

    @pytest.mark.parametrize("factor", [1.03, 1.05, 1.1, 1.3])
    def test_a_worse_register_tile(self, compiled, path, planted, factor):
        with planted.worse_tile("second", factor) as times:
            found = check(compiled(), path)
        assert times and ("second", "predicted_cycles") in worse(found)
        assert {place for place, _ in worse(found)} <= {"second", WHOLE}

    @pytest.mark.parametrize("share", [0.03, 0.05, 0.1, 0.3])
    def test_a_denser_layer(self, compiled, path, planted, share):
        with planted.denser("second", share):
            found = check(compiled(), path)
        by_name = {finding.figure.name: finding for finding in found.findings if finding.place == "second"}
        assert by_name["macs"].change == pytest.approx(share, abs=0.01)
        assert {("second", "macs"), ("second", "predicted_cycles"), ("second", "instructions"), (WHOLE, "weight_bytes")} <= worse(found)
        assert {place for place, _ in worse(found)} <= {"second", WHOLE}

    def test_a_lost_fusion(self, compiled, path, planted):
        with planted.lost_fusion("second"):
            found = check(compiled(), path)
        new = [finding for finding in found.of(WORSE) if finding.reason == "new since the baseline"]
        (was,) = [finding.was for finding in found.findings if (finding.place, finding.figure.name) == ("second", "predicted_cycles")]
        assert len(new) == 1 and new[0].now > 0.03 * was
        assert (WHOLE, "workspace_bytes") in worse(found), "of the whole time the search wins back what it can, from other layers"


def test_what_is_better_asks_for_a_new_baseline(compiled, path):
    result = check(compiled(budget="2.2x"), path)
    assert not result.failures and result.of(BETTER) and "write a new baseline with --update" in result.headline


def test_a_report_stands_for_its_artifact(artifact, path):
    assert check(artifact / "report.json", path).findings == check(artifact, path).findings


def test_another_artifact_may_be_the_baseline(artifact, compiled, not_run):
    denser = compiled(budget="1.4x")
    assert check(denser, None, against=artifact).failures
    assert not check(artifact, None, against=denser).failures


def test_code_for_another_machine_is_compared_without_running(compiled, tmp_path):
    update(compiled("neoverse-n1"), tmp_path / "arm.json")
    kept = baseline.read(tmp_path / "arm.json")
    assert isinstance(kept.measured, Verdict) and kept.total["simulated_cycles"] > 0
    result = check(compiled("neoverse-n1"), tmp_path / "arm.json")
    assert not result.failures and "the deterministic figures decide" in result.notes[0]


def test_threads_hide_the_loops_and_say_so(compiled, not_run, tmp_path):
    update(compiled("x86-avx2", "1.6x", "--threads", "2"), tmp_path / "two.json")
    total = baseline.read(tmp_path / "two.json").total
    assert "with several threads" in total["instructions"].reason and total["predicted_cycles"] > 0


class TestMistakes:
    def test_another_model_target_or_thread_count(self, artifact, path):
        kept = baseline.read(path)
        for change, said in (
            ({"model_sha256": "f" * 64}, "of model 'net'; the artifact is of model 'net', whose file changed"),
            ({"target": "zen4", "target_sha256": "f" * 64}, "of target 'zen4'; the artifact is of target 'x86-avx2'"),
            ({"target_sha256": "f" * 64}, "whose numbers changed"),
            ({"threads": 4}, "is of 4 threads, the artifact of 1"),
        ):
            baseline.write(path, replace(kept, **change))
            with pytest.raises(BaselineError, match=said):
                check(artifact, path)

    def test_no_baseline(self, artifact, tmp_path):
        with pytest.raises(BaselineError, match=r"there is no baseline '.*'; write one with --update"):
            check(artifact, tmp_path / "absent.json")

    def test_a_broken_artifact(self, compiled, path):
        folder = compiled()
        (folder / "kernels.json").write_text("{}")
        with pytest.raises(ArtifactError, match=r"kernels\.json' is missing or was changed"):
            check(folder, path)


class TestMeasured:
    """Times are invented; where they come from is tested in test_timing.py."""

    @pytest.fixture
    def timed(self, artifact, tmp_path, monkeypatch):
        """timed(then_s, now_s, now_s, ...) -> the result, and how often was timed."""

        def timed(then_s: float, *now_s: float, **options):
            answers = [times(seconds) for seconds in (then_s, *now_s)]
            monkeypatch.setattr(timing, "times_of", lambda *folders: (answers.pop(0),))
            update(artifact, tmp_path / "timed.json")
            result = check(artifact, tmp_path / "timed.json", **options)
            return result, len(now_s) - len(answers)

        return timed

    def test_within_the_noise_is_fine(self, timed):
        result, taken = timed(1e-3, 1e-3 * (1 + LEAST_NOISE - 0.001))
        assert not result.failures and taken == 1
        assert "tolerance of the measured time: 3.0% (repeated runs lie 0.4% apart for the one and 0.4% for the other)" in result.notes[0]

    def test_ten_per_cent_slower_is_a_regression_that_stays(self, timed):
        result, taken = timed(1e-3, 1.1e-3, 1.12e-3, 1.11e-3, 1.1e-3, 1.12e-3)
        assert worse(result) == {(WHOLE, "latency_s")} and taken == ATTEMPTS
        assert result.of(WORSE)[0].now == 1.1e-3

    def test_noise_passes(self, timed):
        result, taken = timed(1e-3, 1.3e-3, 1.001e-3)
        assert not result.failures and taken == 2

    @pytest.mark.parametrize(
        ("shares", "found"),
        [([1.1] * ATTEMPTS, {("second", "latency_s")}), ([1.1, 1.2, 1.01], set()), ([1.04], set())],
        ids=["slower", "slower by chance", "within the noise"],
    )
    @pytest.mark.parametrize("other_code", [True, False])
    def test_a_layer_is_blamed_when_its_code_changed(self, artifact, tmp_path, monkeypatch, shares, found, other_code):
        """Of the whole network it is nothing."""

        def slower(share, noise=0.01):
            return replace(times(1e-3), layers={"first": LayerTime(1e-4, noise), "second": LayerTime(1e-4 * share, noise)})

        given = iter([slower(1.0), *(slower(share) for share in shares)] + [slower(1.0)] * ATTEMPTS)
        monkeypatch.setattr(timing, "times_of", lambda *folders: (next(given),))
        kept = update(artifact, tmp_path / "layers.json")
        if other_code:
            others = tuple(replace(layer, kernels=("another",)) if layer.name == "second" else layer for layer in kept.layers)
            baseline.write(tmp_path / "layers.json", replace(kept, layers=others))
        assert worse(check(artifact, tmp_path / "layers.json")) == (found if other_code else set())

    def test_much_faster_asks_for_a_new_baseline(self, timed):
        result, _ = timed(1e-3, 0.8e-3)
        assert not result.failures and [finding.figure.name for finding in result.of(BETTER)] == ["latency_s"]

    def test_a_given_tolerance_wins(self, timed):
        assert not timed(1e-3, 1.1e-3, tolerance=0.2)[0].failures
        assert timed(1e-3, *[1.02e-3] * ATTEMPTS, tolerance=0.01)[0].failures

    def test_another_environment_is_not_compared(self, artifact, tmp_path, monkeypatch):
        monkeypatch.setattr(timing, "times_of", lambda *folders: (times(1e-3),))
        update(artifact, tmp_path / "there.json")
        kept = baseline.read(tmp_path / "there.json")
        baseline.write(tmp_path / "there.json", replace(kept, environment=replace(kept.environment, cpu="another CPU")))
        monkeypatch.setattr(timing, "times_of", lambda *folders: pytest.fail("timed in another environment"))
        result = check(artifact, tmp_path / "there.json")
        assert not result.failures and "another environment (CPU another CPU -> " in result.notes[0]


def times(seconds: float) -> Times:
    return Times(seconds, 0.004, seconds, seconds, seconds, 3, 300)
