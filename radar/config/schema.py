"""The typed schema of an experiment: every key, its unit and its range. Values live in `conf/` alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from omegaconf import MISSING

from radar.config.fields import choice as _choice
from radar.config.fields import extent as _extent
from radar.config.fields import number as _number
from radar.config.fields import numbers as _numbers
from radar.config.fields import section as _section
from radar.config.fields import seed as _seed
from radar.config.fields import sigma as _sigma
from radar.config.fields import sigmas as _sigmas
from radar.runtime.entries import ASPECTS, RESOLUTION
from radar.runtime.region_of_interest import KINDS


@dataclass
class RegionConfig:
    """The part of an image that counts: outside it nothing is learnt and nothing is scored. Keys of other kinds are null."""

    name: str = _choice(*KINDS)
    polygons: Any = None  # lists of corners [x, y] in shares of the image's width and height; inside any is inside
    mask: Optional[str] = None  # path of a file in which all but black is inside; once it is read, what it marks
    tolerance: Optional[float] = _number(above=0.0, maximum=1000.0)
    # robust deviations of a side's own pixels within which a pixel is of its background; name found alone
    thinnest: Optional[int] = _number(minimum=1, maximum=1023)
    # px of the picture, odd: background that is thinner is none; name found alone
    inset: Optional[int] = _number(minimum=0, maximum=1024)
    # px of the picture: so far the region keeps from the background; name found alone


@dataclass
class WorkingSizeConfig:
    """To which size pictures are brought because of their texture, as training normals have it; none is made larger."""

    correlation_length: float = _number(minimum=0.5, maximum=50.0)  # px of the picture
    least_size: int = _number(
        minimum=8, maximum=16_384
    )  # px of the shorter side of any training normal, or of a region as some of them have it


@dataclass
class ImageConfig:
    """How a file becomes a tensor."""

    channels: str = _choice(
        "grey", "rgb", "luma_chroma"
    )  # luma_chroma: networks see the luma, method fused_densities colour too
    size: Optional[int] = _number(
        minimum=8, maximum=16_384
    )  # px of the side that `aspect` names; null: as the files are
    width: Optional[int] = _number(minimum=8, maximum=16_384)  # px, of a rectangle `size` px high; null: a square
    aspect: str = _choice(
        *ASPECTS
    )  # stretch, crop, pad: all of one size; short, long: the side that has `size`, nothing squeezed
    resolution: Optional[float] = _number(**RESOLUTION)  # px per mm, in place of `size`
    file_resolution: Optional[float] = _number(**RESOLUTION)  # px per mm of the files
    resize: str = _choice("nearest", "bilinear", "bicubic", "lanczos", "box")
    region_of_interest: Optional[RegionConfig] = (
        None  # null, as in whatever is older than the key: the whole image counts
    )
    working_size: Optional[WorkingSizeConfig] = (
        None  # null, as in whatever is older and in every run that has begun, whose sizes are known: as the keys above say
    )


@dataclass
class DatasetConfig:
    """Which images, how they are read and how they are split."""

    name: str = MISSING
    layout: str = MISSING  # of a registered layout
    root: Optional[str] = MISSING  # folder on disk; null for synthetic
    category: Optional[str] = MISSING  # sub-folder: MVTec category, PIPED class
    split: str = _choice("official", "grouped", "literature", "sheets", "random")
    manifest: Optional[str] = MISSING  # a split manifest of the user's own (CSV); overrides `split`
    split_seed: int = _seed()
    validation_fraction: float = _number(above=0.0, below=1.0)  # share of the training normals held out
    test_fraction: float = _number(above=0.0, below=1.0)  # share of the normals for test, where the source has no split
    train_images: Optional[int] = _number(
        minimum=2, maximum=1_000_000_000
    )  # of the training normals that many are used; null: all
    near_duplicates: str = _choice("error", "warn", "ignore")  # near-duplicates that cross train/test
    megapixels: float = _number(
        above=0.0, maximum=10_000.0
    )  # million pixels of one file; more are refused by its header
    image: ImageConfig = _section(ImageConfig)
    settings: Any = None  # the dataclass that the layout declares, if any; its keys stand below dataset.LAYOUT


@dataclass
class PatchConfig:
    """The crops that the network learns."""

    size: int = _extent(minimum=4)  # side in px; the paper's is 28
    flips: bool = MISSING  # mirror crops at random
    rotations: bool = MISSING  # turn crops by multiples of 90° at random


@dataclass
class UNetConfig:
    """Width, depth and attention of the noise predictor."""

    kind: str = _choice("ddpm", "compact")  # Ho et al. 2020, as published, or layers that suit small maps
    channels: list[int] = _numbers(minimum=1, maximum=16_384)  # width of each level, from the finest down
    blocks: int = _number(minimum=1, maximum=64)  # residual blocks per level and direction
    attention_levels: list[int] = _numbers(
        minimum=0, maximum=63
    )  # levels with self-attention, 0 = the finest; empty: none anywhere
    attention_heads: int = _number(minimum=1, maximum=1024)
    embedding: int = _number(minimum=2, maximum=65_536)  # width of the timestep embedding
    groups: int = _number(minimum=1, maximum=65_536)  # of each GroupNorm; kind ddpm alone
    dropout: float = _number(minimum=0.0, below=1.0)
    fold: int = _number(
        minimum=1, maximum=64
    )  # px per side that become channels before the first layer; kind compact alone


@dataclass
class DiffusionConfig:
    """The forward process and how training visits it."""

    timesteps: int = _number(minimum=2, maximum=100_000)  # T
    schedule: str = _choice("linear", "cosine")
    first_beta: float = _number(above=0.0, below=1.0)  # β_1 of the linear schedule
    last_beta: float = _number(above=0.0, below=1.0)  # β_T of the linear schedule
    cosine_offset: float = _number(above=0.0, maximum=1.0)  # s of the cosine schedule
    timestep_sampling: str = _choice("uniform", "log_uniform")  # uniform as published
    validation_timesteps: list[int] = _numbers(minimum=1, maximum=100_000)  # where the validation loss is taken


@dataclass
class TimestepConfig:
    """The step at which images are scored."""

    value: int = _number(minimum=1, maximum=100_000)  # 1…T


@dataclass
class ContaminationConfig:
    """The share of normal images that the detector may flag."""

    value: float = _number(above=0.0, maximum=0.5)


@dataclass
class BlurConfig:
    """The Gaussian blur of the noise map."""

    kernel: int = _extent()  # side in px, odd; 1 is no blur
    sigma: float = _sigma(zero=False)  # px


@dataclass
class DensityConfig:
    """How unlikely a pixel's noise is among that of training normals, in place of the noise itself."""

    name: str = _choice("none", "gaussian")
    timesteps: list[int] = _numbers(
        minimum=1, maximum=100_000
    )  # a pass each, in place of timestep.value; name gaussian alone
    blurs: list[float] = _sigmas()  # σ in px at which each map is seen; 0: as it is
    ridge: float = _number(minimum=1e-9, maximum=1000.0)  # added to every variance, as a share of the mean variance


@dataclass
class BorderConfig:
    """What pixels near an image's border count for, whatever the method."""

    name: str = _choice(
        "none", "margin", "standardised"
    )  # as the rest; not in the score; at the interior's scale, ring by ring, as held-out normals tell
    width: int = _number(minimum=1, maximum=16_384)  # px from the border; name margin or standardised alone


@dataclass
class ScoringConfig:
    """From an image to two features and a pixel map, in one network pass, or one per timestep of `density`."""

    draws: int = _number(minimum=0, maximum=10_000)  # noise draws averaged; 1 as published, 0 scores √ᾱ_t·x₀ itself
    map: str = _choice("prediction", "residual")  # ε̂ as published, or ε̂ − ε
    field: str = _choice("whole", "stitched")  # the image in one pass, or training-size windows blended
    stride: int = _number(minimum=1, maximum=16_384)  # px between stitched windows
    micro_batch: int = _number(minimum=1, maximum=65_536)  # most windows per network pass
    tile: int = _number(
        minimum=1, maximum=16_384
    )  # px per side of what one pass over a whole image keeps; kind compact alone
    images_per_pass: int = _number(
        minimum=1, maximum=65_536
    )  # 1: scores do not depend, to the bit, on the other images; more suit a GPU
    density: DensityConfig = _section(DensityConfig)
    blur: BlurConfig = _section(BlurConfig)
    edge: str = _choice("sobel", "none")
    smoothing: float = _sigma()  # px, of the pixel map's smoothing; 0: the edge map itself, as published
    window: int = _extent()  # side of the local feature's sliding window, px
    border: BorderConfig = _section(BorderConfig)


@dataclass
class DetectorConfig:
    """From features to a decision."""

    name: str = _choice("isolation_forest", "upper_tail")
    fitted_on: str = _choice(
        "train", "validation", "cross_fitted"
    )  # training normals as published, held-out normals, or both, each scored by densities (not a network) fitted without it
    threshold_on: str = _choice(
        "train", "validation", "cross_fitted"
    )  # whose scores set the threshold; the paper has one set for both
    threshold: str = _choice("quantile", "shifted")  # of the scores of threshold_on; or of fitted_on, shifted to those
    spread_prior: float = _number(
        above=0.0, maximum=1e9
    )  # squared deviations that the spread of fitted_on counts for; shifted alone
    trees: int = _number(minimum=1, maximum=10_000)
    max_samples: int = _number(minimum=2, maximum=1_000_000)  # per tree


@dataclass
class TrainingConfig:
    """How long and how the network learns."""

    max_steps: int = _number(minimum=1, maximum=1_000_000_000)
    epoch_steps: int = _number(minimum=1, maximum=1_000_000_000)  # steps between validations and checkpoints
    batch_size: int = _number(minimum=1, maximum=1_000_000)  # patches per step and device
    learning_rate: float = _number(above=0.0, maximum=10.0)
    learning_rate_schedule: str = _choice("constant", "cosine")
    warmup_steps: int = _number(minimum=0, maximum=1_000_000_000)
    weight_decay: float = _number(minimum=0.0, maximum=100.0)
    gradient_clip: float = _number(minimum=0.0, maximum=1e9)  # largest norm of the gradient; 0: none
    ema_decay: float = _number(minimum=0.0, below=1.0)
    validation_patches: int = _number(minimum=1, maximum=1_000_000)


@dataclass
class TrainerConfig:
    """The hardware: what runs where, at which precision."""

    accelerator: str = _choice("auto", "cpu", "gpu")
    devices: int = _number(minimum=1, maximum=1024)
    strategy: str = _choice("auto", "ddp")
    precision: str = _choice("32-true", "bf16-mixed", "16-mixed")
    matmul_precision: str = _choice("highest", "high", "medium")  # of float32 products; high: TF32 on a GPU
    compile: str = _choice(
        "none", "default", "reduce-overhead"
    )  # of the training step, by torch.compile; the last with CUDA graphs
    threads: Optional[int] = _number(minimum=1, maximum=1024)  # CPU threads; null: torch's own choice
    deterministic: bool = MISSING  # refuse GPU kernels whose bits vary from run to run
    stack: str = _choice("auto", "device", "host")  # where the training images lie
    stack_memory_fraction: float = _number(above=0.0, maximum=1.0)  # of free GPU memory, for auto
    workers: int = _number(minimum=0, maximum=256)  # processes that crop when the stack is on the host
    progress: bool = MISSING  # show progress bars


@dataclass
class WandbConfig:
    """Weights & Biases; the run directory is complete without it."""

    mode: str = _choice("offline", "online")
    project: str = MISSING
    entity: Optional[str] = MISSING
    group: Optional[str] = MISSING


@dataclass
class LoggerConfig:
    """Where training curves go beside the run directory's own files."""

    csv: bool = MISSING
    wandb: Optional[WandbConfig] = MISSING


@dataclass
class NoiseStatisticsConfig:
    """How the noise hypothesis is measured, normal against anomalous test images."""

    bins: int = _number(minimum=2, maximum=65_536)  # most bins of the histograms behind KL divergence and overlap
    permutations: int = _number(minimum=1, maximum=1_000_000)  # of groups of images, behind each p value
    thinning: int = _number(
        minimum=1, maximum=16_384
    )  # px between the pixels of the normality test, which takes them as independent
    level: float = _number(above=0.0, below=1.0)  # at which the normality of an image's noise is rejected


@dataclass
class EvaluationConfig:
    """What is measured and drawn."""

    pixel: bool = MISSING  # pixel metrics, where masks exist
    aupro_limit: float = _number(above=0.0, maximum=1.0)  # largest false positive rate of AUPRO
    border: int = _number(
        minimum=1, maximum=16_384
    )  # px from an image's border that the share of high pixels there is measured on
    noise: NoiseStatisticsConfig = _section(NoiseStatisticsConfig)
    panels: int = _number(minimum=0, maximum=1000)  # images per kind in the panel figure
    figures: bool = MISSING


@dataclass
class MethodConfig:
    """Which method scores, and its own keys; the controls run beside it on the same images."""

    name: str = MISSING  # of a registered method
    controls: list[str] = MISSING  # of mean_brightness, raw_sobel, same_untrained, same_without_network
    settings: Any = MISSING  # the dataclass that the method declares; its keys stand directly below `method`


@dataclass
class Config:
    """One experiment."""

    name: str = MISSING  # first part of the run directory's name
    seed: int = _seed()
    data_root: str = MISSING  # folder above the public data sets
    output_root: str = MISSING  # folder of the run directories
    preset: Optional[str] = MISSING  # name of the experiment config that it starts from; null: none
    tags: list[str] = MISSING  # free words
    dataset: DatasetConfig = _section(DatasetConfig)
    patch: PatchConfig = _section(PatchConfig)
    unet: UNetConfig = _section(UNetConfig)
    diffusion: DiffusionConfig = _section(DiffusionConfig)
    timestep: TimestepConfig = _section(TimestepConfig)
    scoring: ScoringConfig = _section(ScoringConfig)
    contamination: ContaminationConfig = _section(ContaminationConfig)
    detector: DetectorConfig = _section(DetectorConfig)
    method: MethodConfig = _section(MethodConfig)
    training: TrainingConfig = _section(TrainingConfig)
    trainer: TrainerConfig = _section(TrainerConfig)
    logger: LoggerConfig = _section(LoggerConfig)
    evaluation: EvaluationConfig = _section(EvaluationConfig)
