"""Transfers: a model's figures on another data set, computed by hand; what is left out, refused and taken up again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from tiny_experiment import TINY, run

from radar.cli.main import main
from radar.config.schema import Config
from radar.data.dataset import open_dataset
from radar.experiment.transfer import RECORDS_NAME, DoneRun, Transfer, pairs, read_transfers, transfers
from radar.model_folder import load
from radar.progress import silent

Tiny = Callable[..., Config]
CPU = torch.device("cpu")


def done(config: Config) -> Path:
    return run(config).directory


@pytest.fixture
def runs(tiny: Tiny) -> list[Path]:
    """One model of stochastic tiles, one of printed layers."""
    return [done(tiny(f"dataset={name}")) for name in ("stochastic_tile", "printed_layers")]


def asked(runs: list[DoneRun]) -> tuple[list[Transfer], list[str]]:
    """What was found, and what was left out."""
    left_out: list[str] = []
    return list(transfers(runs, frozenset(), CPU, silent, left_out.append, not_asked=lambda line: None)), left_out


def found(runs: list[Path]) -> list[Transfer]:
    records, left_out = asked([DoneRun.at(path) for path in runs])
    assert left_out == []
    return records


def test_the_figures_are_those_of_the_stored_model_on_the_other_images(runs: list[Path]) -> None:
    first, second = (DoneRun.at(path) for path in runs)
    records = {record.source: record for record in found(runs)}
    assert set(records) == {first.fingerprint, second.fingerprint}
    record = records[first.fingerprint]
    assert (record.target_dataset, record.target_data) == (second.config.dataset.name, second.data)
    dataset = open_dataset(second.config.dataset)
    loaded = dataset.load(dataset.split("test"))
    scores = load(runs[0]).score(loaded)
    assert record.image.auroc == pytest.approx(roc_auc_score(loaded.labels, scores.scores))
    wrong = np.mean(scores.decisions[loaded.labels == 0])
    assert record.image.false_positive_rate == pytest.approx(wrong)
    assert 0 <= record.pixel.auroc <= 1


def test_no_model_is_asked_about_images_that_it_was_fitted_on(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [done(tiny(f"dataset.split_seed={seed}", "dataset.split=random")) for seed in (0, 1)]
    kept = [DoneRun.at(path) for path in runs]
    assert kept[0].data != kept[1].data
    assert found(runs) == []
    out = tmp_path / "out"
    assert main(["transfer", *map(str, runs), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out == "0 transfers; no file is written\n" and not (out / RECORDS_NAME).exists()
    lines = captured.err.splitlines()
    assert len(lines) == 2 and all("fitted on some of its test images" in line for line in lines)
    for asked_run, read_by in (runs, runs[::-1]):
        assert any(
            f"not asked: {asked_run.name} on " in line and f"as {read_by.name} read it" in line for line in lines
        )


def test_a_model_that_was_fitted_on_one_set_is_asked_about_the_others(
    tiny: Tiny, runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = done(tiny("dataset=printed_layers", "dataset.split_seed=7", "dataset.split=random"))
    assert main(["transfer", *map(str, [*runs, again]), "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == f"4 transfers: {tmp_path / RECORDS_NAME}"
    assert captured.err.count("not asked: ") == captured.err.count("\n") == 2


def test_changed_images_are_left_out_and_the_others_asked(runs: list[Path], tiny: Tiny) -> None:
    first, second = (DoneRun.at(path) for path in runs)
    second.config.dataset.settings.contrast = 3.0
    records, (line,) = asked([first, second])
    assert [each.source for each in records] == [second.fingerprint]
    assert "the images are no longer those that its run read" in line


def test_a_model_that_cannot_be_asked_is_left_out_and_told(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = next((runs[0] / "model").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    assert main(["transfer", *map(str, runs), "--out", str(tmp_path)]) == 4
    captured = capsys.readouterr()
    assert captured.err.startswith(f"radar: left out: {runs[0].name} on ") and captured.err.count("\n") == 1
    assert captured.out.count("AUROC") == 1 and len(read_transfers(tmp_path / RECORDS_NAME)) == 1


def test_the_command_adds_what_is_missing_and_nothing_twice(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["transfer", *map(str, runs), "--out", str(tmp_path)]
    assert main(command) == 0
    path = tmp_path / RECORDS_NAME
    whole = path.read_text()
    assert len(read_transfers(path)) == 2
    path.write_text(whole.splitlines(keepends=True)[0])
    capsys.readouterr()
    assert main(command) == 0
    assert sorted(path.read_text().splitlines()) == sorted(whole.splitlines())
    assert capsys.readouterr().out.count("AUROC") == 1
    assert main(["transfer", str(runs[0]), str(runs[0]), "--out", str(tmp_path)]) == 3
    assert "all runs are on one data set" in capsys.readouterr().err


def test_of_equal_runs_in_two_folders_one_is_asked(runs: list[Path], tmp_path: Path) -> None:
    again = Path(shutil.copytree(runs[0], tmp_path / "again"))
    for _ in range(2):
        assert main(["transfer", *map(str, [*runs, again]), "--out", str(tmp_path / "out")]) == 0
    assert len(read_transfers(tmp_path / "out" / RECORDS_NAME)) == 2


@pytest.mark.parametrize("first", [True, False])
def test_a_damaged_copy_of_a_run_stands_in_nobodys_way(runs: list[Path], tmp_path: Path, first: bool) -> None:
    again = Path(shutil.copytree(runs[0], tmp_path / "again"))
    weights = next((again / "model").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    found, left_out = asked([DoneRun.at(path) for path in ([again, *runs] if first else [*runs, again])])
    assert len(found) == 2 and len(left_out) == int(first)


def test_changed_masks_are_refused_and_another_version_of_them_is_another_question(runs: list[Path]) -> None:
    first, second = (DoneRun.at(path) for path in runs)
    assert second.masks == open_dataset(second.config.dataset).masks_hash
    edited = replace(second, masks="of before")
    records, (line,) = asked([first, edited])
    assert len(records) == 1 and "the masks are no longer those that its run read" in line
    known = {each.pair for each in found(runs)}
    assert list(pairs([first, second], known)) == []
    assert [asked for _, _, asked in pairs([first, edited], known)] == [[first]]
    assert asked([first, replace(second, masks=None)])[0][1].target_masks in (None, first.masks)


def test_no_model_is_asked_about_parts_of_images_that_it_was_fitted_on(composed: Tiny, tmp_path: Path) -> None:
    """Nor about whole images of which it was fitted on parts."""
    photos, generator = tmp_path / "photos", np.random.default_rng(0)
    photos.mkdir()
    for index in range(40):
        values = generator.integers(0 if index > 35 else 90, 160, (52, 52), dtype=np.uint8)
        Image.fromarray(values).save(photos / f"{index:02}.png")
    own = [item for item in TINY if "synthetic" not in item and "validation_fraction" not in item]

    def run_on(name: str, part: str, learnt: range, tested: range) -> DoneRun:
        split = {
            **dict.fromkeys(learnt, "train"),
            **dict.fromkeys(learnt[-4:], "validation"),
            **dict.fromkeys(tested, "test"),
        }
        rows = [f'"{index:02}.png{part}",,{where},0,,,' for index, where in split.items()]
        rows += [f'"{index:02}.png{part}",,test,1,,,' for index in range(36, 40)]
        (tmp_path / name).write_text("\n".join(["path,content_hash,split,label,defect,mask,group", *rows]) + "\n")
        places = (f"dataset.root={photos}", f"dataset.manifest={tmp_path / name}", f"name={name}")
        return DoneRun.at(done(composed("dataset=mvtec_folder", *places, *own)))

    whole = run_on("whole", "", range(12), range(12, 18))
    inner = run_on("inner", "#xywh=2,2,48,48", range(18, 30), range(8))
    outer = run_on("outer", "#xywh=0,0,50,50", range(30, 36), range(18, 24))
    asked_about = {(each.source_run, each.target_data) for each in asked([whole, inner, outer])[0]}
    names = {run.directory.path.name: run for run in (whole, inner, outer)}
    told = {
        (source, name)
        for source, run in names.items()
        for name, other in names.items()
        if (source, other.data) in asked_about
    }
    name_of = {id(run): name for name, run in names.items()}
    assert (name_of[id(whole)], name_of[id(inner)]) not in told
    assert (name_of[id(inner)], name_of[id(outer)]) not in told
    assert {(name_of[id(whole)], name_of[id(outer)]), (name_of[id(outer)], name_of[id(inner)])} <= told


def test_the_same_files_in_another_layout_are_another_question(runs: list[Path]) -> None:
    """Which may read their masks the other way round."""
    first, second = (DoneRun.at(path) for path in runs)
    other = replace(second, config=replace(second.config, dataset=replace(second.config.dataset, layout="another")))
    known = {each.pair for each in found(runs)}
    assert [target.config.dataset.layout for _, target, _ in pairs([first, other], known)] == ["another"]
    assert len(list(pairs([first, second, other], set()))) == 3
    of_old = {(*pair[:3], None) for pair in known}
    assert list(pairs([first, second], of_old)) == []


def test_files_have_the_resolution_that_their_own_runs_tell(runs: list[Path]) -> None:
    """So that a model sees as many pixels to the millimetre as it was fitted on."""

    def at(run: DoneRun, resolution: float | None, of_files: float | None) -> DoneRun:
        dataset = run.config.dataset
        image = replace(dataset.image, size=None, aspect="short", resolution=resolution, file_resolution=of_files)
        return replace(run, config=replace(run.config, dataset=replace(dataset, image=image)))

    first, second = (DoneRun.at(path) for path in runs)
    for told, wanted in (((5.0, 20.0), (5.0, 20.0)), ((2.0, 20.0), (5.0, 20.0)), ((None, None), (5.0, 10.0))):
        fine, coarse = at(first, 5.0, 10.0), at(second, *told)
        (asked_about,) = [opened for opened, _, sources in pairs([fine, coarse], frozenset()) if fine in sources]
        assert (asked_about.image.resolution, asked_about.image.file_resolution) == wanted
        assert asked_about.layout == second.config.dataset.layout
