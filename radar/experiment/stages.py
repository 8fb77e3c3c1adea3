"""The stage graph of one experiment: its method's stages, those of its controls, and what is measured of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from functools import cached_property

from radar.config.plain import image_values
from radar.config.schema import Config
from radar.config.typed import extents
from radar.data.images import Images
from radar.data.sample import Split
from radar.data.split_manifests import known_groups
from radar.errors import ConfigError
from radar.evaluation.metrics import ControlQuality, NoiseMetrics, Quality
from radar.evaluation.pixel_metrics import PixelMetrics
from radar.evaluation.typed_sections import read_section
from radar.experiment.context import Context, digest
from radar.experiment.measures import Scored, data_measures, noise_hypothesis, pixel_metrics, quality
from radar.experiment.method_stages import MethodStages
from radar.experiment.stage import Stage, json_stage
from radar.files import Plain
from radar.methods.controls import SAME_UNTRAINED, control_of, controls
from radar.methods.registry import method_of
from radar.methods.relevance import unread_by
from radar.rasters import Size
from radar.runtime.entries import ONE_SIZE
from radar.scoring.border import border_problem, leaves_nothing


class ExperimentStages:
    """Everything that an experiment computes; nothing is made before it is asked for."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.context = context
        self.method = MethodStages(method_of(config), context)
        self.controls = {
            name: MethodStages(control, context, untrained=name == SAME_UNTRAINED)
            for name in controls(config)
            if (control := control_of(config, name)) is not None
        }

    def stages(self) -> Iterator[tuple[str, Stage[object]]]:
        """All of them, parents first, each with what to call it."""
        yield from self.method.stages()
        if self.config.evaluation.pixel:
            yield "pixel_metrics", self.pixel_metrics(self.method)
        if self.method.method.predicts_noise:
            yield "noise_statistics", self.noise_statistics
        yield "data_measures", self.data_measures
        for name, control in self.controls.items():
            for label, stage in control.stages():
                yield f"{name}: {label}", stage
            if self.config.evaluation.pixel:
                yield f"{name}: pixel_metrics", self.pixel_metrics(control)

    def quality(self, stages: MethodStages) -> Quality:
        """What the scores of a method or control are worth on the test images."""
        pixel = None
        if self.config.evaluation.pixel:
            pixel = read_section(PixelMetrics, self.pixel_metrics(stages).value, "pixel_metrics")
        return quality(self.scored(stages), pixel)

    def control_quality(self, control: MethodStages) -> ControlQuality:
        """That of a control, with the parts that it has; its maps are let go."""
        parts, measured = ", ".join(control.fitted.value.parts), self.quality(control)
        control.forget_maps()
        return ControlQuality(**vars(measured), parts=parts or None)

    def scored(self, stages: MethodStages, split: Split = "test") -> Scored:
        """The images of a split and what is known of them."""
        return Scored(self.context.data.images[split], stages.scores(split), stages.unseen_by(split))

    def pixel_metrics(self, stages: MethodStages) -> Stage[dict[str, Plain]]:
        """They do not depend on the detector."""
        dataset, limit = self.context.data.dataset, self.config.evaluation.aupro_limit
        inputs: dict[str, Plain] = {
            "keys": stages.read_values(stages.method.map_keys),
            "masks": {"hash": dataset.masks_hash, "layout": self.config.dataset.layout},
            "aupro_limit": limit,
        }
        parents: dict[str, Stage[object]] = {"responses": stages.responses["test"], "fitted": stages.fitted}
        images = self.context.data.images["test"]

        def make() -> dict[str, Plain]:
            return asdict(pixel_metrics(dataset, images, stages.maps("test").anomaly, limit))

        return json_stage(self.context.store, "pixel_metrics", inputs, parents, make)

    @cached_property
    def test_groups(self) -> list[str]:
        """Those of the test images that statistics resample."""
        dataset, images = self.config.dataset, self.context.data.images["test"]
        return known_groups(dataset.layout, dataset.category, images.identities, images.groups)

    @cached_property
    def noise_statistics(self) -> Stage[dict[str, Plain]]:
        """The noise hypothesis on predicted noise, normal against anomalous test images."""
        settings, seed, images = self.config.evaluation.noise, self.config.seed, self.context.data.images["test"]
        inputs: dict[str, Plain] = {
            "manifest": self.context.data.dataset.manifest_hash,
            "groups": digest(self.test_groups),
            "settings": asdict(settings),
            "seed": seed,
        }

        def make() -> dict[str, Plain]:
            noise = self.method.responses["test"].value
            return asdict(noise_hypothesis(noise, images, self.test_groups, settings, seed))

        parents = {"responses": self.method.responses["test"]}
        return json_stage(self.context.store, "noise_statistics", inputs, parents, make)

    def noise(self) -> NoiseMetrics | None:
        """None where the method predicts no noise."""
        if not self.method.method.predicts_noise:
            return None
        return read_section(NoiseMetrics, self.noise_statistics.value, "noise_statistics")

    @cached_property
    def data_measures(self) -> Stage[dict[str, Plain]]:
        """Of the data set itself: its content, masks included, and how images are read."""
        data = self.context.data
        inputs: dict[str, Plain] = {
            "content": data.dataset.content_hash,
            "layout": self.config.dataset.layout,  # which says what its masks mark
            "image": image_values(self.config.dataset.image),
            "brightness": "luma",
        }
        return json_stage(
            self.context.store,
            "data_measures",
            inputs,
            {},
            lambda: data_measures(data.dataset, data.images),
        )


def check_margins(config: Config, images: Iterable[Images]) -> None:
    """Regions of interest that a margin leaves nothing of. Raises `ConfigError`."""
    for each in images:
        for index, sample in enumerate(each.samples):
            inside = each.inside(index)
            if inside is not None and leaves_nothing(inside, config.scoring.border):
                raise ConfigError(
                    f"scoring.border.width={config.scoring.border.width}: leaves nothing of the region of interest of {sample.path}, "
                    f"in a picture of {inside.shape[1]} × {inside.shape[0]} px; lower it"
                )


def check_sizes(config: Config, sizes: Collection[Size]) -> None:
    """Sizes of pictures that only the files tell. Raises `ConfigError`."""
    height, width = min(sizes, key=min)
    for key, length in extents(config):
        if length > min(height, width) and unread_by(config, key) is None:
            raise ConfigError(f"{key}={length}: must be ≤ the images' sides, of which one has {width} × {height} px")
    if problem := border_problem(config.scoring.border, height, width, config.scoring.window):
        raise ConfigError(problem)
    if len(sizes) > 1 and method_of(config).needs_one_size:
        raise ConfigError(
            f"method={config.method.name}: takes images of one size, and there are {len(sizes)}; set dataset.image.aspect to one of "
            f"{', '.join(ONE_SIZE)}, and dataset.image.size"
        )
