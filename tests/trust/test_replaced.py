"""Files of a user in the place of what a verb writes: refused, and left as they are; a verb's own are written again."""

from __future__ import annotations

from pathlib import Path

import pytest
from deploy_builders import drawn, quick_model, save, save_model
from report_builders import study

from radar.cli.exit_codes import DONE, DRIFT, REFUSED
from radar.cli.main import main
from radar.errors import WriteError
from radar.files import claim, remove_claimed
from radar.report.records import add_records


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records") / "study.runs.jsonl"
    add_records(path, study())
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and a log of its answers."""
    folder = tmp_path_factory.mktemp("run")
    save_model(quick_model(folder / "normals"), folder / "model")
    for number in range(40):
        save(folder / "photos" / f"{number:02}.png", drawn(7000 + number, width=64, height=64))
    assert main(["predict", str(folder), str(folder / "photos"), "--out", str(folder / "log")]) in {0, 1}
    return folder


def refused(arguments: list[str], file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command is refused that would replace `file`; all else in its folder is as it was."""
    before = {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(arguments) == REFUSED
    assert {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()} == before
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and str(file) in told.err
    return told.err


@pytest.mark.parametrize("name", ["report.html", "tables/results.csv", "figures/x.png"])
def test_a_report(name: str, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    top = tmp_path / "out" / name.partition("/")[0]
    assert "radar report has not marked it" in refused(
        ["report", str(records), "--out", str(tmp_path / "out")], top, capsys
    )
    assert file.read_text() == "mine"


def test_a_report_that_was_written_there_is_written_again(records: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        assert main(["report", str(records), "--out", str(tmp_path)]) == DONE
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_one_table(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["report", str(records), "--table", "transfer", "--out", str(tmp_path)]
    (file := tmp_path / "sweep_transfer.csv").write_text("mine")
    refused(arguments, file, capsys)
    file.unlink()
    assert main(arguments) == main(arguments) == DONE


@pytest.mark.parametrize(
    ("target", "name"), [("onnx", "model.onnx"), ("onnx", "manifest.json"), ("openvino", "model.bin")]
)
def test_an_export(target: str, name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / name).write_text("mine")
    assert "radar export has not marked it" in refused(
        ["export", str(run), "--to", target, "--out", str(tmp_path)], file, capsys
    )


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_charts(ending: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / f"a.{ending}"
    arguments = ["monitor", str(run), str(run / "log"), "baseline=20", "score_baseline=log", "--picture", str(file)]
    for _ in range(2):  # its own
        assert main(arguments) in {DONE, DRIFT}
    drawing = file.read_bytes()
    assert len(drawing) > 1000
    save(file.with_suffix(".png"), drawn(1))
    file.write_bytes(file.with_suffix(".png").read_bytes())
    assert "is no chart that radar signed" in refused(arguments, file, capsys)


def test_what_was_not_claimed_with_the_rest_is_refused_later(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One table was written there; a page of the user's own came after it."""
    assert main(["report", str(records), "--table", "transfer", "--out", str(tmp_path)]) == DONE
    (file := tmp_path / "report.html").write_text("mine")
    refused(["report", str(records), "--out", str(tmp_path)], file, capsys)
    file.unlink()
    assert main(["report", str(records), "--out", str(tmp_path)]) == DONE
    assert main(["report", str(records), "--table", "transfer", "--out", str(tmp_path)]) == DONE


def test_a_link_is_no_claim(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a\n")
    (tmp_path / ".radar-report").symlink_to(tmp_path / "list")
    (tmp_path / "a").write_text("mine")
    with pytest.raises(WriteError, match="would replace it"):
        claim(tmp_path, "report", ["a"])


def test_a_folder_is_claimed_by_one_verb_alone(tmp_path: Path) -> None:
    claim(tmp_path / "new", "report", ["a"])
    (tmp_path / "new" / "a").write_text("x")
    claim(tmp_path / "new", "report", ["a"])
    with pytest.raises(WriteError, match="radar export has not marked it"):
        claim(tmp_path / "new", "export", ["a"])
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(WriteError, match="would replace it"):
        claim(tmp_path, "report", ["link"])


def test_a_forged_list_removes_nothing_outside_its_folders(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    for folder in (out / "tables" / "deep", elsewhere):
        folder.mkdir(parents=True)
    kept = [tmp_path / "a", out / "a", out / "tables" / "deep" / "a", elsewhere / "a"]
    for path in (*kept, out / "tables" / "a"):
        path.write_text("a")
    (out / "figures").symlink_to(elsewhere)
    names = ["../a", "tables/../a", "tables/../../a", str(tmp_path / "a"), "tables/deep/a", "tables/deep", "tables/..", "figures/a",
             "a", "tables/gone", "tables/a", "tables/", "/a"]  # fmt: skip
    (out / ".radar-report").write_text("".join(f"{name}\n" for name in names))
    remove_claimed(out, "report", ("tables", "figures"))
    assert all(path.read_text() == "a" for path in kept)
    assert not (out / "tables" / "a").exists()
