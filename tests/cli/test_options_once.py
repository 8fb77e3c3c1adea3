"""An option that is given twice: the first of its values is not dropped without a word."""

from __future__ import annotations

import pytest

from radar.cli.exit_codes import REFUSED
from radar.cli.main import main


@pytest.mark.parametrize(
    "words",
    [
        "calibrate RUN --normals a --normals b",
        "calibrate RUN --normals a --false-alarms 0.1 --normals=b",
        "calibrate RUN --reviewed a.csv --reviewed b.csv",
        "calibrate RUN --threshold 1 --threshold 2",
        "predict RUN photos --out a --out b",
        "predict RUN --watch a --watch b --out c",
        "export RUN --to onnx --to openvino",
        "report runs --out a --out b",
        "transfer RUN RUN --out a --out b",
        "monitor RUN LOG --picture a.png --picture b.png",
        "inspect RUN --log a --log b",
        "cache prune --days 1 --days 2",
        "--config-dir a --config-dir b",
        "--config-dir=a seed=0 --config-dir=b",
        "--config-name a -m --config-name b",
    ],
)
def test_an_option_given_twice_is_one_line(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) >= REFUSED
    said = capsys.readouterr().err
    options = [word.partition("=")[0] for word in words.split() if word.startswith("--")]
    option = next(each for each in options if options.count(each) == 2)
    assert f"{option}: is given twice; name it once" in said and "Traceback" not in said


def test_words_that_switch_something_on_may_stand_twice(capsys: pytest.CaptureFixture[str]) -> None:
    main(["predict", "RUN", "gone", "--jsonl", "--jsonl"])
    assert "given twice" not in capsys.readouterr().err
