import pytest

from spcompile.targets import ALIASES, DEVICES, list_targets, load_target


def test_every_device_and_alias_is_listed(cli):
    outcome = cli("targets")
    assert (outcome.code, outcome.err) == (0, "")
    listed = {line.split()[0]: line for line in outcome.out.splitlines()[1:]}
    assert set(listed) == {*DEVICES, *ALIASES, "host"}
    for target in list_targets():
        assert target.description in listed[target.name]
    assert listed["arm"].split() == ["arm", "means", "raspberry-pi-4"]


def test_the_list_keeps_every_name_whole_at_80_columns(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = cli("targets").out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "…" not in out
    assert all(f"\n{name} " in out for name in DEVICES)


@pytest.mark.parametrize("name", DEVICES)
def test_one_device_shows_every_number_with_its_source(cli, name):
    out = cli("targets", name).out
    target = load_target(name)
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines()[1:] if line.strip()}
    assert f"{target.clock_hz:,.15g}" in lines["clock_hz"]
    for field, source in target.sources:
        assert lines[field].endswith(" ".join(source.split())), field


def test_an_alias_says_what_it_means(cli):
    assert cli("targets", "arm").out.startswith("arm = raspberry-pi-4 (Raspberry Pi 4 Model B")


def test_a_device_file_of_ones_own(cli, tmp_path):
    board = tmp_path / "board.toml"
    board.write_text('description = "mine"\nbase = "cortex-a72"\nclock_hz = 1.5e9\n')
    out = cli("targets", board).out
    assert out.startswith("board: mine")
    assert "1,500,000,000" in out
    assert "given in board.toml" in out
