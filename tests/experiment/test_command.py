"""What a run directory says of how it was made."""

from __future__ import annotations

import json
import logging
import re
import shutil
import warnings
from pathlib import Path

import pytest

from radar.errors import RunError
from radar.experiment.command import COMMAND_FILE, Command, read_command, write_command
from radar.experiment.log import LOG_FILE, logged, run_log


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Command(("seed=1",), "paper", ()), "radar seed=1"),
        (Command((), None, ("mine", "yours")), "radar --plugins mine,yours"),
        (Command(("seed=1",), None, (), "sweep_seed"), "radar --config-name sweep_seed hydra.mode=RUN seed=1"),
        (Command(("seed=1",), None, (), None, "/here"), "radar --config-dir /here seed=1"),
    ],
)
def test_a_command_is_read_as_it_was_written_wherever_its_folder_lies(
    command: Command, words: str, tmp_path: Path
) -> None:
    write_command(tmp_path, command)
    assert json.loads((tmp_path / COMMAND_FILE).read_text())["command"] == words.split()
    shutil.copytree(tmp_path, tmp_path / "elsewhere")
    assert read_command(tmp_path / "elsewhere") == command


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"overrides": "seed=1"}', '{"overrides": [1], "preset": null}', b"\xff".decode("latin-1")]
)
def test_a_command_that_cannot_be_read_is_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no such run directory"):
        read_command(tmp_path / "nothing")
    with pytest.raises(RunError, match=r"has no command.json"):
        read_command(tmp_path)
    (tmp_path / COMMAND_FILE).write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match=r"command.json: cannot be read .*; copy the run directory again$") as error:
        read_command(tmp_path)
    assert "\n" not in str(error.value)


def test_a_log_has_what_was_said_before_and_after_the_folder_was_made(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.warns(UserWarning, match="careful"), run_log(run) as log:
        log.info("first")
        assert not run.exists()
        run.mkdir()
        report = logged(lambda done, total, what: None, log)
        for done in range(3):
            report(done, 3, "Training")
        logging.getLogger("someone.else").error("not mine")
        warnings.warn("careful", UserWarning, stacklevel=1)
    logging.getLogger("radar").info("after")
    lines = (run / LOG_FILE).read_text().splitlines()
    assert [re.sub(r"^[\d-]+ [\d:,]+ ", "", line).split(" (")[0] for line in lines] == [
        "INFO first",
        "INFO Training",
        "ERROR not mine",
        "WARNING UserWarning: careful",
    ]


def test_a_log_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / LOG_FILE).mkdir()
    with run_log(tmp_path) as log:
        log.info("unheard")
    assert [path.name for path in tmp_path.iterdir()] == [LOG_FILE] and not list((tmp_path / LOG_FILE).iterdir())
