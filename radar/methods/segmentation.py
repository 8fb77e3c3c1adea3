"""DiffusionAD (arXiv 2303.08730): norm-guided one-step denoising, then a segmentation network that compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.config.method_sections import SegmentationConfig
from radar.config.schema import Config, TrainingConfig
from radar.diffusion.sampling import clean_estimate
from radar.diffusion.schedule import SCHEDULE_KEYS, NoiseSchedule
from radar.methods.denoiser import Denoiser, DenoiserMethod
from radar.methods.interface import Inputs, Normals, Recall
from radar.methods.peer import Fit, MapOne, fitted_on, section, section_but, shortened
from radar.methods.radar import Train
from radar.methods.synthetic_anomalies import plant
from radar.networks.cost import parameter_count
from radar.networks.layers import PositionNorm
from radar.progress import Report
from radar.seeds import StepClock, stream_seed
from radar.training.objective import Forward, Objective

PredictAt = Callable[[Tensor, Tensor], Tensor]
"""x_t `(B, C, H, W)` and timesteps `(B,)` → predicted noise."""
_FOCUS = 2.0  # γ of the focal loss
_FOCAL_WEIGHT = 5.0  # beside the smooth L1 loss


def norm_guided(
    predict: PredictAt,
    schedule: NoiseSchedule,
    image: Tensor,
    *,
    noise: tuple[Tensor, Tensor],
    near: Tensor,
    far: Tensor,
) -> Tensor:
    """x̂₀ `(B, C, H, W)` from light noise at steps `near` `(B,)`, pulled to what heavy noise at `far` leaves of the image.

    The heavy noise hides anomalies and blurs; the light noise keeps detail and anomalies (arXiv 2303.08730, eqs. 7–9).
    """
    light, heavy = schedule(image, noise[0], near), schedule(image, noise[1], far)
    rough = clean_estimate(heavy, predict(heavy, far), schedule, far).clamp(-1, 1)  # else large steps blow up its error
    predicted = predict(light, near)
    _, level = schedule.levels(near, light)
    guided = predicted - level * (schedule(rough, predicted, near) - light)
    return clean_estimate(light, guided, schedule, near).clamp(-1, 1)


class SegmentationNetwork(nn.Module):
    """Image and reconstruction `(B, 2C, H, W)` → logits `(B, 1, H, W)`. Norms are taken per position: any size will do."""

    def __init__(self, inputs: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(inputs, channels[0], 3, padding=1)
        self.down = nn.ModuleList(_block(width) for width in channels)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels))
        self.grow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(channels))
        self.up = nn.ModuleList(_block(width) for width in channels[:-1])
        self.head = nn.Conv2d(channels[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down[0](self.stem(x))
        skips = []
        for shrink, block in zip(self.shrink, self.down[1:], strict=True):
            skips.append(x)
            x = block(shrink(x))
        for grow, block in zip(reversed(self.grow), reversed(self.up), strict=True):
            skip = skips.pop()
            x = block(F.interpolate(grow(x), size=skip.shape[-2:], mode="nearest") + skip)
        logits: Tensor = self.head(x)
        return logits


def _block(width: int) -> nn.Sequential:
    layers = (PositionNorm(), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
    return nn.Sequential(*layers, PositionNorm(), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))


def segmentation_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017) and smooth L1 loss of logits and masks `(B, 1, H, W)`; a scalar."""
    entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    focal = (1 - torch.exp(-entropy)) ** _FOCUS * entropy
    return _FOCAL_WEIGHT * focal.mean() + F.smooth_l1_loss(logits.sigmoid(), mask)


class SegmentationObjective(Objective):
    """Teaches the segmentation network on crops with synthetic anomalies; the denoiser stays as it is."""

    def __init__(self, settings: SegmentationConfig, *, schedule: NoiseSchedule, denoiser: nn.Module) -> None:
        self.settings = settings
        self.schedule = schedule
        self.denoiser = denoiser
        self.frozen = (schedule, denoiser)

    def pair(self, crops: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images beside their reconstructions `(B, 2C, p, p)`, and masks; some of the images have an anomaly."""
        images, mask = plant(crops, self.settings.anomalous, stream)
        noise = (torch.empty_like(images).normal_(generator=stream), torch.empty_like(images).normal_(generator=stream))
        near, far = (self._steps(span, len(images), stream) for span in (self.settings.near, self.settings.far))
        with torch.no_grad():
            back = norm_guided(self.denoiser, self.schedule, images, noise=noise, near=near, far=far)
        return torch.cat([images, back], dim=1), mask

    def _steps(self, span: list[int], count: int, stream: torch.Generator) -> Tensor:
        return torch.randint(span[0], span[1] + 1, (count,), generator=stream, device=stream.device)

    def training_loss(self, network: Forward, crops: Tensor, clock: StepClock) -> Tensor:
        return self._loss(network, crops, clock.stream("training", clock.rank, clock.step))

    def validation_losses(self, network: Forward, crops: Tensor, clock: StepClock) -> dict[str, Tensor]:
        return {"validation_loss": self._loss(network, crops, clock.stream("validation", clock.batch))}

    def _loss(self, network: Forward, crops: Tensor, stream: torch.Generator) -> Tensor:
        pair, mask = self.pair(crops, stream)
        return segmentation_loss(network(pair), mask)


class SegmentationMethod(DenoiserMethod):
    """The probability of an anomaly at every pixel, by the segmentation network."""

    def __init__(self, config: Config, recall: Recall, train: Train, identity: Inputs, fit: Fit) -> None:
        super().__init__(config, recall, train, identity)
        assert config.method.segmentation is not None
        self.settings = config.method.segmentation
        self.fit_network = fit

    @property
    def network_passes(self) -> int:
        return 3  # twice the denoiser, once the segmentation network

    def own_parameters(self, image_channels: int) -> int:
        return parameter_count(self._network(image_channels))

    def _network(self, image_channels: int) -> SegmentationNetwork:
        return SegmentationNetwork(2 * image_channels, self.settings.channels)

    def inputs(self, normal: Normals) -> Inputs:
        return {
            **self.network_inputs(),
            **fitted_on(normal),
            "segmentation": section_but(self.settings, "max_steps"),
        } | {
            "patch": section(self.config.patch),
            "training": section(self._training),
        }

    @property
    def _training(self) -> TrainingConfig:
        return shortened(self.config.training, self.settings.max_steps)

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        denoiser = self.denoiser(normal, report)
        network = self._segmenter(denoiser, normal, report)
        near, far = (
            torch.tensor([step], device=denoiser.device) for step in (self.settings.score_near, self.settings.score_far)
        )

        def probability(image: Tensor, identity: str) -> Tensor:
            clean = image.to(denoiser.device)
            noise = (denoiser.draw(clean, identity, 0), denoiser.draw(clean, identity, 1))
            predict = lambda noisy, step: denoiser.predict(noisy, int(step))  # noqa: E731
            back = norm_guided(predict, denoiser.schedule, clean, noise=noise, near=near, far=far)
            result: Tensor = network(torch.cat([clean, back], dim=1)).sigmoid().to(image.device)
            return result

        return probability

    def _segmenter(self, denoiser: Denoiser, normal: Normals, report: Report) -> nn.Module:
        config, settings = self.config, self.settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(config.seed, "method", "segmentation"))
            network = self._network(normal.train.images.shape[1])
        diffusion = section(config.diffusion)
        return self.fit_network(
            network,
            SegmentationObjective(settings, schedule=denoiser.schedule, denoiser=denoiser.network),
            inputs={
                "method": self.name,
                "segmentation": section_but(settings, "score_near", "score_far", "max_steps"),
                "denoiser": self.identity,
                "schedule": {key: diffusion[key] for key in SCHEDULE_KEYS},
            },
            training=self._training,
            patch=config.patch,
            normal=normal,
            report=report,
        )
