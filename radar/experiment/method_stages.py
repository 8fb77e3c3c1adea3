"""The stages of one method on one data set: trainings → fitted method → responses → points → detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from radar.config.plain import image_values, plain, remove, selected
from radar.config.schema import Config
from radar.data.sample import SPLITS, Split
from radar.data.split_manifests import known_groups
from radar.evaluation.statistics_rates import promised_rate
from radar.experiment.context import Context, digest, identity, save_tensors
from radar.experiment.networks import WEIGHTS, trained_networks, training_stages, untrained_networks
from radar.experiment.stage import Stage, array_stage, raster_stage
from radar.files import Plain, read_json, write_json
from radar.methods.method import FittedMethod, Measured, Method, fill
from radar.methods.responses import GROWTH_IMAGES, learn_border, learn_growth, read, responses
from radar.model import UNSEEN, Calibration, Scores
from radar.rasters import Rasters
from radar.scoring.detector import Detector, fit_detector
from radar.scoring.forest import Floats
from radar.scoring.map_levels import map_tops

_STRUCTURE = "structure.json"
_PASSES = 64  # whose maps are held together
_ALL = "cross_fitted"  # normals: the training images, and then those held out


class MethodStages:
    """One method's stages; nothing is made before it is asked for. With `untrained` its trainings are left out."""

    def __init__(self, method: Method[Any], context: Context, *, untrained: bool = False) -> None:
        self.method = method
        self.config: Config = method.config
        self.context = context
        self.untrained = untrained
        trainings, device = method.trainings(context.data.normals), context.device
        self.trainings = {} if untrained else training_stages(method, trainings, context, self._common())
        self.networks = (
            untrained_networks(method, trainings, device)
            if untrained
            else trained_networks(method, self.trainings, device)
        )
        self.fitted = self._fitted()
        self.responses = {split: self._responses(split) for split in SPLITS}
        self._maps: dict[Split, Measured] = {}
        self.points = {split: self._points(split) for split in SPLITS}

    def stages(self) -> Iterator[tuple[str, Stage[object]]]:
        """All of them that a run asks for, parents first, each with what to call it."""
        for name, training in self.trainings.items():
            yield f"network, {name}", training
        yield "fitted", self.fitted
        for split in self.scored_splits:
            yield f"responses, {split}", self.responses[split]
            yield f"points, {split}", self.points[split]

    @property
    def scored_splits(self) -> tuple[Split, ...]:
        """What a run scores: of methods with one score, only what sets the threshold, and the test images."""
        fitted_on, threshold_on = self.detector_sets
        needed = {"test", *(split for name in (fitted_on, threshold_on) for split in splits_named(name))}
        return tuple(split for split in SPLITS if split in needed or not self.method.one_score)

    @property
    def detector_sets(self) -> tuple[str, str]:
        """Which normals fit the detector, and which set its threshold: one score alone needs none to be brought to one scale."""
        detector = self.config.detector
        alone = self.method.one_score and detector.threshold != "shifted"
        return detector.threshold_on if alone else detector.fitted_on, detector.threshold_on

    def read_values(self, keys: Sequence[str]) -> dict[str, Plain]:
        """The values of config keys that what is read of a response depends on; its last bits follow how many pass at once."""
        return selected(plain(self.config), (*keys, *self.method.border_keys, "scoring.images_per_pass"))

    def maps(self, split: Split) -> Measured:
        """Anomaly maps and points of a split, computed from its responses; those of training images are never held together."""
        if split not in self._maps:
            (self._maps[split],) = self._parts(split, len(self.responses[split].value))
        return self._maps[split]

    def _parts(self, split: Split, most: int) -> Iterator[Measured]:
        """Anomaly maps and points of a split, of `most` images at a time."""
        response, size = self.responses[split].value, self.config.scoring.images_per_pass
        for start in range(0, len(response), most):
            yield read(self.fitted.value, response.some(slice(start, start + most)), images_per_pass=size)

    def _read(self, split: Split) -> Iterator[Measured]:
        """Anomaly maps and points of a split, in parts where it is the training images'."""
        if split != "train":
            yield self.maps(split)
            return
        yield from self._parts(split, _PASSES * self.config.scoring.images_per_pass)
        self.responses[split].forget()

    def forget_maps(self) -> None:
        """Let go of responses and maps; whoever asks for them again has them read from the store, or computed again."""
        self._maps.clear()
        for stage in self.responses.values():
            stage.forget()

    @cached_property
    def detector(self) -> tuple[Detector, float]:
        """The detector, and its threshold."""
        fitted_on, threshold_on = (self._normal_points(name) for name in self.detector_sets)
        config = self.config
        return fit_detector(
            fitted_on, threshold_on, config=config.detector, contamination=config.contamination, seed=config.seed
        )

    @cached_property
    def calibration(self) -> Calibration:
        """The scores that the threshold comes from, and what they can promise."""
        name = self.detector_sets[1]
        scores, splits = self.detector[0].score(self._normal_points(name)), splits_named(name)
        unseen = tuple(part for part in UNSEEN if all(part in self.unseen_by(split) for split in splits))
        rate, detector = self.config.contamination.value, self.config.detector
        alike = {"densities", "detector"} <= set(unseen)  # else no score is like a new image's
        kept = alike and detector.name == "upper_tail" and detector.threshold == "quantile"
        tops = np.concatenate([map_tops(part.anomaly, part.inside) for split in splits for part in self._read(split)])
        promised = promised_rate(scores, self.threshold_groups, rate) if kept else None
        return Calibration(scores, tops, unseen, promised)

    @property
    def threshold_groups(self) -> list[str]:
        """Those of the normal images that set the threshold."""
        return self.groups_of(self.detector_sets[1])

    def groups_of(self, name: str) -> list[str]:
        """Of the normal images of the splits that `name` names, which belong together."""
        identities, groups = self._told_of(name)
        return known_groups(self.config.dataset.layout, self.config.dataset.category, identities, groups)

    def _told_of(self, name: str) -> tuple[list[str], list[str]]:
        """The identities and the groups of the normal images of the splits that `name` names, as their split kept them together."""
        chosen = [self.context.data.images[split] for split in splits_named(name)]
        return [each for some in chosen for each in some.identities], [each for some in chosen for each in some.groups]

    @cached_property
    def _learnt_apart(self) -> bool:
        """Whether the densities that score held-out normals had learnt from no image of their group, as no random split of crops of
        one part has it: cross-fitting leaves out what the split kept together, a held-out split itself."""
        own, known = self._told_of(_ALL)[1], self.groups_of(_ALL)
        if self.fitted.value.folds:
            return len(set(zip(own, known, strict=True))) == len(set(known))
        learnt = len(self.context.data.images["train"].groups)
        return set(known[:learnt]).isdisjoint(known[learnt:])

    def unseen_by(self, split: Split) -> tuple[str, ...]:
        """Those of `UNSEEN` that had not learnt from an image of the split when they scored it; densities, nor from one of its group.

        Cross-fitting leaves the image's group out of the densities, not out of the network. Where normals that nothing else was fitted
        on bring the border to one scale, what stands for the densities had learnt from them.
        """
        detector, fitted_on = self.config.detector, splits_named(self.detector_sets[0])
        # the scale that an upper tail brings one number to decides nothing
        as_it_is = self.method.one_score and detector.name == "upper_tail"
        left_out = (split == "validation" or bool(self.fitted.value.folds)) and self._learnt_apart
        held_out = {
            "network": split != "train",
            "densities": split == "test" or (left_out and not self.method.scales_by_held_out),
            "detector": as_it_is or split not in fitted_on,
        }
        return tuple(part for part in UNSEEN if held_out[part])

    def scores(self, split: Split) -> Scores:
        """What is known of the images of a split; of training images without their maps."""
        points = self.points[split].value
        measured = Measured((), torch.from_numpy(points), None) if split == "train" else self.maps(split)
        return Scores.of(measured, points, self.fitted.value.point_names, *self.detector)

    def _normal_points(self, name: str) -> Floats:
        return np.concatenate([self.points[split].value for split in splits_named(name)])

    def _common(self) -> dict[str, Plain]:
        trainer = asdict(self.config.trainer)
        return {
            "seed": self.config.seed if self.method.draws_numbers else None,
            "image": image_values(self.config.dataset.image),
            "device": self.context.device.type,
            "matmul_precision": trainer["matmul_precision"],
        }

    def _fitted(self) -> Stage[FittedMethod]:
        method, normals = self.method, self.context.data.normals
        config, own = self.config, selected(plain(self.config), ["method"])
        # what is learnt of the border follows how maps are read
        standardised = config.scoring.border.name == "standardised"
        border = (*method.map_keys, *method.border_keys) if standardised else ()
        read_later = [
            key for key in method.reading_keys if key not in method.fitting_keys and key.startswith("method.")
        ]
        for key in ("method.controls", *read_later):
            remove(own, key)
        fitting = [key for key in method.fitting_keys if not self.untrained or key.partition(".")[0] != "training"]
        inputs = {
            **self._common(),
            **({"networks": "untrained"} if self.untrained else {}),
            "method": own,
            "method_version": method.code_version,
            "keys": selected(plain(config), (*fitting, *border)),
            "normals": [identity(images) for images in normals.sets],
            "groups": digest([group for images in normals.sets for group in images.groups]),
            **({"growth_images": GROWTH_IMAGES} if method.levels_areas else {}),
        }

        def make(part: Path) -> None:
            report, size = self.context.report, config.scoring.images_per_pass
            fitted = method.fit(normals, self.networks, report)
            learn_border(fitted, normals, seed=config.seed, images_per_pass=size, report=report)
            if method.levels_areas:
                learn_growth(fitted, normals, seed=config.seed, images_per_pass=size, report=report)
            save_tensors(part / WEIGHTS, fitted.state_dict())
            write_json(part / _STRUCTURE, fitted.structure())

        def load(folder: Path) -> FittedMethod:
            fitted = method.empty(read_json(folder / _STRUCTURE, "it is made again"))
            fill(fitted, load_file(folder / WEIGHTS))
            return fitted.to(self.context.device).eval().requires_grad_(False)

        return Stage(self.context.store, "fitted", inputs, self.trainings, make=make, load=load)

    def _responses(self, split: Split) -> Stage[Rasters]:
        images, config = self.context.data.images[split], self.config

        def make() -> Rasters:
            return responses(
                self.fitted.value,
                images.planes,
                images.identities,
                seed=config.seed,
                images_per_pass=config.scoring.images_per_pass,
                report=self.context.report,
                held_out=split != "test",
            )

        inputs: dict[str, Plain] = {"images": identity(images), "images_per_pass": config.scoring.images_per_pass}
        return raster_stage(self.context.store, "responses", inputs, {"fitted": self.fitted}, make)

    def _points(self, split: Split) -> Stage[Floats]:
        def make() -> Floats:
            return torch.cat([part.points for part in self._read(split)]).numpy()

        parents = {"responses": self.responses[split], "fitted": self.fitted}
        keys = self.read_values(self.method.point_keys)
        return array_stage(self.context.store, "points", {"keys": keys}, parents, make)


def splits_named(name: str) -> tuple[Split, ...]:
    """The splits that `detector.fitted_on` or `detector.threshold_on` names; `cross_fitted` is all normals."""
    splits: dict[str, tuple[Split, ...]] = {"train": ("train",), "validation": ("validation",)}
    return splits.get(name, ("train", "validation"))
