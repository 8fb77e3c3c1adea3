"""Which images a method is scored on, where its detector and its threshold come from, and what they can promise."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from image_builders import image_set

from radar.config.schema import Config
from radar.experiment.artefact_store import ArtefactStore
from radar.experiment.context import Context
from radar.experiment.method_stages import MethodStages
from radar.experiment.session import OpenData
from radar.methods.method import FittedMethod, Method, Structure
from radar.model_card import card
from radar.progress import silent
from radar.scoring.border import Border
from radar.scoring.detector import fit_detector
from radar.scoring.reading import MapReading, NormReading

IMAGES = {"train": image_set(20, 0), "validation": image_set(9, 1), "test": image_set(4, 2)}
FOLDS = {identity: 0 for split in ("train", "validation") for identity in IMAGES[split].identities}


@dataclass
class NoSettings:
    """None."""


class FittedEnergy(FittedMethod):
    """Squared pixels, ten times as much without a fold."""

    factor = 1

    def respond(self, images: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        return self.factor * images.square()

    def without(self, fold: int) -> FittedEnergy:
        other = copy.copy(self)
        other.factor = 10
        return other


class Energy(Method[NoSettings]):
    name = "energy"
    Settings = NoSettings

    def fit(self, *_: object) -> FittedMethod:
        return self.empty({})

    def empty(self, structure: Structure) -> FittedMethod:
        return FittedEnergy(MapReading(Border(self.config.scoring.border), 0, "max", 1))


class CrossFittedEnergy(Energy):
    cross_fits = True

    def empty(self, structure: Structure) -> FittedMethod:
        fitted = super().empty(structure)
        fitted.folds = FOLDS
        return fitted


class Norms(Energy):
    one_score = False

    def empty(self, structure: Structure) -> FittedMethod:
        return FittedEnergy(NormReading.of(self.config.scoring))


@pytest.fixture
def stages(composed: Callable[..., Config], tmp_path: Path) -> Callable[..., MethodStages]:
    def of(kind: type[Method[Any]], *, border: str = "none", **detector: str) -> MethodStages:
        config = composed("contamination=c20", f"scoring.border.name={border}")
        config.scoring.border.width = 2
        config.detector.name, config.detector.fitted_on, config.detector.threshold_on = (
            "upper_tail",
            "train",
            "validation",
        )
        for key, value in detector.items():
            setattr(config.detector, key, value)
        data = OpenData(SimpleNamespace(), IMAGES)  # type: ignore[arg-type]
        context = Context(ArtefactStore(tmp_path), data, torch.device("cpu"), silent, lambda row: None)
        return MethodStages(kind(config), context)

    return of


Stages = Callable[..., MethodStages]


def test_the_threshold_is_the_conformal_quantile_of_held_out_scores(stages: Stages) -> None:
    made = stages(Energy)
    energy = np.sort(IMAGES["validation"].planes.whole.square().amax(dim=(1, 2, 3)).numpy())
    detector, threshold = made.detector
    held_out = np.sort(made.scores("validation").scores)
    assert threshold == held_out[math.ceil(10 * 0.8) - 1]
    np.testing.assert_array_equal(detector.score(energy[:, None].astype(float)), held_out)
    assert (made.scores("test").decisions == (made.scores("test").scores > threshold)).all()


def test_cross_fitted_normals_set_the_threshold_by_what_had_not_seen_them(stages: Stages) -> None:
    made = stages(CrossFittedEnergy, fitted_on="cross_fitted", threshold_on="cross_fitted")
    for split, factor in (("train", 10), ("validation", 10), ("test", 1)):
        expected = factor * IMAGES[split].planes.whole.square().amax(dim=(1, 2, 3))
        np.testing.assert_allclose(made.points[split].value[:, 0], expected, rtol=1e-6)
    everything = np.sort(np.concatenate([made.scores(split).scores for split in ("train", "validation")]))
    assert made.detector[1] == everything[math.ceil(30 * 0.8) - 1]


@pytest.mark.parametrize(
    ("kind", "detector", "splits", "sets"),
    [
        (Energy, {}, ("validation", "test"), ("validation", "validation")),
        (Energy, {"threshold_on": "train"}, ("train", "test"), ("train", "train")),
        (Energy, {"threshold": "shifted"}, ("train", "validation", "test"), ("train", "validation")),
        (Energy, {"threshold_on": "cross_fitted"}, ("train", "validation", "test"), ("cross_fitted", "cross_fitted")),
        (Norms, {}, ("train", "validation", "test"), ("train", "validation")),
        (Norms, {"fitted_on": "validation"}, ("train", "validation", "test"), ("validation", "validation")),
    ],
)
def test_only_what_is_needed_is_scored(
    stages: Stages, kind: type[Energy], detector: dict[str, str], splits: tuple[str, ...], sets: tuple[str, str]
) -> None:
    made = stages(kind, **detector)
    assert made.scored_splits == splits
    assert made.detector_sets == sets
    assert not made.context.store.made, "nothing is made before it is asked for"


@pytest.mark.parametrize("kind", [Energy, CrossFittedEnergy])
def test_the_border_is_learnt_from_normals_that_were_not_fitted_and_stored(stages: Stages, kind: type[Energy]) -> None:
    made = stages(kind, border="standardised")
    splits = ("validation",) if kind is Energy else ("train", "validation")
    energy = sum(IMAGES[split].planes.whole[:, 0].pow(4).sum(dim=0).double() for split in splits)
    inner, outer = energy[2:-2, 2:-2].mean(), energy[[0, -1]].sum() + energy[1:-1, [0, -1]].sum()
    found = made.fitted.value.reading.border.factors
    assert float(found[0]) == pytest.approx(float((inner / (outer / (4 * 23))).sqrt()), rel=1e-5)
    assert len(made.context.store.made) == 1
    again = stages(kind, border="standardised")
    assert torch.equal(again.fitted.value.reading.border.factors, found) and not again.context.store.made


def test_the_border_enters_the_keys_of_what_it_changes_alone(stages: Stages) -> None:
    keys: dict[str, dict[str, str]] = {}
    for border in ("none", "margin", "standardised"):
        made = stages(Norms, border=border)
        keys[border] = {name: stage.key.fingerprint for name, stage in made.stages()}
    for name, key in keys["none"].items():
        margin, standardised = keys["margin"][name], keys["standardised"][name]
        assert (margin == key) == (name == "fitted" or name.startswith("responses"))
        assert standardised not in (key, margin)


@pytest.mark.parametrize("name", ["isolation_forest", "upper_tail"])
def test_each_set_is_used_for_what_it_is_named_for(stages: Stages, name: str) -> None:
    made = stages(Norms, name=name)
    config, points = made.config, {split: made.points[split].value for split in ("train", "validation")}
    reference, threshold = fit_detector(
        points["train"],
        points["validation"],
        config=config.detector,
        contamination=config.contamination,
        seed=config.seed,
    )
    assert made.detector[1] == threshold
    np.testing.assert_array_equal(made.scores("test").scores, reference.score(made.points["test"].value))


@pytest.mark.parametrize(
    ("detector", "contamination", "unseen_by", "promised"),
    [
        ({}, 0.2, ("network", "densities", "detector"), 0.2),
        ({}, 0.1234, ("network", "densities", "detector"), 0.1234),
        ({}, 0.05, ("network", "densities", "detector"), 0.1),  # nine images tell one in ten
        ({"name": "isolation_forest"}, 0.2, ("network", "densities"), None),
        ({"threshold": "shifted"}, 0.2, ("network", "densities", "detector"), None),
        ({"threshold_on": "train"}, 0.0625, ("densities", "detector"), 0.0625),
        ({"border": "standardised"}, 0.2, ("network", "detector"), None),
        ({"fitted_on": "cross_fitted", "threshold_on": "cross_fitted"}, 0.2, ("densities", "detector"), 0.2),
    ],
    ids=["held-out", "as-set", "too-few", "forest", "shifted", "train", "border", "cross-fitted"],
)
def test_a_promise_is_made_where_it_can_be_kept_and_the_card_says_so(
    stages: Stages, detector: dict[str, str], contamination: float, unseen_by: tuple[str, ...], promised: float | None
) -> None:
    made = stages(CrossFittedEnergy, **detector)
    made.config.contamination.value = contamination
    calibration = made.calibration
    assert (calibration.unseen_by, calibration.false_alarms) == (unseen_by, promised)
    facts: dict[str, Any] = {"images": len(calibration.scores), "unseen_by": list(unseen_by), "false_alarms": promised}
    images = {
        "train": 24,
        "validation": 8,
        "groups": len(set(made.threshold_groups)),
        "normal": 7,
        "rejected": 1,
        "anomalous": 9,
        "found": 6,
    }
    versions = {"torch": "2", "numpy": "2"}
    text = card(
        made.config,
        {
            "radar": "1",
            "fingerprint": "f",
            "threshold": 1.5,
            "calibration": facts,
            "images": images,
            "versions": versions,
        },
    )
    assert "| learnt from | 24 normal images; 8 more were held out" in text
    assert "| tested on | 6 of 9 anomalous images found; 1 of 7 normal ones rejected |" in text
    assert f"from {len(calibration.scores)} normal images" in text
    assert ("No rate of false alarms is promised" in text) == (promised is None)
    guaranteed = promised is not None and "network" in unseen_by
    told = re.findall(r"at most ([0-9.]+)% ", text)
    assert told == ([] if promised is None else [f"{100 * promised:.6g}"])
    assert ("% are expected" in text) == guaranteed
    assert ("no guarantee" in text) == (promised is not None and not guaranteed)
    assert ("5% were asked for: so few cannot promise that." in text) == (contamination < (promised or 0))
    assert "| fitted threshold | 1.5 |" in text


def test_images_of_three_groups_promise_as_three(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stages(CrossFittedEnergy)
    sheets = [replace(sample, group=f"sheet {place // 3}") for place, sample in enumerate(IMAGES["validation"].samples)]
    monkeypatch.setitem(made.context.data.images, "validation", replace(IMAGES["validation"], samples=tuple(sheets)))
    made.config.contamination.value = 0.2
    assert len(set(made.threshold_groups)) == 3
    # the eighth of nine scores: one in nine lies above it, and of a new group they may all do
    assert made.calibration.false_alarms == pytest.approx((1 + 3 / 9) / 4)


@pytest.mark.parametrize("kind", [Energy, CrossFittedEnergy])
@pytest.mark.parametrize("shared", [False, True])
def test_crops_of_a_strip_of_which_others_were_learnt_promise_nothing(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, kind: type[Energy], *, shared: bool
) -> None:
    """As a random split of crops has them, which calls each by its own path."""
    made = stages(kind, **({"threshold_on": "cross_fitted"} if kind is CrossFittedEnergy else {}))
    for split in ("train", "validation"):
        strip = "strip" if shared else f"{split} {{}}"
        crops = [
            replace(sample, group=f"{strip.format(place)}.png#xywh={10 * place},{len(split)},10,10")
            for place, sample in enumerate(IMAGES[split].samples)
        ]
        monkeypatch.setitem(made.context.data.images, split, replace(IMAGES[split], samples=tuple(crops)))
    assert (made.calibration.false_alarms is None) == shared
    by_image = ("network", "detector") if kind is Energy else ("detector",)
    assert [part for part in made.calibration.unseen_by if part != "densities"] == list(by_image)
    assert ("densities" in made.calibration.unseen_by) != shared
    assert ("densities" in made.unseen_by("validation")) != shared


@pytest.mark.parametrize(
    ("kind", "detector", "train", "validation"),
    [
        (Energy, {}, ("detector",), ("network", "densities", "detector")),
        (CrossFittedEnergy, {}, ("densities", "detector"), ("network", "densities", "detector")),
        (Norms, {}, (), ("network", "densities", "detector")),
        (Norms, {"fitted_on": "validation"}, ("detector",), ("network", "densities")),
        (Energy, {"name": "isolation_forest"}, ("detector",), ("network", "densities")),
        (Energy, {"border": "standardised"}, ("detector",), ("network", "detector")),
        (CrossFittedEnergy, {"border": "standardised"}, ("detector",), ("network", "detector")),
        (Energy, {"border": "margin"}, ("detector",), ("network", "densities", "detector")),
    ],
    ids=["one-score", "cross-fitted", "norms", "norms-held-out", "forest", "border", "border-cross-fitted", "margin"],
)
def test_what_had_not_learnt_from_an_image_that_it_scores(
    stages: Stages,
    kind: type[Energy],
    detector: dict[str, str],
    train: tuple[str, ...],
    validation: tuple[str, ...],
) -> None:
    made = stages(kind, **detector)
    assert (made.unseen_by("train"), made.unseen_by("validation")) == (train, validation)
    assert made.unseen_by("test") == ("network", "densities", "detector")
