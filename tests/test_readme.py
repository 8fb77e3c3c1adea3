"""What README and the guides promise of commands: each exists, with its options, and the walk ends as it says."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from radar.cli.main import _VERBS, main
from radar.compose import experiment
from radar.errors import RadarError
from scripts.pages.readme import WALK
from scripts.walk import STEPS, drawn_photos, lay_out, walk

ROOT = Path(__file__).parent.parent
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"```(?P<language>sh|python)\n(?P<text>.*?)```", re.DOTALL)
_OPTIONS = {
    "-m", "--multirun", "--dry-run", "--force", "--cfg", "--rerun", "--config-dir", "--config-name", "--plugins", "--info",
}  # fmt: skip


def commands(page: Path) -> list[list[str]]:
    """The words of every line of the page's sh blocks that calls radar."""
    text = "\n".join(block["text"] for block in _BLOCK.finditer(page.read_text()) if block["language"] == "sh")
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("radar ")]


def help_of(*verbs: str) -> str:
    """What a verb, or a verb of a verb, says of itself."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told), contextlib.suppress(SystemExit):
        main([*verbs, "--help"])
    return told.getvalue()


@pytest.mark.parametrize("page", GUIDES, ids=lambda path: path.name)
def test_every_option_of_a_page_is_one(page):
    for words in commands(page):
        options = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z].*", word)}
        if words and words[0] in _VERBS:
            told = help_of(words[0]) + help_of(*words[:2]) + "--plugins"  # which goes with every verb
            assert [option for option in options if option not in told] == [], f"{page.name}: radar {' '.join(words)}"
        else:
            assert options <= _OPTIONS, f"{page.name}: radar {' '.join(words)}"


def composable() -> list[list[str]]:
    """README's experiments, without what chooses a sweep or where data lie."""
    found = [
        [word for word in words if "=" in word and not word.startswith(("-", "data_root="))]
        for words in commands(ROOT / "README.md")
        if words[0] not in _VERBS
    ]
    return [words for words in found if words]


@pytest.mark.parametrize("words", composable(), ids=" ".join)
def test_the_experiments_of_readme_compose(words):
    config = experiment([word.partition(",")[0] for word in words])
    assert config.training.max_steps > 0
    with pytest.raises(RadarError):
        experiment([*words, "no_such_key=1"])


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_walk_that_was_timed_is_the_walk():
    timed = json.loads(WALK.read_text())["steps"]
    assert [(step["command"], step["purpose"]) for step in timed] == [(step.command, step.purpose) for step in STEPS]


@pytest.mark.slow
def test_the_walk_ends_as_readme_says_and_so_does_its_python(tmp_path, monkeypatch, capsys):
    good, bad = drawn_photos(tmp_path)
    lay_out(tmp_path, good[:48], bad[:40])
    steps = walk(tmp_path, ["training.max_steps=20", "training.warmup_steps=5", "trainer.threads=1", "logger=csv"])
    shown = (ROOT / "README.md").read_text()
    assert [step["command"] in shown for step in steps] == [True] * len(steps)
    assert len((tmp_path / "results" / "predictions.csv").read_text().splitlines()) == 1 + len(
        list((tmp_path / "new").iterdir())
    )
    run = next(path.parent.relative_to(tmp_path) for path in tmp_path.glob("outputs/*/model"))
    photos = sorted(path.name for path in (tmp_path / "new").iterdir())
    code = next(block["text"] for block in _BLOCK.finditer(shown) if block["language"] == "python")
    for written, real in (("outputs/RUN", str(run)), ("photo_1.png", photos[0]), ("photo_2.png", photos[1])):
        assert written in code
        code = code.replace(written, real)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(compile(code, "README.md", "exec"), {})
    told = capsys.readouterr().out.splitlines()
    assert len([line for line in told if line.startswith("new/")]) == len(photos)
