"""Which change makes which stage again: counted, not assumed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_experiment import TINY, made, run
from torch import Tensor

from radar.config.schema import Config
from radar.evaluation.metrics import BorderMetrics, ControlQuality
from radar.experiment import computation, stages
from radar.experiment.measures import Scored
from radar.experiment.method_stages import MethodStages
from radar.experiment.run import Experiment
from radar.experiment.session import Session
from radar.experiment.stage import VERSIONS
from radar.experiment.stages import ExperimentStages
from radar.progress import silent

Tiny = Callable[..., Config]


# of RADAR and of raw_sobel, in three splits; noise statistics are of RADAR alone, data measures of no method
FIRST = {
    "network": 1, "fitted": 2, "responses": 6, "points": 6, "pixel_metrics": 2, "noise_statistics": 1, "data_measures": 1,
}  # fmt: skip
MAPS = {"fitted": 1, "responses": 3, "points": 3, "pixel_metrics": 1, "noise_statistics": 1}  # of RADAR alone
WHOLE = {"noise_statistics": 1, "data_measures": 1}  # read labels, groups and masks of all splits' manifest


@pytest.mark.parametrize(
    ("override", "again"),
    [
        ("contamination=c20", {}),
        ("detector=isolation_forest", {}),
        ("evaluation.panels=1", {}),
        ("tags=[other]", {}),
        ("name=other", {}),
        ("trainer.workers=1", {}),
        ("evaluation.aupro_limit=0.2", {"pixel_metrics": 2}),
        ("evaluation.noise.bins=8", {"noise_statistics": 1}),
        ("scoring.smoothing=1.0", {"pixel_metrics": 2}),
        ("scoring.window=7", {"points": 6}),
        ("scoring.blur.sigma=2.0", {"points": 6, "pixel_metrics": 2}),
        ("timestep=t50", MAPS),
        ("scoring.stride=14", MAPS),
        ("seed=1", {"network": 1, **MAPS}),
        (
            "training.max_steps=8",
            {"network": 1, **MAPS},
        ),
        (
            "unet.embedding=16",
            {"network": 1, **MAPS},
        ),
        ("dataset.image.resize=box", {"network": 1, **{stage: FIRST[stage] for stage in list(FIRST)[1:]}}),
    ],
)
def test_a_change_makes_again_what_reads_it_and_nothing_else(tiny: Tiny, override: str, again: dict[str, int]) -> None:
    session = Session(afresh=None)
    run(tiny(), session)
    assert made(session, tiny()) == FIRST
    changed = tiny(override)
    run(changed, session)
    assert made(session, changed) == again


def test_a_density_is_fitted_once_for_what_it_reads(tiny: Tiny) -> None:
    session, density = Session(afresh=None), ("scoring=density", "scoring.field=stitched", "scoring.stride=7")
    run(tiny(), session)
    made(session, tiny())
    new = {"fitted": 1, "responses": 3, "points": 3, "pixel_metrics": 1}
    for override, again in (
        ("seed=0", new),
        ("scoring.density.blurs=[0]", new),
        ("scoring.density.timesteps=[3]", new),
        ("contamination=c20", {}),
    ):
        changed = tiny(*density, override)
        run(changed, session)
        assert {stage: count for stage, count in made(session, changed).items() if stage in new} == again, override


def test_shared_stages_give_the_bits_of_stages_made_alone(tiny: Tiny, tmp_path: Path) -> None:
    session = Session(afresh=None)
    for number, override in enumerate(("seed=0", "timestep=t50", "contamination=c20")):
        shared = run(tiny(override), session).directory
        alone = run(tiny(override, f"output_root={tmp_path / str(number)}"), Session(afresh=None)).directory
        assert (shared / "scores.csv").read_bytes() == (alone / "scores.csv").read_bytes()


def test_a_new_version_makes_a_stage_and_what_follows_it_again(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tiny(), Session(afresh=None))
    monkeypatch.setitem(VERSIONS, "responses", 99)
    later = Session(afresh=None)
    run(tiny(), later)
    assert made(later, tiny()) == {"responses": 6, "points": 6, "pixel_metrics": 2, "noise_statistics": 1}


def test_masks_that_another_layout_reads_are_measured_anew(tiny: Tiny) -> None:
    """The same files mark what is bright in one layout, and what is dark in another."""
    one = Experiment(tiny(), silent, Session(afresh=None)).stages
    config = replace(one.config, dataset=replace(one.config.dataset, layout="another"))
    other = ExperimentStages(config, one.context)
    assert one.data_measures.key != other.data_measures.key
    assert one.pixel_metrics(one.method).key != other.pixel_metrics(one.method).key
    assert one.noise_statistics.key == other.noise_statistics.key  # which look at no mask


def test_other_groups_are_other_statistics(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a public set come from its layout and category, whatever a manifest of one's own says."""
    outcome = run(tiny(), Session(afresh=None))
    monkeypatch.setattr(stages, "known_groups", lambda *known: [f"{int(each, 16) % 4}" for each in known[2]])
    experiment = Experiment(tiny(), silent, Session(afresh=None))
    first, second = outcome.metrics.noise, experiment.stages.noise()
    assert first is not None and second is not None
    assert first.images == second.images and first.groups == first.images
    assert second.groups.normal <= 4 and second.groups.anomalous <= 4


def test_force_makes_every_stage_again_once_for_a_whole_sweep(tiny: Tiny) -> None:
    for override in ("contamination=c05", "contamination=c20"):
        run(tiny(override), Session(afresh=None))
    forced = Session(afresh="again")
    for override in ("contamination=c05", "contamination=c20"):
        assert not run(tiny(override), forced).reused
    assert made(forced, tiny()) == FIRST


def parts(root: Path) -> Path:
    generator = np.random.default_rng(0)
    for kind, count in (("normal", 20), ("anomalous", 4)):
        (root / kind).mkdir(parents=True)
        for index in range(count):
            values = generator.integers(90 if kind == "normal" else 0, 160, (48, 48), dtype=np.uint8)
            Image.fromarray(values).save(root / kind / f"{index:02}.png")
    return root


@pytest.mark.parametrize(
    ("split", "again"),
    [  # and what reads the whole manifest
        (
            "train",
            {"network": 1, "fitted": 2, "responses": 6, "points": 6, **WHOLE},
        ),  # three of RADAR, and that split of raw_sobel
        ("validation", {"network": 1, "fitted": 2, "responses": 6, "points": 6, **WHOLE}),
        ("test", {"responses": 2, "points": 2, **WHOLE}),
    ],
)
def test_one_byte_of_one_image_makes_again_exactly_what_reads_it(
    composed: Tiny, tmp_path: Path, split: str, again: dict[str, int]
) -> None:
    root = parts(tmp_path / "parts")
    own = [item for item in TINY if "synthetic" not in item]
    manifest = tmp_path / "split.csv"
    config = composed("dataset=folder", f"dataset.root={root}", *own, "evaluation.pixel=false")
    session = Session(afresh=None)
    first = Experiment(config, silent, session)
    manifest.write_text((run(config, session).directory / "manifest.csv").read_text())
    made(session, config)
    chosen = root / first.data.dataset.split(split)[0].path  # type: ignore[arg-type]
    values = np.array(Image.open(chosen))
    values[0, 0] ^= 1
    Image.fromarray(values).save(chosen)
    header, *rows = manifest.read_text().splitlines()
    blank = [
        row.replace(row.split(",")[1], "") if row.startswith(str(chosen.relative_to(root))) else row for row in rows
    ]
    manifest.write_text("\n".join([header, *blank]) + "\n")
    changed = composed(
        "dataset=folder", f"dataset.root={root}", *own, "evaluation.pixel=false", f"dataset.manifest={manifest}"
    )
    later = Session(afresh=None)
    run(changed, later)
    assert made(later, changed) == again


def test_maps_of_one_method_at_a_time_are_held(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    maps: list[weakref.ref[Tensor]] = []
    held: list[int] = []
    border_metrics, control_quality = computation.border_metrics, ExperimentStages.control_quality

    def watched_maps(test: Scored, validation: Scored | None, width: int) -> BorderMetrics:
        maps.extend(weakref.ref(each) for each in test.scores.anomaly_maps)
        return border_metrics(test, validation, width)

    def watched_control(stages: ExperimentStages, control: MethodStages) -> ControlQuality:
        methods = (stages.method, *stages.controls.values())
        held.append(sum("value" in vars(stage) for each in methods for stage in each.responses.values()))
        held.append(sum(each() is not None for each in maps))
        return control_quality(stages, control)

    monkeypatch.setattr(computation, "border_metrics", watched_maps)
    monkeypatch.setattr(ExperimentStages, "control_quality", watched_control)
    run(tiny("method.controls=[raw_sobel,mean_brightness]"))
    assert len(maps) == 16
    assert held == [0, 0, 0, 0]
