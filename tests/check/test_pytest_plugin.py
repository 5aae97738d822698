"""The pytest plugin, installed and used as a new user does, in a pytest of its own."""

import shutil
import subprocess
import sys

import pytest

pytest_plugins = ("pytester",)
TEST = """
import pytest

@pytest.mark.spcompile("net")
def test_the_network_is_as_fast_as_it_was(latency_check):
    latency_check()

def test_other():
    assert True
"""


@pytest.fixture
def user(pytester, installed, repository, monkeypatch):
    """user(option, ...) -> what pytest did in the scratch repository."""
    for name in ("PYTHONPATH", "PATH"):
        monkeypatch.setenv(name, installed[name])
    for path in repository.iterdir():
        shutil.copy(path, pytester.path)
    return lambda *options: pytester.runpytest_subprocess("--strict-markers", *options)


def test_from_the_first_baseline_to_a_regression(user, pytester):
    pytester.makepyfile(TEST)
    missing = user()
    missing.assert_outcomes(passed=1, failed=1)
    missing.stdout.fnmatch_lines(["*there is no baseline '*net.json'; write one with --update and commit it"])
    user("--spcompile-update").assert_outcomes(passed=2)
    assert (pytester.path / "net.json").is_file()
    user().assert_outcomes(passed=2)
    settings = pytester.path / "spcompile.toml"
    settings.write_text(settings.read_text().replace("1.6x", "1.3x"))
    worse = user()
    worse.assert_outcomes(passed=1, failed=1)
    worse.stdout.fnmatch_lines(["net: regression: * figures worse, *", "*whole model*macs*worse*"])
    worse.stdout.no_fnmatch_line("*Traceback*")


def test_keys_instead_of_a_file(user, pytester, artifact):
    pytester.makepyfile(f"""
        import pathlib, pytest

        def test_result(latency_check):
            result = latency_check(artifact=pathlib.Path({str(artifact)!r}), budget="1.6x")
            assert result.outcome == "fine" and result.findings[0].figure.name == "budget"

        @pytest.mark.spcompile(artifact={str(artifact)!r}, budget="3x")
        def test_missed(latency_check):
            latency_check()

        def test_mistake(latency_check):
            latency_check(artifact={str(artifact)!r}, budgt="3x")

        def test_unknown(latency_check):
            latency_check("nte")
    """)
    outcome = user()
    outcome.assert_outcomes(passed=1, failed=3)
    outcome.stdout.fnmatch_lines_random(
        [
            f"{artifact.stem}: limit missed: 1 limit missed, *",
            "latency_check: unknown key 'budgt'; did you mean budget?",
            "* lists no model 'nte'; there are net",
        ]
    )


def test_the_marker_comes_by_itself(user, pytester):
    pytester.makepyfile("def test_one(latency_check):\n    latency_check('net')\n\ndef test_two():\n    pass\n")
    user("-m", "not spcompile").assert_outcomes(passed=1, deselected=1)
    user("--markers").stdout.fnmatch_lines(["@pytest.mark.spcompile(name, [*][*]keys): *"])
    user("--help").stdout.fnmatch_lines(["*--spcompile-update*"])


def test_a_run_without_it_loads_nothing_of_ours():
    code = "import sys, spcompile.pytest_plugin; print(*sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'rich', 'torch', 'tvm', 'onnx'}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
