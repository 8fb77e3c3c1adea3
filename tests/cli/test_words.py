"""Words of a command: what exists is a path, whatever its name; what is no setting is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from radar.cli.exit_codes import REFUSED
from radar.cli.main import main
from radar.compose.settings import is_override, verb_settings
from radar.config.verbs import PredictConfig, ReportConfig
from radar.errors import ConfigError


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("seeds=3", True),
        ("noise.level=0.1", True),
        ("seed=0", False),  # a folder that is there
        ("./seed=0", False),
        ("seed=0/run", False),
        ("parts", False),
    ],
)
def test_what_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, expected: bool) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed=0" / "run").mkdir(parents=True)
    assert is_override(word) is expected


@pytest.mark.parametrize("verb", ["report", "compare"])
def test_a_folder_with_an_equals_sign_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed=0").mkdir()
    assert main([verb, "seed=0", *(["--out", "report"] if verb == "report" else [])]) == REFUSED
    assert "seed=0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "word",
    ["seeds=[[[", "seeds=*a", "seeds=" + "[" * 5000, "seeds={", "seeds=nan", "seeds=1e400", "seeds=", "a..b=1", "seeds.x=1",
     "seeds=${nothing}", "seeds=!!python/object/apply:os.getcwd []", "level=inf", "resamples=1000000000000"],
)  # fmt: skip
def test_a_setting_of_a_verb_that_cannot_be_read_is_one_line(word: str) -> None:
    try:
        found = verb_settings(ReportConfig, "report", [word])
    except ConfigError as error:
        assert str(error).isprintable() and len(str(error)) < 600, str(error)
    else:
        assert word == "seeds=" and found.seeds is None


def test_settings_of_predict_are_bounded() -> None:
    with pytest.raises(ConfigError, match=r"^interval=1e\+300: must be ≤ 86400"):
        verb_settings(PredictConfig, "predict", ["interval=1e300"])
