"""The schema of section `method`: which method scores, and each method's own keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from omegaconf import MISSING

from radar.config.fields import choice, number, section


@dataclass
class ReductionConfig:
    """From a method's map `(H, W)` to its pixel map and its image score; RADAR has features instead."""

    smoothing: float = number(minimum=0.0)  # σ in px of the map's smoothing
    statistic: str = choice("max", "mean", "top")  # of the smoothed map
    pixels: int = number(minimum=1)  # whose mean the statistic top is


@dataclass
class WindowsConfig:
    """Statistical models of square windows; keys that name a model are read by that one alone."""

    descriptor: str = choice("raw", "texture")  # the pixels, or moments, gradients and spectral bands
    size: int = number(minimum=3)  # side of a window in px
    stride: int = number(minimum=1)  # px between windows
    fitting_windows: int = number(minimum=2)  # most windows of training normals that are fitted, drawn by seed
    explained_variance: float = number(above=0.0, below=1.0)  # pca: share that the kept components explain
    statistic: str = choice("t2", "q", "both")  # pca: both is the larger of the two over their control limits
    confidence: float = number(above=0.0, below=1.0)  # pca: of the control limits
    trees: int = number(minimum=1)  # isolation_forest
    max_samples: int = number(minimum=2)  # isolation_forest: windows per tree
    neighbours: int = number(minimum=1)  # lof
    nu: float = number(above=0.0, maximum=1.0)  # one_class_svm: bound of the share outside


@dataclass
class SimplexConfig:
    """Octaves of simplex noise (AnoDDPM)."""

    wavelength: float = number(above=0.0)  # px per lattice cell of the first octave; each further one halves it
    octaves: int = number(minimum=1)
    persistence: float = number(above=0.0)  # amplitude of an octave over that of the one before


@dataclass
class AdaptationConfig:
    """Fine-tuning of features on reconstructions of normal images (DDAD)."""

    max_steps: int = number(minimum=0)  # at most; 0: features stay as they are
    pairs: int = number(minimum=2)  # training normals that are reconstructed, each towards another one
    guidance: float = number(minimum=0.0)  # w of those reconstructions
    distillation: float = number(minimum=0.0)  # λ of staying near the features as they were
    batch_size: int = number(minimum=1)  # pairs per step
    learning_rate: float = number(above=0.0)


@dataclass
class ReconstructionConfig:
    """Noise to an intermediate timestep and back (DDPM, AnoDDPM, DDAD)."""

    start: int = number(minimum=1)  # timestep the image is noised to: λ, T′
    steps: int = number(minimum=1)  # network passes on the way back; as many as `start` is the full reverse process
    eta: float = number(minimum=0.0, maximum=1.0)  # 1 ancestral sampling, 0 deterministic DDIM
    guidance: float = number(minimum=0.0)  # w: pull towards the image itself
    simplex: Optional[SimplexConfig] = MISSING  # noise of training and scoring; null: Gaussian
    features: str = choice("none", "unet", "efficientnet")  # whose distance is added to the pixels'
    pixel_weight: float = number(minimum=0.0)  # v, of the pixel distance beside the features'
    calibration_images: int = number(minimum=1)  # training normals that put both distances on one scale
    adaptation: AdaptationConfig = section(AdaptationConfig)  # of the features


@dataclass
class ResidualFieldConfig:
    """A Gaussian density of the one-step residual field (OSD-IRF)."""

    timestep: Optional[int] = number(minimum=1)  # at which residuals are taken; null: timestep.value
    neighbourhood: int = number(minimum=1)  # side in px of the square whose residuals are one vector, odd
    fitting_positions: int = number(minimum=2)  # most positions of training normals that are fitted, drawn by seed


@dataclass
class NoiseFieldConfig:
    """The noise map at one timestep, no noise being drawn, and the square around each of its pixels."""

    timestep: int = number(minimum=1)
    contrast: float = number(minimum=0.0)  # σ in px of the mean and spread that the map is brought to; 0: none
    blur: float = number(minimum=0.0)  # σ in px
    side: int = number(minimum=1)  # pixels per side of the square, odd
    spacing: int = number(minimum=1)  # px from one to the next


@dataclass
class AppearanceConfig:
    """Brightness around each pixel."""

    blurs: list[float] = MISSING  # σ in px, of the brightness
    contrasts: list[float] = MISSING  # σ in px, of its local variance


@dataclass
class ColourConfig:
    """Colour around each pixel; needs dataset.image.channels=luma_chroma."""

    blurs: list[float] = MISSING  # σ in px


@dataclass
class FusedDensitiesConfig:
    """Gaussians of noise, brightness and colour at every pixel, cross-fitted and fused. A part is left out where it is null."""

    energy: Optional[NoiseFieldConfig] = MISSING
    detail: Optional[NoiseFieldConfig] = MISSING
    context: Optional[NoiseFieldConfig] = MISSING
    appearance: Optional[AppearanceConfig] = MISSING
    colour: Optional[ColourConfig] = MISSING
    ridge: float = number(above=0.0)  # share of the mean variance added to each
    smoothing: float = number(minimum=0.0)  # σ in px, of each part before it is fused
    relative: float = number(
        minimum=0.0, maximum=1.0
    )  # 0: how unlikely a pixel is; 1: how much more than its image is as a whole; between: a geometric mean
    folds: int = number(minimum=2)  # most parts that the normals are split into, by group
    calibration_quantile: float = number(
        above=0.0, maximum=1.0
    )  # of normal images' scores, that all parts have in common
    power: float = number(minimum=1.0)  # of the norm over the parts: 1 sums up, a high one takes the largest


@dataclass
class InversionConfig:
    """Few DDIM steps towards the prior (InvAD)."""

    score: str = choice("likelihood", "deviation")  # the latent's energy, or how far it is from the prior's
    timesteps: list[int] = MISSING  # rising, visited one after the other
    window: int = number(minimum=1)  # side in px of the square over which the energy is averaged, odd


@dataclass
class FeatureSpaceConfig:
    """Pretrained features as the images of a method with a diffusion network (OSD-IRF, InvAD); needs the extra `pretrained`."""

    side: int = number(minimum=32)  # px that images are resized to
    blocks: list[int] = (
        MISSING  # EfficientNet-Lite0 blocks whose outputs are concatenated, at the first one's positions
    )
    dimensions: int = number(minimum=1)  # channels kept, drawn by seed
    crop: int = number(minimum=2)  # side in positions of what the network learns
    channels: list[int] = MISSING  # width of each level of the network
    max_steps: int = number(minimum=1)  # of its training, at most


@dataclass
class SegmentationConfig:
    """Norm-guided one-step denoising and a segmentation network (DiffusionAD)."""

    channels: list[int] = MISSING  # width of each level
    near: list[int] = MISSING  # first and last timestep of the light noise in training
    far: list[int] = MISSING  # of the heavy noise
    score_near: int = number(minimum=1)  # timesteps at which images are scored
    score_far: int = number(minimum=1)
    anomalous: float = number(above=0.0, below=1.0)  # share of training crops with a synthetic anomaly
    max_steps: int = number(minimum=1)  # of the segmentation network's own training, at most


@dataclass
class EmbeddingConfig:
    """Pretrained features (PatchCore, PaDiM); needs the extra `pretrained`."""

    side: int = number(minimum=32)  # px that images are resized to
    blocks: list[int] = MISSING  # EfficientNet-Lite0 blocks whose outputs are concatenated
    fitting_vectors: int = number(minimum=2)  # patchcore: most vectors that the coreset is chosen from, drawn by seed
    bank: int = number(minimum=1)  # patchcore: vectors kept
    dimensions: int = number(minimum=1)  # padim: channels kept, drawn by seed
    regularisation: float = number(above=0.0)  # padim: added to every covariance's diagonal


@dataclass
class HypersphereConfig:
    """One-class deep SVDD of square windows."""

    channels: list[int] = MISSING  # width of each level
    outputs: int = number(minimum=1)  # dimensions of the sphere
    stride: int = number(minimum=1)  # px between scored windows, of the training size
    max_steps: int = number(minimum=1)  # of its training, at most


@dataclass
class MethodConfig:
    """Which method scores; the controls run beside it on the same images. A section is null where its method is not used."""

    name: str = choice(
        "radar", "pca", "isolation_forest", "lof", "one_class_svm", "mahalanobis", "elliptic_envelope", "deep_svdd",
        "ddpm", "anoddpm", "ddad", "osd_irf", "fused_densities", "invad", "diffusion_ad", "patchcore", "padim",
    )  # fmt: skip
    controls: list[str] = MISSING  # of mean_brightness, raw_sobel, untrained
    reduction: Optional[ReductionConfig] = MISSING
    windows: Optional[WindowsConfig] = MISSING
    reconstruction: Optional[ReconstructionConfig] = MISSING
    residual_field: Optional[ResidualFieldConfig] = MISSING
    fused_densities: Optional[FusedDensitiesConfig] = MISSING
    inversion: Optional[InversionConfig] = MISSING
    feature_space: Optional[FeatureSpaceConfig] = MISSING
    segmentation: Optional[SegmentationConfig] = MISSING
    embedding: Optional[EmbeddingConfig] = MISSING
    hypersphere: Optional[HypersphereConfig] = MISSING
