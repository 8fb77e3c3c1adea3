"""`radar report` and `radar compare` on whole, tiny runs: they read, and train nothing."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path

import pytest

from radar.cli.exit_codes import REFUSED
from radar.cli.main import main
from radar.experiment.run_directory import RunDirectory
from radar.model import UNSEEN
from radar.report.records import add_records
from radar.report.result import FORMAT
from radar.report.stored import read_results, read_run

TINY = (
    "dataset.validation_fraction=0.25", "dataset.synthetic.side=32", "dataset.synthetic.train=8", "dataset.synthetic.test_normal=4",
    "dataset.synthetic.test_defective=5", "dataset.image.size=32", "patch=14x14", "unet=small", "scoring.stride=7",
    "training.max_steps=2", "training.epoch_steps=2", "training.batch_size=2", "training.warmup_steps=1",
    "training.validation_patches=2", "logger=csv", "trainer=cpu", "trainer.threads=1", "trainer.progress=false",
    "method.controls=[raw_sobel]", "evaluation.figures=false", "evaluation.panels=1", "evaluation.noise.permutations=19",
)  # fmt: skip


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    assert main(["-m", *TINY, f"output_root={folder}", "seed=0,1", "timestep=t1,t10"]) == 0
    return folder


def test_a_report_of_runs(outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(outputs), "--out", str(tmp_path), "resamples=20", "vector=svg"]) == 0
    assert capsys.readouterr().out.startswith("4 runs, ")
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64") > 10
    assert (tmp_path / "tables" / "ablation_timestep_value.tex").exists()
    assert (tmp_path / "figures" / "sensitivity_timestep_value.svg").exists()
    assert (tmp_path / "figures" / "qualitative_printed_layers.png").exists()


def test_a_report_leaves_nothing_of_an_earlier_one_and_all_that_is_not_its_own(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, alone = tmp_path / "report", tmp_path / "alone"
    assert main(["report", str(outputs), "--out", str(out), "resamples=20", "vector=svg"]) == 0
    own = [out / "tables" / "mine.md", out / "figures" / "mine.png", out / "mine.md"]
    for path in own:
        path.write_text("mine")
    link = out / "figures" / "sensitivity_timestep_value.svg"
    link.unlink()
    link.symlink_to(own[0])
    one = str(next(outputs.glob("printed_layers-*")))
    for folder in (out, alone):
        assert main(["report", one, "--out", str(folder), "resamples=20"]) == 0
    capsys.readouterr()
    assert _files(out) - _files(alone) == {*(path.relative_to(out) for path in own), link.relative_to(out)}
    assert _files(alone) <= _files(out)
    assert {path.read_text() for path in own} == {"mine"}


def _files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}


def test_an_interrupted_report_leaves_no_page_and_is_cleared_by_the_next(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = str(next(outputs.glob("printed_layers-*")))
    assert main(["report", str(outputs), "--out", str(tmp_path), "resamples=20"]) == 0

    def interrupted(figure: object, path: Path) -> None:
        if path.name.startswith("sensitivity"):
            raise KeyboardInterrupt
        path.write_text("a figure")

    with monkeypatch.context() as patched:
        patched.setattr("radar.report.build.save_figure", interrupted)
        with suppress(KeyboardInterrupt):
            main(["report", str(outputs), "--out", str(tmp_path), "resamples=20", "vector=svg"])
    assert not (tmp_path / "report.html").exists()
    assert (tmp_path / "figures" / "cost.svg").exists() and not (tmp_path / "figures" / "cost.pdf").exists()
    assert main(["report", one, "--out", str(tmp_path), "resamples=20"]) == 0
    capsys.readouterr()
    assert not list(tmp_path.rglob("*.svg")) and not list(tmp_path.glob("tables/ablation*"))


def test_records_of_runs_hold_what_the_runs_hold(outputs: Path, tmp_path: Path) -> None:
    runs = read_results([outputs])
    add_records(tmp_path / "some.runs.jsonl.xz", runs)
    for run, record in zip(runs, read_results([tmp_path]), strict=True):
        assert (run.name, run.metrics, run.test_data, run.data) == (
            record.name,
            record.metrics,
            record.test_data,
            record.data,
        )
        assert record.scores == pytest.approx(run.scores, rel=1e-6)
        assert run.directory is not None
        assert run.format == record.format == FORMAT
        with RunDirectory(run.directory).scores.open(newline="") as file:
            normals = [row for row in csv.DictReader(file) if row["split"] != "test"]
        for kept in (run.normals, record.normals):
            assert [each.unseen_by for each in kept] == [(), UNSEEN], "the forest is fitted on training normals"
            assert [name for each in kept for name in each.groups] == [row["group"] for row in normals]
            scores = [score for each in kept for score in each.scores]
            assert scores == pytest.approx([float(row["score"]) for row in normals], rel=1e-6)
            hashes = {image.content_hash for image in run.images}
            assert not {hash for each in kept for hash in each.content_hashes} & {each[:8] for each in hashes}
        assert [image.defect_area is not None for image in run.images] == [bool(image.label) for image in run.images]
    assert "data_root" not in runs[0].config
    names = [f"{tmp_path / 'some.runs.jsonl.xz'}:{run.name}" for run in runs[:2]]
    assert main(["compare", *names, "--markdown", "resamples=20"]) == 0
    assert main(["compare", *names, f"{names[0]}x"]) == REFUSED


def test_comparing_runs(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = sorted(status.parent for status in outputs.glob("*/status.json"))
    assert main(["compare", *map(str, runs[:2]), "--markdown", "resamples=20"]) == 0
    printed = capsys.readouterr().out
    assert "**Config**" in printed
    assert "**On the same images**" in printed


def test_a_run_that_is_named_by_where_one_stands_has_its_own_name(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted(status.parent for status in outputs.glob("*/status.json"))[:2]
    for here, named in ((first, "."), (first / "model", "..")):
        monkeypatch.chdir(here)
        assert main(["compare", named, str(second), "--markdown", "resamples=20"]) == 0
        assert f"{first.name} | {second.name} |" in capsys.readouterr().out
        assert main(["report", named, str(second), "--out", str(tmp_path)]) == 0
        assert first.name in (tmp_path / "tables" / "provenance.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["report", "nowhere", "--out", "x"], "nowhere: no done run and no record is here", id="nothing there"
        ),
        pytest.param(["report", "nowhere", "--out", "x", "level=2"], "no done run", id="results come first"),
        pytest.param(["report", "level=0.9", "--out", "x"], "nothing to report on", id="no path"),
        pytest.param(["compare", "nowhere"], "nowhere: no done run", id="compare nothing"),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == REFUSED
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_wrong_settings_and_a_single_run(outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(next(outputs.glob("*/status.json")).parent)
    assert main(["report", run, "--out", str(tmp_path), "level=2"]) == REFUSED
    assert "level=2" in capsys.readouterr().err
    assert main(["report", run, "--out", str(tmp_path), "nothing=2"]) == REFUSED
    assert "nothing: no such key" in capsys.readouterr().err
    assert main(["compare", run]) == REFUSED
    assert "name two or more" in capsys.readouterr().err
    assert main(["compare", str(outputs), run]) == REFUSED
    assert "4 runs are here; name one" in capsys.readouterr().err


def test_development_sets_are_marked_in_one_table_too(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, place in (("timestep", "| printed_layers ◆ |"), ("transfer", "| printed_layers ◆: AUROC |")):
        words = ["report", str(outputs), "--table", name]
        assert main(words) == 0
        assert "◆" not in capsys.readouterr().out
        assert main([*words, "development=[printed_layers]", "--out", str(tmp_path)]) == 0
        printed = capsys.readouterr().out
        assert place in printed and "- ◆ development set: " in printed
        assert (tmp_path / f"sweep_{name}.md").read_text() == printed


@pytest.mark.parametrize("table", [(), ("--table", "timestep")])
def test_a_development_set_that_no_result_is_of_is_refused(
    table: tuple[str, ...], outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", str(outputs), "--out", str(tmp_path / "new"), *table]
    assert main([*words, "development=[printed_layers,printed_layer,gird]"]) == REFUSED
    error = capsys.readouterr().err
    assert "development=[printed_layer,gird]: no result is of such a data set; there are: printed_layers" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("word", ["seeds=3", "development=[printed_layers]", "vector=svg", "borderline=0.2"])
def test_a_key_that_compare_does_not_read_is_refused(
    word: str, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(status.parent) for status in sorted(outputs.glob("*/status.json"))[:2]]
    assert main(["compare", *runs, word]) == REFUSED
    told = capsys.readouterr()
    assert f"{word}: compare does not read this key; leave it out, or give one of level, " in told.err and not told.out
    for used in ("level=0.9", "alpha=0.1", "resamples=20", "permutations=9", "seed=3"):
        assert main(["compare", *runs, used]) == 0


@pytest.mark.parametrize("word", ["level=0.9", "alpha=0.1", "resamples=20", "permutations=9", "seed=3", "vector=svg"])
def test_a_key_that_one_table_does_not_read_is_refused(
    word: str, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(outputs), "--table", "timestep", word]) == REFUSED
    assert f"{word}: report --table does not read this key; leave it out" in capsys.readouterr().err
    assert main(["report", str(outputs), "--table", "timestep", "seeds=3"]) == 0
    assert "| 2†" in capsys.readouterr().out


def test_a_run_from_before_says_so(outputs: Path, tmp_path: Path) -> None:
    run = RunDirectory(next(outputs.glob("*/status.json")).parent)
    old = RunDirectory(tmp_path)
    for name in ("status", "metrics", "environment", "config", "manifest"):
        getattr(old, name).write_bytes(getattr(run, name).read_bytes())
    old.scores.write_text("path,split\n1,test\n")
    with pytest.raises(Exception, match="run it again with --force"):
        read_run(old)
