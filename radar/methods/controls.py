"""Controls: what the same features, detector and metrics make of images without a trained network.

A detector's worth is its gain over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn

from radar.config.schema import Config
from radar.methods.interface import Inputs, MapMethod, Normals, Recall
from radar.methods.radar import RadarMethod
from radar.networks.build import NoisePredictor, build_unet
from radar.progress import Report
from radar.scoring.scorer import Mapper
from radar.seeds import stream_seed


class MeanBrightness(MapMethod):
    """Deviation of every pixel from the mean brightness of the training normals, blurred, without edges."""

    name = "mean_brightness"

    def __init__(self, config: Config, recall: Recall) -> None:
        super().__init__(replace(config, scoring=replace(config.scoring, edge="none")), recall)

    def fit_map(self, normal: Normals, report: Report) -> Mapper:
        mean = normal.train.images.mean(dim=(0, 2, 3), keepdim=True)

        def deviation(images: Tensor, identities: Sequence[str]) -> Tensor:
            return images - mean

        return deviation

    def map_inputs(self, normal: Normals) -> Inputs:
        return {"control": self.name, "mean_of": list(normal.train.identities)}


class RawSobel(MapMethod):
    """Blur and Sobel on the image itself."""

    name = "raw_sobel"

    def __init__(self, config: Config, recall: Recall) -> None:
        super().__init__(replace(config, scoring=replace(config.scoring, edge="sobel")), recall)

    def fit_map(self, normal: Normals, report: Report) -> Mapper:
        def identity(images: Tensor, identities: Sequence[str]) -> Tensor:
            return images

        return identity

    def map_inputs(self, normal: Normals) -> Inputs:
        return {"control": self.name}


def untrained_unet(config: Config, image_channels: int) -> NoisePredictor:
    """The experiment's U-Net with random weights everywhere: layers that training starts at zero would predict nothing."""
    unet = build_unet(
        config.unet,
        patch_size=config.patch.size,
        image_channels=image_channels,
        seed=config.seed,
        stream="untrained",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "untrained", "zero layers"))
        for layer in unet.modules():
            if isinstance(layer, nn.Conv2d) and not layer.weight.any():
                layer.reset_parameters()
    return unet


class Untrained(RadarMethod):
    """RADAR without training."""

    name = "untrained"

    def __init__(self, config: Config, recall: Recall, device: torch.device) -> None:
        inputs = {
            "control": self.name,
            "unet": asdict(config.unet),
            "patch_size": config.patch.size,
            "seed": config.seed,
        }
        super().__init__(config, recall, lambda train, *_: untrained_unet(config, train.shape[1]).to(device), inputs)


def build_control(name: str, config: Config, recall: Recall, device: torch.device) -> MapMethod:
    """The control that `name` names; a network, where it has one, lies on `device`."""
    if name == "untrained":
        return Untrained(config, recall, device)
    return {"mean_brightness": MeanBrightness, "raw_sobel": RawSobel}[name](config, recall)
