"""The pre-commit hook, run in a scratch repository as pre-commit runs it: the entry's words, in the root, when files that it asks for are staged."""

import re
import shlex
import subprocess

import pytest
import yaml


@pytest.fixture
def hook(action):
    (hook,) = yaml.safe_load((action.ROOT / ".pre-commit-hooks.yaml").read_text())
    return hook


@pytest.fixture
def commit(hook, installed, repository):
    """commit() -> the hook's process, None where no staged file concerns it; what passes is committed."""

    def git(*words) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", *who, *words], cwd=repository, capture_output=True, text=True, check=True).stdout

    def commit() -> subprocess.CompletedProcess | None:
        git("add", ".")
        staged = git("diff", "--cached", "--name-only").splitlines()
        concerned = [name for name in staged if re.search(hook["files"], name)]
        assert not any(name.startswith(".spcompile") for name in staged)  # the cache ignores itself
        done = subprocess.run(shlex.split(hook["entry"]), cwd=repository, env=installed, capture_output=True, text=True) if concerned else None
        if done is None or done.returncode == 0:
            git("commit", "-q", "-m", "change")
        return done

    git("init", "-q")
    return commit


def test_the_hook_says_what_pre_commit_needs(hook):
    """Source: pre-commit.com, "Creating new hooks": id, name, entry and language are required."""
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["language"] == "python" and hook["pass_filenames"] is False


def test_a_repository_with_the_hook(commit, installed, repository):
    (repository / "spcompile.toml").write_text((repository / "spcompile.toml").read_text().replace('baseline = "net.json"\n', ""))
    assert commit().returncode == 0
    (repository / "notes.txt").write_text("no model")
    assert commit() is None
    (repository / "spcompile.toml").write_text((repository / "spcompile.toml").read_text().replace("1.6x", "1us"))
    missed = commit()
    assert missed.returncode == 1 and missed.stdout.startswith("1 model: 1 limit missed")
