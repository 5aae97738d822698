from dataclasses import replace

from spcompile.costs.latency import Latency
from spcompile.plan import Refusal
from spcompile.report import Accuracy
from spcompile.report.headline import cautions, headline, refusal_lines, refusals
from spcompile.verdict import Verdict


def test_all_of_it_in_one_line(report):
    assert headline(report) == (
        "resnet20 on raspberry-pi-4, 1 thread: 8.06 ms dense -> 4.89 ms (analytic, 4.16-5.87), budget 5 ms met; accuracy 91.5 % -> 91.2 % on 1,000 samples"
    )


def test_threads_are_told_of_where_they_are_a_choice(report):
    gpu = replace(report.target, family="gpu", name="a100")
    assert headline(replace(report, target=gpu)).startswith("resnet20 on a100: 8.06 ms dense")


def test_measured_times_stand_beside_the_predicted(samples, report):
    told = headline(replace(report, measured=samples.measurement(0.0081, 0.0052)))
    assert "measured 8.1 ms -> 5.2 ms, budget 5 ms not met" in told


def test_a_relative_budget_is_told_as_asked_and_as_a_time(report):
    told = headline(replace(report, request=replace(report.request, budget="1.6x")))
    assert "budget 1.6x (5 ms) met" in told


def test_a_drop_alone_is_a_goal(report):
    goal = replace(report, plan=replace(report.plan, budget_s=None), request=replace(report.request, budget=None, max_drop="1%"))
    assert "drop of at most 1 % met" in headline(goal)


def test_without_labels_nothing_is_said_of_accuracy(report):
    assert "accuracy" not in headline(replace(report, accuracy=Verdict.no("no labelled data")))


def test_a_score_is_called_by_its_name(report):
    told = headline(replace(report, accuracy=Accuracy("Spearman", 82.04, 81.2, "score", 1379, "sts-test.csv")))
    assert told.endswith("Spearman 82.04 -> 81.2 on 1,379 samples")


def test_a_range_beyond_the_budget_is_a_caution_until_it_is_measured(samples, report):
    assert any("its range reaches 5.87 ms" in line for line in cautions(report))
    assert cautions(replace(report, measured=samples.measurement())) == ()


def test_a_range_within_the_budget_is_none(report):
    fixed = replace(report.plan.fixed, low_s=0.0)
    sure = replace(report.plan, budget_s=0.0059, fixed=fixed)
    assert cautions(replace(report, plan=sure)) == ()


def test_the_worst_comes_first(infeasible):
    told = cautions(replace(infeasible, warnings=("a warning",), calibration=Verdict.no("no inputs given")))
    assert told == (infeasible.outcome.reason, "a warning", "calibration: no inputs given")


def test_refusals_of_one_reason_are_told_once(report):
    assert "2:4 on 1 of 20 layers: 3 in-channels are not a multiple of 4" in refusals(report.plan)


def test_refusals_of_several_reasons_give_an_example():
    layers = [("a", (Refusal("2:4", "3 is odd"),)), ("b", (Refusal("2:4", "5 is odd"),)), ("c", ())]
    assert refusal_lines(layers) == ("2:4 on 2 of 3 layers: for example a: 3 is odd",)


def test_an_instant_range_is_spelled():
    from spcompile.report.numbers import predicted

    assert predicted(Latency(0.0, 0.0, 0.0, "measured")) == "0 ms (measured, 0-0)"
