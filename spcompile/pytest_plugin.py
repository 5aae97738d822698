"""The pytest plugin: `latency_check` fails a test when a model became slower, larger or less accurate. docs/check.md describes it.

Every pytest run of an environment imports this module, so it imports nothing of ours before a test asks for it.
"""

import pytest

MARKER, OPTION = "spcompile", "--spcompile-update"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("spcompile", "latency regression checks")
    group.addoption(OPTION, action="store_true", help="write the baselines of the tests that use latency_check, instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}(name, **keys): what latency_check checks, a model of spcompile.toml or the keys of one; set by itself")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test with the fixture has the marker, so that `-m "not spcompile"` leaves out what takes long."""
    for item in items:
        if "latency_check" in getattr(item, "fixturenames", ()) and item.get_closest_marker(MARKER) is None:
            item.add_marker(MARKER)


@pytest.fixture
def latency_check(request: pytest.FixtureRequest):
    """latency_check("mobilenet"), a model of spcompile.toml; or latency_check(artifact="net.spc", baseline="net.json"), with the keys of one.

    -> the `spcompile.check.Result`, None when a baseline was written. Without arguments it takes those of the test's marker. Files are found
    beside pytest's root folder's settings. The test fails with the whole comparison for a regression, a limit missed, or a mistake.
    """

    def latency_check(name: str | None = None, **keys):
        from spcompile.errors import SpcompileError

        marker = request.node.get_closest_marker(MARKER)
        if name is None and not keys and marker is not None:
            name, keys = next(iter(marker.args), None), marker.kwargs
        try:
            return _checked(request.config, name, keys)
        except SpcompileError as error:
            return pytest.fail(str(error), pytrace=False)

    return latency_check


def _checked(config: pytest.Config, name: str | None, keys: dict):
    from spcompile.check.cache import FOLDER
    from spcompile.check.project import check_all, update_all

    model, cache = _model(config, name, keys), config.rootpath / FOLDER
    if config.getoption(OPTION) and model.baseline is not None:
        list(update_all([model], cache))
        return None
    (outcome,) = check_all([model], cache)
    if outcome.result is None:
        pytest.fail(f"{model.name}: {outcome.mistake}", pytrace=False)
    if outcome.result.failures:
        from spcompile.check import RENDERERS

        pytest.fail(f"{model.name}: {RENDERERS['text'](outcome.result)}", pytrace=False)
    return outcome.result


def _model(config: pytest.Config, name: str | None, keys: dict):
    from spcompile.check import settings
    from spcompile.check.model import SettingsError, model

    if keys:
        entry = {key: str(value) if hasattr(value, "__fspath__") else value for key, value in keys.items()}
        given = next((entry[key] for key in ("artifact", "path") if key in entry), "")
        return model(name or _stem(str(given)), entry, config.rootpath, "latency_check")
    path = settings.find(config.rootpath)
    if path is None:
        raise SettingsError(f"there is no spcompile.toml in {config.rootpath}, and no keys are given: latency_check(artifact=..., baseline=...)")
    models = {found.name: found for found in settings.read(path)}
    if name not in models:
        raise SettingsError(f"{path} lists no model {name!r}; there are {', '.join(models)}")
    return models[name]


def _stem(path: str) -> str:
    from pathlib import Path

    return Path(path).stem or "model"
