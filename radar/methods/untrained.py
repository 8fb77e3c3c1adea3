"""Control: RADAR with the same network, untrained."""

from __future__ import annotations

import torch
from torch import nn

from radar.config.schema import Config
from radar.methods.method import FittedMethod, Networks, Normals, Training
from radar.methods.parts.denoising import DENOISER
from radar.methods.radar import RadarMethod
from radar.networks.build import build_unet
from radar.progress import Report
from radar.seeds import stream_seed
from radar.training.device import resolve_device


class UntrainedMethod(RadarMethod):
    """RADAR whose network has random weights everywhere: layers that training starts at zero would predict nothing."""

    name = "untrained"

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        return tuple(key for key in super().fitting_keys if key != "training")

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        return ()

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        network = random_network(self.config, normals.train.network_planes.shape[1])
        return super().fit(normals, {DENOISER: network.to(resolve_device(self.config.trainer))}, report)


def random_network(config: Config, channels: int) -> nn.Module:
    """The experiment's U-Net with random weights, of a stream of their own, in every layer."""
    network = build_unet(
        config.unet, patch_size=config.patch.size, image_channels=channels, seed=config.seed, stream="untrained"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "untrained", "zero layers"))
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d) and not layer.weight.any():
                layer.reset_parameters()
    return network
