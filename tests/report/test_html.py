import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from spcompile.report import PlanPoint
from spcompile.report.html import alternatives, render
from spcompile.report.plots import density_histogram, least_harmful, pattern_roles
from spcompile.report.rows import rows
from spcompile.report.svg import COLOURS
from spcompile.verdict import Verdict

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Holds every tag to its end tag; collects ids, links and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.texts, self.tags = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).replace("\xa0", " ").split())


@pytest.fixture(scope="module")
def html(samples, report):
    return render(replace(report, measured=samples.measurement()))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_tags_are_closed_and_ids_unique(page):
    assert page.open == []
    assert len(page.ids) == len(set(page.ids)) > 20


def test_nothing_is_fetched(html, page):
    assert page.links
    assert all(link.startswith("#") for link in page.links)
    assert "script" not in page.tags
    assert not re.search(r"@import|url\((?!#)", html)
    assert "default-src 'none'" in html


def test_plots_refer_to_ids_of_the_page(html, page):
    referred = {link[1:] for link in page.links} | set(re.findall(r"url\(#([^)]+)\)", html))
    assert referred <= set(page.ids)


def test_the_page_tells_all(report, page):
    for entry in report.plan.layers:
        assert entry.layer.name in page.text
        assert entry.why in page.text
        assert entry.chosen.choice.notation in page.text
    for said in (report.model.sha256, report.files[0].sha256, "4.89 ms", "5 ms", "91.2 %", "3.1e-06", "arm = raspberry-pi-4"):
        assert said in page.text
    for said in ("2:4 on 1 of 20 layers", "62 alternatives", "256 samples of train4000_lossless.npz", "seed 0"):
        assert said in page.text


def test_every_alternative_stands_in_the_table(html, report):
    assert html.count('class="taken"') == len(report.plan.layers)
    assert html.count("% kept") + html.count("\xa0% kept") >= sum(len(entry.options) - 1 for entry in report.plan.layers)


def test_plots_are_xml_in_the_colours_of_the_page(html):
    plots = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(plots) == 3
    for plot in plots:
        ElementTree.fromstring(plot)
        assert "var(--ink)" in plot or "var(--muted)" in plot
        assert not any(colour in plot for colour in COLOURS.values())


def test_the_histogram_counts_a_weight_that_layers_share_once(small):
    *_, last = small.plan.layers
    again = replace(last, layer=replace(last.layer, name="again"))
    twice = replace(small, plan=replace(small.plan, layers=(*small.plan.layers, again)), weights=(*small.weights, replace(small.weights[-1], layer="again")))
    assert density_histogram(twice) == density_histogram(small)


def test_bars_tell_their_layer_under_the_pointer(html, report):
    first = report.plan.layers[0]
    titles = re.findall(r"<title>([^<]*)</title>", html)
    assert any(title.startswith(f"1 {first.layer.name}: {first.chosen.choice.notation}, dense") for title in titles)
    assert len([title for title in titles if title.endswith("kept")]) == len(report.plan.layers)


def test_hostile_names_stay_text(small):
    name = '<script>alert("x")</script>&'
    first = small.plan.layers[0]
    named = replace(first, layer=replace(first.layer, name=name), why=f"because {name}")
    plan = replace(small.plan, layers=(named, *small.plan.layers[1:]))
    changed = replace(small, plan=plan, weights=(replace(small.weights[0], layer=name), *small.weights[1:]), model=replace(small.model, name=name))
    page = Page(render(changed))
    assert "script" not in page.tags
    assert f"because {name}" in page.text


@pytest.mark.parametrize(
    ("changes", "badge"), [({}, "budget met"), ({"verification": Verdict.no("no engine at hand")}, "budget met"), ({"measured": (0.001, 0.0012)}, "regression")]
)
def test_the_badge(samples, small, changes, badge):
    measured = {"measured": samples.measurement(*changes["measured"])} if "measured" in changes else {}
    page = Page(render(replace(small, **(changes | measured))))
    assert badge in page.text


def test_an_infeasible_budget_is_said_in_red(infeasible):
    html = render(infeasible)
    assert '<span class="badge bad">not met</span>' in html
    assert infeasible.outcome.reason in Page(html).text


def test_reasons_stand_where_parts_are_missing(small):
    missing = {part: Verdict.no(f"{part} lacks data") for part in ("measured", "accuracy", "calibration", "verification")}
    page = Page(render(replace(small, **missing, frontier=(), uniform=(), files=(), notes=())))
    for part in missing:
        assert f"{part} lacks data" in page.text


def test_a_model_without_prunable_layers_has_a_page(small):
    empty = replace(small, plan=replace(small.plan, layers=()), weights=(), model=replace(small.model, parameters=0, parameters_kept=0))
    page = Page(render(empty))
    assert "No layer of this model can be pruned" in page.text
    assert page.open == []


def test_the_same_report_gives_the_same_page(small):
    assert render(small) == render(small)


@pytest.mark.parametrize("blocks", [9, 18])
def test_deep_networks_stay_readable(samples, blocks):
    deep = samples.report(blocks, "20ms")
    html = render(deep)
    assert len(html) < 2_500_000
    assert html.count('<tr class="main">') == 6 * blocks + 2


def test_only_undercut_baselines_are_left_out(samples):
    points = [PlanPoint("", latency_s, error) for latency_s, error in ((3, 1), (1, 9), (2, 5), (2, 4), (4, 2))]
    assert [(point.latency_s, point.error) for point in least_harmful(tuple(points))] == [(1, 9), (2, 4), (3, 1)]


def test_each_pattern_has_one_colour(report):
    roles = pattern_roles(report)
    assert roles["dense"] == "dense"
    assert len(set(roles.values())) == len(roles) >= 3


def test_alternatives_are_grouped_by_pattern(report):
    row = rows(report)[3]
    groups = alternatives(row)
    assert [option for _, options in groups for option in options] == list(row.options)
    assert all({option.choice.pattern.notation for option in options} == {pattern} for pattern, options in groups)


def test_an_accelerator_has_its_steps_and_its_roofline(samples, small):
    page = Page(render(replace(small, accelerator=samples.accelerator())))
    text = " ".join("".join(page.texts).split()).replace("\N{NO-BREAK SPACE}", " ")
    assert "On the accelerator" in text and "roofline" in render(replace(small, accelerator=samples.accelerator()))
    assert "odd (Sigmoid) on the host, 0.06 ms: Sigmoid is none of the accelerator's operations" in text
    assert "On the accelerator" not in render(small)
