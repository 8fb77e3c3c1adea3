"""Methods without reconstruction on a grid of pretrained features instead of pixels, as OSD-IRF and InvAD are published."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from radar.config.schema import Config, TrainingConfig
from radar.diffusion.objective import DiffusionObjective
from radar.methods.interface import ImageSet, Inputs, Normals, Recall
from radar.methods.inversion import InversionMethod
from radar.methods.peer import Fit, MapOne, PeerMethod, fitted_on, section, section_but, shortened, trainer_section
from radar.methods.residual_field import ResidualFieldMethod
from radar.networks.build import NoisePredictor, build_unet
from radar.networks.cost import parameter_count
from radar.networks.efficientnet import EfficientNetFeatures, locally_aware
from radar.progress import Report
from radar.seeds import generator


class FeatureGrid:
    """Images `(1, C, H, W)` → some of the channels of their features `(1, F, h, w)`, of mean 0 and variance 1 on normal images.

    At every position, since those at the border see less of an image and have other features for it. Grids are mirrored beyond
    their border by `margin` positions: there, too, a denoiser then has neighbours to tell noise by.
    """

    def __init__(self, network: EfficientNetFeatures, channels: Tensor, margin: int) -> None:
        self.network = network
        self.channels = channels
        self.margin = margin
        self.mean, self.spread = torch.zeros(()), torch.ones(())

    def standardised_on(self, images: Tensor) -> Tensor:
        """Take mean and variance from `images` `(N, C, H, W)`; returns their grids `(N, F, h, w)`."""
        raw = torch.cat([self(image) for image in torch.split(images, 1)])
        self.mean = raw.mean(dim=0, keepdim=True)
        self.spread = raw.std(dim=0, keepdim=True).clamp(min=torch.finfo(raw.dtype).tiny)
        return (raw - self.mean) / self.spread

    def inside(self, maps: Tensor) -> Tensor:
        """Maps `(1, 1, h, w)` of a grid, without what lies in its margin."""
        return maps[..., self.margin : maps.shape[-2] - self.margin, self.margin : maps.shape[-1] - self.margin]

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        found = locally_aware(self.network(image)).cpu()[:, self.channels]
        found = F.pad(found, [self.margin] * 4, mode="reflect")
        return (found - self.mean) / self.spread


class FeatureSpaceMethod(PeerMethod):
    """Another method with a diffusion network, fitted to grids of features; its network is one that has learnt those."""

    def __init__(
        self,
        config: Config,
        recall: Recall,
        kind: type[ResidualFieldMethod | InversionMethod],
        fit: Fit,
        device: torch.device,
    ) -> None:
        super().__init__(config, recall)
        assert config.method.feature_space is not None
        self.settings = config.method.feature_space
        self.fit_network = fit
        self.device = device
        self.inner = kind(on_the_grid(config), recall, self._trained, {})
        if isinstance(self.inner, ResidualFieldMethod):
            self.inner.margin = self.margin
        self._inside: Normals | None = None  # the normals as grids, while the inner method is fitted

    @property
    def margin(self) -> int:
        """Positions by which grids are mirrored beyond their border."""
        return self.settings.crop // 2

    @property
    def network_passes(self) -> int:
        return 1 + self.inner.network_passes

    def own_parameters(self, image_channels: int) -> int:
        pretrained = self._pretrained()
        return parameter_count(pretrained) + parameter_count(self._unet(len(self._channels(pretrained))))

    def inputs(self, normal: Normals) -> Inputs:
        return {
            **fitted_on(normal),
            **self._learnt(),
            "training": section(self._training),
            "trainer": trainer_section(self.config.trainer),
            "on_grid": self.inner.inputs(normal),
        }

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        pretrained = self._pretrained().to(self.device)
        grid = FeatureGrid(pretrained, self._channels(pretrained), self.margin)
        report(0, 1, f"Fitting ({self.name})")
        train = grid.standardised_on(normal.train.images)
        validation = torch.cat([grid(image) for image in torch.split(normal.validation.images, 1)])
        names = normal.train.identities, normal.validation.identities
        self._inside = Normals(ImageSet(train, names[0]), ImageSet(validation, names[1]))
        one = self.inner.fit_one(self._inside, report)
        self._inside = None

        def upsampled(image: Tensor, identity: str) -> Tensor:
            coarse = grid.inside(one(grid(image), identity))
            return F.interpolate(coarse, size=image.shape[-2:], mode="bilinear").to(image.device)

        return upsampled

    def _pretrained(self) -> EfficientNetFeatures:
        return EfficientNetFeatures(blocks=self.settings.blocks, side=self.settings.side)

    def _channels(self, pretrained: EfficientNetFeatures) -> Tensor:
        stream = generator("cpu", self.config.seed, "method", "channels")
        return torch.randperm(pretrained.channels, generator=stream)[: self.settings.dimensions]

    def _unet(self, channels: int) -> NoisePredictor:
        config = self.inner.config
        return build_unet(config.unet, patch_size=config.patch.size, image_channels=channels, seed=config.seed)

    @property
    def _training(self) -> TrainingConfig:
        return shortened(self.config.training, self.settings.max_steps)

    def _learnt(self) -> Inputs:
        """What the network depends on beside its training and the normals, whichever method asks it."""
        return {
            "feature_space": section_but(self.settings, "max_steps"),
            "unet": section(self.inner.config.unet),
            "diffusion": section(self.config.diffusion),
        }

    def _trained(self, train: Tensor, validation: Tensor, report: Report) -> NoisePredictor:
        assert self._inside is not None
        return self.fit_network(  # type: ignore[return-value]
            self._unet(train.shape[1]),
            DiffusionObjective(self.config.diffusion, simplex=None),
            inputs=self._learnt(),
            training=self._training,
            patch=self.inner.config.patch,
            normal=self._inside,
            report=report,
        )


def on_the_grid(config: Config) -> Config:
    """The experiment as a method sees it that takes grids for images."""
    settings = config.method.feature_space
    assert settings is not None
    unet = replace(config.unet, kind="compact", fold=1, channels=settings.channels, attention_levels=[])
    # features of a mirrored image are not the mirrored features
    patch = replace(config.patch, size=settings.crop, flips=False, rotations=False)
    return replace(config, unet=unet, patch=patch, scoring=replace(config.scoring, field="whole"))
