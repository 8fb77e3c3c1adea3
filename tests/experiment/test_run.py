"""A run from config to directory: what it leaves, what it reuses, what it refuses, and whether it learns."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from sklearn.metrics import f1_score, roc_auc_score
from tiny_experiment import TINY, run, scores_of

from radar.cli.main import main
from radar.config.schema import Config
from radar.data.dataset import open_dataset
from radar.deploy.calibration import by_hand
from radar.errors import ConfigError, DataError, RunError
from radar.experiment.run import Experiment, run_experiment
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import CACHE_FOLDER, Session
from radar.methods.relevance import effective
from radar.model_folder import change_thresholds, load
from radar.progress import silent
from radar.report.observer import RunObserver
from radar.report.wandb_tracker import NoTracker

Tiny = Callable[..., Config]


def forced() -> Session:
    return Session(afresh=uuid4().hex)


def test_the_run_directory_is_complete_and_agrees_with_itself(tiny: Tiny) -> None:
    config = tiny()
    outcome = run(config)
    run_directory = RunDirectory(outcome.directory)
    assert run_directory.read_status().state == "done"
    assert yaml.safe_load(run_directory.config.read_text()) == effective(config)
    environment = json.loads(run_directory.environment.read_text())
    assert environment["data_manifest_hash"] == open_dataset(config.dataset).manifest_hash
    assert environment["packages"]["torch"] == torch.__version__
    rows = scores_of(outcome)
    columns = (
        "path split label defect group global_norm local_norm score decision unseen_by defect_area defect_contrast"
    )
    assert list(rows[0]) == columns.split()
    assert [row["split"] for row in rows].count("test") == 16
    assert len(rows) == 12 + 16
    history = list(csv.DictReader(run_directory.history.open()))
    assert [float(row["step"]) for row in history] == [4, 8, 12]
    assert not list(outcome.directory.rglob("*.tmp"))
    assert not list(Path(config.output_root).rglob("*.ckpt"))


def test_the_metrics_are_those_of_the_scores(tiny: Tiny) -> None:
    outcome = run(tiny())
    tested = [row for row in scores_of(outcome) if row["split"] == "test"]
    labels = [int(row["label"]) for row in tested]
    scores = np.array([float(row["score"]) for row in tested])
    decisions = [int(row["decision"]) for row in tested]
    image = outcome.metrics.image
    assert image.auroc == pytest.approx(roc_auc_score(labels, scores))
    assert image.f1 == pytest.approx(f1_score(labels, decisions))
    assert image.f1_all_anomalous == pytest.approx(2 * 10 / (2 * 10 + 6))
    assert decisions == [int(score > outcome.metrics.threshold) for score in scores]
    local = [float(row["local_norm"]) for row in tested]
    assert outcome.metrics.features["local_norm"].auroc == pytest.approx(roc_auc_score(labels, local))
    assert outcome.metrics.pixel.regions >= 10


def test_the_threshold_flags_the_contamination_share_of_the_training_normals(tiny: Tiny) -> None:
    outcome = run(tiny("detector=isolation_forest", "contamination.value=0.2", "dataset.synthetic.train=30"))
    train = [int(row["decision"]) for row in scores_of(outcome) if row["split"] == "train"]
    assert sum(train) == pytest.approx(0.2 * len(train), abs=1)


def test_all_controls_are_measured_on_the_same_images(tiny: Tiny) -> None:
    outcome = run(tiny("method.controls=[mean_brightness,raw_sobel,same_untrained]"))
    assert list(outcome.metrics.controls) == ["mean_brightness", "raw_sobel", "same_untrained"]
    for control in outcome.metrics.controls.values():
        assert control.image.anomalous == 10
        assert 0 <= control.image.auroc <= 1
        assert 0 <= control.pixel.auroc <= 1


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(tiny: Tiny, tmp_path: Path) -> None:
    first, again, other = (
        scores_of(run(tiny(f"output_root={tmp_path / name}", f"seed={seed}", "scoring=paper", "scoring.stride=7")))
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first == again
    assert first != other


def test_a_reused_run_says_what_the_logger_asks_for_and_it_has_not(tiny: Tiny) -> None:
    plain, asking = tiny("logger.csv=false"), tiny("logger.csv=true")
    run(plain)
    lacking = run(asking)
    assert lacking.reused and not (lacking.directory / "history.csv").exists()
    (note,) = (note for note in lacking.notes if note.startswith("logger."))
    assert "logger.csv=true" in note and "without history.csv; --force" in note
    (note,) = (note for note in run(tiny("logger=csv_wandb")).notes if note.startswith("logger.wandb"))
    assert "without W&B; --force" in note
    assert not any(note.startswith("logger.") for note in run(plain).notes)
    run(asking, forced())
    again = run(asking)
    assert again.reused and (again.directory / "history.csv").exists()
    assert not any(note.startswith("logger.") for note in again.notes)


def test_a_reused_run_says_that_another_threshold_decides_by_now(tiny: Tiny) -> None:
    config = tiny("logger=csv")
    first = run(config).directory
    model = load(first)
    for change, told in (
        (
            lambda stored: stored.with_version(by_hand(model.calibration, 1.5, name="mine")),
            "threshold mine decides on new photos by now",
        ),
        (lambda stored: stored.using("fitted"), ""),
    ):
        change_thresholds(first, model, change)
        found = [note for note in run(config).notes if "decides on new photos" in note]
        assert (told in found[0]) if told else not found


def test_a_done_run_is_reused_and_force_starts_over(tiny: Tiny) -> None:
    config = tiny()
    first = run(config)
    modified = (first.directory / "model" / "model.safetensors").stat().st_mtime_ns
    reused = run(config)
    assert reused.reused
    assert reused.metrics.to_dict() == first.metrics.to_dict()
    assert (first.directory / "model" / "model.safetensors").stat().st_mtime_ns == modified
    assert not any("is not there any more" in note for note in reused.notes)
    shutil.move(first.directory / "model", first.directory / "elsewhere")
    assert any(f"{first.directory / 'model'}: is not there any more" in note for note in run(config).notes)
    other = run(tiny("tags=[b]", "dataset.name=other", f"name={config.name}")).notes
    assert "tags=['b']: what was done before keeps []; --force makes it again" in other
    assert f"dataset.name=other: what was done before keeps {config.dataset.name}; --force makes it again" in other
    again = run(config, forced())
    assert not again.reused
    assert (first.directory / "model" / "model.safetensors").stat().st_mtime_ns > modified


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "timestep=t50",
        "contamination=c10",
        "training.max_steps=8",
        "dataset.synthetic.seed=1",
        "detector=isolation_forest",
    ],
)
def test_whatever_changes_the_result_changes_the_directory(tiny: Tiny, override: str) -> None:
    assert run(tiny()).directory != run(tiny(override)).directory


@pytest.mark.parametrize("override", ["tags=[a]", "logger.csv=false", "trainer.progress=false"])
def test_what_does_not_change_the_result_does_not_run_again(tiny: Tiny, override: str) -> None:
    run(tiny())
    assert run(tiny(override)).reused


def test_a_failed_run_is_recorded_and_not_read_as_done(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny()

    def break_down(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("radar.experiment.computation.write_scores", break_down)
    with pytest.raises(OSError, match="no space"):
        run(config)
    directory = next(Path(config.output_root).glob("printed_layers-*"))
    status = RunDirectory(directory).read_status()
    assert status.state == "failed"
    assert "break_down" in str(status.traceback)
    with pytest.raises(RunError, match="not done"):
        RunDirectory(directory).read_metrics()
    monkeypatch.undo()
    assert not run(config).reused


def test_two_processes_cannot_compute_the_same_run(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    with directory.held(), pytest.raises(RunError, match="another process"), directory.held():
        pass


def test_bad_data_fails_before_a_run_directory_exists(composed: Tiny, tmp_path: Path) -> None:
    for index in range(12):
        path = tmp_path / "parts" / "normal" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(index).integers(0, 255, (48, 48), dtype=np.uint8)).save(path)
    broken = tmp_path / "parts" / "normal" / "7.png"
    broken.write_bytes(broken.read_bytes()[:200])
    config = composed("dataset=folder", f"dataset.root={tmp_path / 'parts'}", "dataset.folder.anomalous=null")
    with pytest.raises(DataError, match=r"7\.png"):
        run(config)
    assert not Path(config.output_root).exists()


def test_a_planted_defect_is_learnt_and_shuffled_labels_are_not(tiny: Tiny) -> None:
    config = tiny(
        "training.max_steps=800", "training.epoch_steps=200", "training.batch_size=16", "dataset.synthetic.train=24",
        "dataset.synthetic.test_normal=20", "dataset.synthetic.test_defective=40",
    )  # fmt: skip
    outcome = run(config)
    assert outcome.metrics.image.auroc > 0.9
    tested = [row for row in scores_of(outcome) if row["split"] == "test"]
    scores = [float(row["score"]) for row in tested]
    labels = np.array([int(row["label"]) for row in tested])
    shuffled = [roc_auc_score(np.random.default_rng(seed).permutation(labels), scores) for seed in range(200)]
    assert np.mean(shuffled) == pytest.approx(0.5, abs=0.03)


def test_a_training_starts_over_from_a_damaged_checkpoint_and_says_so(tiny: Tiny) -> None:
    config = tiny()
    whole = scores_of(run(config))
    RunDirectory(run(config).directory).clear()
    (trained,) = (Path(config.output_root) / CACHE_FOLDER / "network").glob("*[0-9a-f]")
    shutil.rmtree(trained)
    checkpoints = trained.with_name(trained.name + ".part") / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "last.ckpt").write_bytes(b"PK half")
    outcome = run(config)
    assert scores_of(outcome) == whole
    (told,) = (note for note in outcome.notes if "last.ckpt" in note)
    assert "the training starts over" in told


def test_a_run_that_starts_over_keeps_what_people_made(tiny: Tiny) -> None:
    config = tiny()
    first = run(config)
    folder = Path(first.directory)
    own = {path.name for path in folder.iterdir()}
    for name in ("reviewed.csv", "predictions.jsonl", "night/predictions.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    afresh = Session(afresh="radar")
    again = run_experiment(Experiment(config, silent, afresh), observer=RunObserver(None))
    assert not again.reused and {path.name for path in folder.iterdir()} == {
        *own,
        "reviewed.csv",
        "predictions.jsonl",
        "night",
    }
    assert (folder / "night" / "predictions.csv").read_text() == "mine"
    RunDirectory(folder).clear()
    assert {path.name for path in folder.iterdir()} == {"reviewed.csv", "predictions.jsonl", "night"}


def test_a_run_whose_thresholds_were_made_by_hand_does_not_start_over(tiny: Tiny) -> None:
    outcome = run(tiny())
    assert main(["calibrate", str(outcome.directory), "--threshold", "0.5"]) == 0
    before = {path: path.read_bytes() for path in outcome.directory.rglob("*") if path.is_file()}
    with pytest.raises(
        RunError, match=r"model: has thresholds that were made after the run .* remove the run's folder$"
    ):
        run_experiment(Experiment(tiny(), silent, Session(afresh="radar")), observer=RunObserver(None))
    assert {path: path.read_bytes() for path in outcome.directory.rglob("*") if path.is_file()} == before


def folder_of_parts(root: Path) -> Path:
    """Twelve noisy normals, and four with a bright square and its mask."""
    generator = np.random.default_rng(0)
    for kind, count in (("normal", 12), ("anomalous", 4)):
        for index in range(count):
            image = generator.integers(90, 160, (48, 48), dtype=np.uint8)
            if kind == "anomalous":
                image[10:20, 10:20] = 255
                mask = np.zeros((48, 48), dtype=np.uint8)
                mask[10:20, 10:20] = 255
                (root / "masks").mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(root / "masks" / f"{index}.png")
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(root / kind / f"{index}.png")
    return root


def on_folder(composed: Tiny, root: Path, *overrides: str) -> Config:
    own = [item for item in TINY if "synthetic" not in item]
    return composed("dataset=folder", f"dataset.root={root}", *own, *overrides)


def test_a_changed_mask_is_another_run(composed: Tiny, tmp_path: Path) -> None:
    root = folder_of_parts(tmp_path / "parts")
    config = on_folder(composed, root, "dataset.folder.masks=masks")
    first = run(config)
    assert run(config).reused
    moved = np.zeros((48, 48), dtype=np.uint8)
    moved[30:40, 30:40] = 255
    Image.fromarray(moved).save(root / "masks" / "0.png")
    second = run(config)
    assert not second.reused
    assert second.directory != first.directory
    assert second.metrics.pixel.auroc < first.metrics.pixel.auroc


def test_without_anomalous_images_a_run_measures_false_alarms_alone(composed: Tiny, tmp_path: Path) -> None:
    root = folder_of_parts(tmp_path / "parts")
    metrics = run(on_folder(composed, root, "dataset.folder.anomalous=null", "evaluation.figures=true")).metrics
    assert metrics.image.auroc is None
    assert metrics.image.f1 is None
    assert 0 <= metrics.image.false_positive_rate <= 1


def test_too_few_normals_fail_before_training(composed: Tiny, tmp_path: Path) -> None:
    root = folder_of_parts(tmp_path / "parts")
    with pytest.raises(DataError, match="1 validation images, and at least 2"):
        run(on_folder(composed, root, "dataset.folder.masks=masks", "dataset.validation_fraction=0.1"))


def test_too_few_held_out_normals_for_the_contamination_are_noted(tiny: Tiny) -> None:
    assert any("1 in 4" in note for note in run(tiny("contamination=c05")).notes)
    assert not any("too few for" in note for note in run(tiny("contamination.value=0.3")).notes)


def test_a_promise_by_groups_above_the_contamination_is_noted(composed: Tiny, tmp_path: Path) -> None:
    root = folder_of_parts(tmp_path / "parts")
    for place, photo in enumerate(sorted((root / "normal").iterdir())):
        photo.rename(photo.with_name(f"sheet{place // 2}-{place % 2}.png"))
    own = (
        "dataset.root=" + str(root),
        "dataset.split=grouped",
        "dataset.validation_fraction=0.5",
        "dataset.image.size=48",
    )
    quick = (
        "experiment=lof_texture",
        "dataset=folder",
        "method.controls=[]",
        "evaluation.figures=false",
        "contamination.value=0.4",
    )
    notes, made = {}, {}
    for name, group in (("sheets", r"dataset.folder.group='sheet\d+'"), ("alone", "dataset.folder.group=null")):
        config = composed(*quick, *own, group, f"output_root={tmp_path / name}")
        outcome, again = run(config), run(config)
        made[name] = config, outcome
        notes[name] = [note for note in outcome.notes if "by groups" in note]
        assert again.reused and [note for note in again.notes if "by groups" in note] == notes[name]
        promised = load(outcome.directory).calibration.false_alarms
        assert promised is not None and (promised > 0.4) == (name == "sheets")
    assert notes["alone"] == [] and len(notes["sheets"]) == 1
    config, outcome = made["sheets"]
    shutil.rmtree(outcome.directory / "model")
    assert not any("by groups" in note for note in run(config).notes)


def test_mixed_precision_trains_and_scores(tiny: Tiny) -> None:
    full, mixed = run(tiny()), run(tiny("trainer.precision=bf16-mixed"))
    assert full.directory != mixed.directory
    expected, found = (np.array([float(row["local_norm"]) for row in scores_of(outcome)]) for outcome in (full, mixed))
    np.testing.assert_allclose(found, expected, rtol=0.2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_half_precision_is_refused_without_a_gpu(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match="needs a GPU"):
        run(tiny("trainer.precision=16-mixed"))


def test_a_network_that_an_earlier_attempt_trained_is_used(tiny: Tiny) -> None:
    config = tiny()
    first = run(config)
    expected = scores_of(first)
    directory = RunDirectory(first.directory)
    directory.status.unlink()
    again = run(config)
    assert not again.reused
    assert first.metrics.network.trained_by_this_run
    assert not again.metrics.network.trained_by_this_run
    assert again.metrics.seconds["training"] == first.metrics.seconds["training"]
    assert scores_of(again) == expected


@pytest.mark.parametrize("way", ["damaged", "lost", "another seed, then this one again"])
def test_a_network_that_is_made_again_was_trained_by_this_run(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Whatever lay in the store when the run began; its course is told once, as it comes."""
    config, session = tiny(), Session(afresh=None)
    first = run(config, session)
    (weights,) = session.store(config).root.glob("network/*/network.safetensors")
    if way == "damaged":
        weights.write_bytes(weights.read_bytes()[:-9] + b"123456789")
    elif way == "lost":
        weights.unlink()
    else:
        assert run(tiny("seed=1"), session).metrics.network.trained_by_this_run
    RunDirectory(first.directory).status.unlink()
    steps: list[float] = []

    class Watching(RunObserver):
        @contextmanager
        def tracking(self, *_: object) -> Iterator[NoTracker]:
            tracker = NoTracker()
            monkeypatch.setattr(tracker, "log", lambda row: steps.append(row["step"]))
            yield tracker

    again = run(config, session, observer=Watching(None))
    assert again.metrics.network.trained_by_this_run == (way in ("damaged", "lost"))
    assert steps and len(steps) == len(set(steps))


@pytest.mark.parametrize("part", ["draw", "log", "summarise", "close"])
def test_a_figure_or_a_dashboard_that_fails_is_told_and_fails_nothing(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    class Breaking(RunObserver):
        @contextmanager
        def tracking(self, *_: object) -> Iterator[NoTracker]:
            tracker = NoTracker()
            if part in ("log", "summarise"):
                monkeypatch.setattr(tracker, part, fail)
            yield tracker
            if part == "close":
                fail()

    if part == "draw":
        monkeypatch.setattr("radar.report.observer.draw_run", fail)
    outcome = run(tiny("evaluation.figures=true"), observer=Breaking(None))
    assert RunDirectory(outcome.directory).read_status().state == "done"
    told = [note for note in outcome.notes if "no space left" in note]
    assert len(told) == 1
    assert told[0].startswith("figures" if part == "draw" else "logger")
