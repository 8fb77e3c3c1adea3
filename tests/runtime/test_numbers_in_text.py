"""Numbers in texts are what everybody reads: in tables, records, options, and values that a command quotes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from report_builders import result

from radar.cli.exit_codes import REFUSED
from radar.cli.main import main
from radar.compose import experiment
from radar.data.manifest import COLUMNS, read_manifest
from radar.deploy.reviewed import read_reviewed
from radar.errors import ConfigError, DataError, RunError
from radar.files import read_csv, read_lines
from radar.report.records import add_records, read_records
from radar.runtime.cells import Rows
from radar.runtime.numbers import number, whole

NOT_PLAIN = ["1_000", "0_5", "٣", "1٫5", "\uff11\uff12", "1e\u0663"]


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_only_plain_digits_are_a_number(text: str) -> None:
    for read in (number, whole):
        with pytest.raises(ValueError, match="digits 0 to 9"):
            read(text)


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("-2.5", -2.5), ("1e-05", 1e-5), (" 7 ", 7), ("+.5", 0.5)])
def test_plain_numbers_are_read(text: str, value: float) -> None:
    assert number(text) == value


def test_what_is_no_number_is_said() -> None:
    with pytest.raises(ValueError, match="'many' is no number"):
        number("many")
    with pytest.raises(ValueError, match=r"'1\.5' is not written as a whole number"):
        whole("1.5")


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_a_score_in_a_table_of_reviews_has_plain_digits(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.csv").write_text(f"path,verdict,score\na,good,{text}\n")
    with pytest.raises(DataError, match=r"r\.csv, row 2: score .* is not a finite number in the digits 0 to 9"):
        read_reviewed(tmp_path / "r.csv", "abc")


@pytest.mark.parametrize("key", ["seed", "contamination.value", "dataset.image.size", "unet.channels"])
@pytest.mark.parametrize("text", ["'1_6'", "'٣'"])
def test_a_value_of_a_key_has_plain_digits(key: str, text: str) -> None:
    value = f"[8,{text}]" if key == "unet.channels" else text
    with pytest.raises(ConfigError, match=rf"^{key}=.*: must be a number in the digits 0 to 9$"):
        experiment(["dataset=printed_layers", f"{key}={value}"])


def test_a_text_that_holds_such_digits_stays_a_text() -> None:
    assert experiment(["dataset=printed_layers", "tags=[1_a,'٣']"]).tags == ["1_a", "٣"]


@pytest.mark.parametrize("arguments", [["cache", "prune", "--days", "1_0"], ["calibrate", "run", "--threshold", "٣"]])
def test_an_option_has_plain_digits(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == REFUSED and "digits 0 to 9" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["scores", "features"])
def test_a_record_with_texts_for_numbers_is_left_out(tmp_path: Path, key: str) -> None:
    add_records(tmp_path / "a.runs.jsonl", [result()])
    content = json.loads(next(read_lines(tmp_path / "a.runs.jsonl")))
    texts = json.loads(json.dumps(content[key]), parse_float=str)
    (tmp_path / "b.runs.jsonl").write_text(json.dumps({**content, key: texts}))
    found, errors = read_records(tmp_path / "b.runs.jsonl")
    assert not found and "lists of numbers" in errors[0]


@pytest.mark.parametrize(("separator", "told"), [(";", "a semicolon"), ("\t", "a tab"), ("|", "a vertical bar")])
def test_cells_that_no_comma_separates_are_said(tmp_path: Path, separator: str, told: str) -> None:
    said = f"{told} separates its cells, and a comma is expected"
    path = tmp_path / "table.csv"
    path.write_text(separator.join(COLUMNS) + "\n" + separator.join(["a.png", "", "train", "0", "", "", ""]) + "\n")
    with pytest.raises(DataError, match=said):
        read_manifest(path)
    with pytest.raises(RunError, match=said):
        read_csv(path, "copy it again")
    path.write_text(f"path{separator}verdict\na.png{separator}good\n")
    with pytest.raises(DataError, match=said):
        read_reviewed(path, "abc")


def test_a_table_of_one_column_is_one() -> None:
    assert list(Rows(io.StringIO("path\na;b\n"))) == [{"path": "a;b"}]
