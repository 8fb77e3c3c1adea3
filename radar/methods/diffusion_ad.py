"""DiffusionAD (arXiv 2303.08730): norm-guided one-step denoising, then a segmentation network that compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.config.fields import number, numbers, section
from radar.config.method_settings import ReductionConfig
from radar.diffusion.sampling import Predict, Step, clean_estimate, guided, levels_of
from radar.diffusion.schedule import NoiseSchedule, build_schedule
from radar.files import Plain
from radar.methods.method import FittedMethod, Material, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.denoising import DENOISER, denoiser, denoiser_keys, denoiser_training, untrained_network
from radar.methods.parts.reduced import ReducedMethod, shortened
from radar.methods.parts.synthetic_anomalies import plant
from radar.networks.segmentation import build_segmentation
from radar.progress import Report
from radar.scoring.denoiser import Denoiser
from radar.scoring.noise_draws import NoiseDraws, drawn
from radar.scoring.reading import MapReading
from radar.seeds import StepClock
from radar.training.objective import Forward

_SEGMENTATION = "segmentation"  # the name of its training
_FOCUS = 4.0  # γ of the focal loss
_FOCAL_WEIGHT = 0.5 * 5.0  # its α, for anomalous pixels and normal ones alike, and its weight beside the smooth L1 loss


@dataclass
class SegmentationConfig:
    """Norm-guided one-step denoising and a segmentation network."""

    channels: list[int] = numbers(minimum=1, maximum=16_384)  # width of each level
    near: list[int] = numbers(minimum=1, maximum=100_000)  # first and last timestep of the light noise in training
    far: list[int] = numbers(minimum=1, maximum=100_000)  # of the heavy noise
    score_near: int = number(minimum=1, maximum=100_000)  # timesteps at which images are scored
    score_far: int = number(minimum=1, maximum=100_000)
    anomalous: float = number(above=0.0, below=1.0)  # share of training crops with a synthetic anomaly
    max_steps: int = number(minimum=1, maximum=1_000_000_000)  # of the segmentation network's own training, at most


@dataclass
class DiffusionAdSettings:
    """Keys of `method=diffusion_ad`."""

    reduction: ReductionConfig = section(ReductionConfig)
    segmentation: SegmentationConfig = section(SegmentationConfig)


class FittedDiffusionAd(FittedMethod):
    """The probability of an anomaly at every pixel, by the segmentation network."""

    draws = NoiseDraws(2)  # light and heavy
    network_passes = 3  # twice the denoiser, once the segmentation network

    def __init__(
        self,
        settings: SegmentationConfig,
        reading: MapReading,
        network: Denoiser,
        channels: int,
        segmentation: nn.Module,
    ) -> None:
        super().__init__(reading)
        self.settings = settings
        self.denoiser = network
        self.channels = channels
        self.segmentation = segmentation

    def noise_shape(self, planes: int, height: int, width: int) -> tuple[int, int, int]:
        return self.channels, height, width

    def structure(self) -> dict[str, Plain]:
        return {"channels": self.channels}

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        clean, (light, heavy) = images[:, : self.channels], drawn(noise).unbind(dim=1)
        near, far, schedule = self.settings.score_near, self.settings.score_far, self.denoiser.schedule
        back = norm_guided(self.denoiser, schedule, clean, noise=(light, heavy), near=near, far=far)
        probability: Tensor = self.segmentation(torch.cat([clean, back], dim=1)).sigmoid()
        return probability


class DiffusionAdMethod(ReducedMethod[DiffusionAdSettings]):
    """Segmentation of what one-step denoising changes, learnt from synthetic anomalies."""

    name = "diffusion_ad"
    version = 2
    Settings = DiffusionAdSettings

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        return denoiser_keys(self.config)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        settings, last, key = self.settings.segmentation, self.config.diffusion.timesteps, "method.segmentation"
        if not settings.channels or min(settings.channels) < 1:
            yield f"{key}.channels={settings.channels}: needs the width of at least one level, each ≥ 1"
        for name, span in (("near", settings.near), ("far", settings.far)):
            if len(span) != 2 or not 1 <= span[0] <= span[1] <= last:
                yield f"{key}.{name}={span}: needs a first and a last step between 1 and {last}"
        for name, step in (("score_near", settings.score_near), ("score_far", settings.score_far)):
            if step > last:
                yield f"{key}.{name}={step}: must be ≤ diffusion.timesteps={last}"

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        config, settings = self.config, self.settings.segmentation
        channels = normals.train.network_planes.channels

        def material(networks: Networks) -> Material:
            objective = SegmentationObjective(networks[DENOISER], build_schedule(config.diffusion), settings)
            return Material(normals.train.network_planes, normals.validation.network_planes, objective)

        learnt = ("channels", "near", "far", "anomalous")
        segmentation = Training(
            _SEGMENTATION,
            lambda _: build_segmentation(2 * channels, settings.channels, config.seed),
            material,
            {key: value for key, value in asdict(settings).items() if key in learnt},
            config.patch,
            shortened(config.training, settings.max_steps),
            parents=(DENOISER,),
        )
        return denoiser_training(config, normals), segmentation

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        network, channels = denoiser(self.config, networks[DENOISER]), normals.train.network_planes.channels
        return self._fitted(network, channels, networks[_SEGMENTATION]).to(network.schedule.signal.device)

    def empty(self, structure: Structure) -> FittedMethod:
        config, channels = self.config, channels_of(structure, self.config)
        segmentation = build_segmentation(2 * channels, self.settings.segmentation.channels, config.seed)
        return self._fitted(denoiser(config, untrained_network(config, channels)), channels, segmentation)

    def _fitted(self, network: Denoiser, channels: int, segmentation: nn.Module) -> FittedMethod:
        return FittedDiffusionAd(self.settings.segmentation, self.reading, network, channels, segmentation)


class SegmentationObjective:
    """Teaches the segmentation network on crops with synthetic anomalies; the denoiser stays as it is. `Objective`."""

    training_mode = True
    compiles = False

    def __init__(self, network: nn.Module, schedule: NoiseSchedule, settings: SegmentationConfig) -> None:
        self.denoiser = network
        self.schedule = schedule
        self.settings = settings
        self.frozen: Sequence[nn.Module] = (network, schedule)

    def training_loss(self, network: Forward, crops: Tensor, clock: StepClock) -> Tensor:
        return self._loss(network, crops, clock.stream("training", clock.rank, clock.step))

    def validation_losses(self, network: Forward, crops: Tensor, clock: StepClock) -> Mapping[str, Tensor]:
        return {"validation_loss": self._loss(network, crops, clock.stream("validation", clock.batch))}

    def pair(self, crops: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images beside their reconstructions `(B, 2C, p, p)`, and masks; some of the images have an anomaly."""
        images, mask = plant(crops, self.settings.anomalous, stream)
        noise = (torch.empty_like(images).normal_(generator=stream), torch.empty_like(images).normal_(generator=stream))
        near, far = (_drawn_steps(span, len(images), stream) for span in (self.settings.near, self.settings.far))
        with torch.no_grad():
            back = norm_guided(self.denoiser, self.schedule, images, noise=noise, near=near, far=far)
        return torch.cat([images, back], dim=1), mask

    def _loss(self, network: Forward, crops: Tensor, stream: torch.Generator) -> Tensor:
        pair, mask = self.pair(crops, stream)
        return segmentation_loss(network(pair), mask)


def norm_guided(
    predict: Predict[Step],
    schedule: NoiseSchedule,
    image: Tensor,
    *,
    noise: tuple[Tensor, Tensor],
    near: Step,
    far: Step,
) -> Tensor:
    """x̂₀ `(B, C, H, W)` from light noise at step `near`, pulled to what heavy noise at `far` leaves of the image.

    The heavy noise hides anomalies and blurs; the light noise keeps detail and anomalies (arXiv 2303.08730, eqs. 7–9).
    """
    (near_signal, near_level), (far_signal, far_level) = (levels_of(schedule, step, image) for step in (near, far))
    light, heavy = near_signal * image + near_level * noise[0], far_signal * image + far_level * noise[1]
    rough = clean_estimate(heavy, predict(heavy, far), schedule, far).clamp(-1, 1)  # else large steps blow up its error
    predicted = guided(predict, rough, schedule=schedule, weight=1.0)(light, near)
    return clean_estimate(light, predicted, schedule, near).clamp(-1, 1)


def segmentation_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017) and smooth L1 loss of logits and masks `(B, 1, H, W)`; a scalar."""
    entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    focal = (1 - torch.exp(-entropy)) ** _FOCUS * entropy
    return _FOCAL_WEIGHT * focal.mean() + F.smooth_l1_loss(logits.sigmoid(), mask)


def _drawn_steps(span: list[int], count: int, stream: torch.Generator) -> Tensor:
    return torch.randint(span[0], span[1] + 1, (count,), generator=stream, device=stream.device)
