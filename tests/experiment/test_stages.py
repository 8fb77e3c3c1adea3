"""Which change makes which stage again: counted, not assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from radar.experiment.workshop import Workshop
from tests_tiny import TINY

from radar.config.schema import Config
from radar.experiment import fingerprint
from radar.experiment.run import Experiment, Outcome, run_experiment
from radar.progress import silent
from radar.report.companion import RunCompanion

Tiny = Callable[..., Config]


def run(config: Config, workshop: Workshop) -> Outcome:
    return run_experiment(Experiment(config, silent, workshop), companion=RunCompanion(None))


def made(workshop: Workshop, config: Config) -> Counter[str]:
    """Stages that were made since the last call."""
    store = workshop.store(config)
    counted = Counter(key.stage for key in store.made)
    store.made.clear()
    return counted


# of RADAR and of raw_sobel, in three splits; noise statistics are of RADAR alone, data measures of no method
FIRST = {"network": 1, "noise_maps": 6, "features": 6, "pixel_metrics": 2, "noise_statistics": 1, "data_measures": 1}
WHOLE = {"noise_statistics": 1, "data_measures": 1}  # read labels, groups and masks of all splits' manifest


@pytest.mark.parametrize(
    ("override", "again"),
    [
        ("contamination=c20", {}),
        ("detector=isolation_forest", {}),
        ("detector.trees=7", {}),
        ("evaluation.panels=1", {}),
        ("tags=[other]", {}),
        ("name=other", {}),
        ("trainer.workers=1", {}),
        ("evaluation.aupro_limit=0.2", {"pixel_metrics": 2}),
        ("evaluation.noise.bins=8", {"noise_statistics": 1}),
        ("scoring.smoothing=1.0", {"pixel_metrics": 2}),
        ("scoring.window=7", {"features": 6}),
        ("scoring.blur.sigma=2.0", {"features": 6, "pixel_metrics": 2}),
        ("timestep=t50", {"noise_maps": 3, "features": 3, "pixel_metrics": 1, "noise_statistics": 1}),
        ("scoring.stride=14", {"noise_maps": 3, "features": 3, "pixel_metrics": 1, "noise_statistics": 1}),
        ("seed=1", {"network": 1, "noise_maps": 3, "features": 3, "pixel_metrics": 1, "noise_statistics": 1}),
        (
            "training.max_steps=8",
            {"network": 1, "noise_maps": 3, "features": 3, "pixel_metrics": 1, "noise_statistics": 1},
        ),
        (
            "unet.embedding=16",
            {"network": 1, "noise_maps": 3, "features": 3, "pixel_metrics": 1, "noise_statistics": 1},
        ),
        ("dataset.image.resize=box", {"network": 1, **{stage: FIRST[stage] for stage in list(FIRST)[1:]}}),
    ],
)
def test_a_change_makes_again_what_reads_it_and_nothing_else(tiny: Tiny, override: str, again: dict[str, int]) -> None:
    workshop = Workshop(afresh=None)
    run(tiny(), workshop)
    assert made(workshop, tiny()) == FIRST
    changed = tiny(override)
    run(changed, workshop)
    assert made(workshop, changed) == again


def test_a_density_is_fitted_once_for_what_it_reads(tiny: Tiny) -> None:
    workshop, density = Workshop(afresh=None), ("scoring=density", "scoring.field=stitched", "scoring.stride=7")
    run(tiny(), workshop)
    made(workshop, tiny())
    new = {"density": 1, "noise_maps": 3, "features": 3, "pixel_metrics": 1, "noise_statistics": 1}
    for override, again in (
        ("seed=0", new),
        ("scoring.density.blurs=[0]", new),
        ("scoring.density.timesteps=[3]", new),
        ("timestep=t50", {}),
        ("contamination=c20", {}),
    ):
        changed = tiny(*density, override)
        run(changed, workshop)
        assert {stage: count for stage, count in made(workshop, changed).items() if stage in new} == again, override


def test_shared_stages_give_the_bits_of_stages_made_alone(tiny: Tiny, tmp_path: Path) -> None:
    workshop = Workshop(afresh=None)
    for number, override in enumerate(("seed=0", "timestep=t50", "contamination=c20")):
        shared = run(tiny(override), workshop).directory
        alone = run(tiny(override, f"output_root={tmp_path / str(number)}"), Workshop(afresh=None)).directory
        assert (shared / "scores.csv").read_bytes() == (alone / "scores.csv").read_bytes()


def test_a_new_version_makes_a_stage_and_what_follows_it_again(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tiny(), Workshop(afresh=None))
    monkeypatch.setitem(fingerprint.VERSIONS, "noise_maps", 99)
    later = Workshop(afresh=None)
    run(tiny(), later)
    assert made(later, tiny()) == {"noise_maps": 6, "features": 6, "pixel_metrics": 2, "noise_statistics": 1}


def test_force_makes_every_stage_again_once_for_a_whole_sweep(tiny: Tiny) -> None:
    for override in ("contamination=c05", "contamination=c20"):
        run(tiny(override), Workshop(afresh=None))
    forced = Workshop(afresh="again")
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
            {"network": 1, "noise_maps": 4, "features": 4, **WHOLE},
        ),  # three of RADAR, and that split of raw_sobel
        ("validation", {"network": 1, "noise_maps": 4, "features": 4, **WHOLE}),
        ("test", {"noise_maps": 2, "features": 2, **WHOLE}),
    ],
)
def test_one_byte_of_one_image_makes_again_exactly_what_reads_it(
    composed: Tiny, tmp_path: Path, split: str, again: dict[str, int]
) -> None:
    root = parts(tmp_path / "parts")
    own = [item for item in TINY if "synthetic" not in item]
    manifest = tmp_path / "split.csv"
    config = composed("dataset=folder", f"dataset.root={root}", *own, "evaluation.pixel=false")
    workshop = Workshop(afresh=None)
    first = Experiment(config, silent, workshop)
    manifest.write_text((run(config, workshop).directory / "manifest.csv").read_text())
    made(workshop, config)
    chosen = root / first.dataset.split(split)[0].path  # type: ignore[arg-type]
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
    later = Workshop(afresh=None)
    run(changed, later)
    assert made(later, changed) == again
