"""The typed schema of an experiment: every key, its unit and its range. Values live in `conf/` alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from omegaconf import MISSING


def _number(
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A required number with closed (`minimum`, `maximum`) or open (`above`, `below`) bounds."""
    return field(default=MISSING, metadata={"minimum": minimum, "maximum": maximum, "above": above, "below": below})


def _choice(*options: str) -> Any:
    """A required string out of `options`."""
    return field(default=MISSING, metadata={"choices": options})


def _section(kind: type) -> Any:
    """A required section of keys."""
    return field(default_factory=kind)


@dataclass
class ImageConfig:
    """How a file becomes a tensor."""

    channels: str = _choice("grey", "rgb")
    size: Optional[int] = _number(minimum=8)  # side of the square image in px; null: the files' own, one size for all
    aspect: str = _choice("stretch", "crop", "pad")  # what happens to an image that is not square
    resize: str = _choice("nearest", "bilinear", "bicubic", "lanczos", "box")


@dataclass
class SyntheticConfig:
    """A drawn data set; used by `layout: synthetic` alone."""

    texture: str = _choice("printed_layers", "stochastic_tile")
    seed: int = _number(minimum=0)  # draws the whole set; independent of the experiment's seed
    side: int = _number(minimum=32)  # px
    train: int = _number(minimum=2)  # normal images, validation included
    test_normal: int = _number(minimum=1)
    test_defective: int = _number(minimum=1)
    contrast: float = _number(above=0.0)  # strength of the planted defects, 1 = as designed


@dataclass
class FolderConfig:
    """Where a generic folder keeps its images; used by `layout: folder` alone."""

    normal: str = MISSING  # sub-folder of normal images
    anomalous: Optional[str] = MISSING  # sub-folder of anomalous images, one sub-folder per defect allowed; null: none
    masks: Optional[str] = MISSING  # sub-folder of masks with the anomalous images' names; null: none


@dataclass
class DatasetConfig:
    """Which images, how they are read and how they are split."""

    name: str = MISSING
    layout: str = _choice("mvtec", "magnetic_tile", "piped", "folder", "synthetic")
    root: Optional[str] = MISSING  # folder on disk; null for synthetic
    category: Optional[str] = MISSING  # sub-folder: MVTec category, PIPED class
    split: str = _choice("official", "grouped", "literature", "sheets", "random")
    manifest: Optional[str] = MISSING  # a split manifest of the user's own (CSV); overrides `split`
    split_seed: int = _number(minimum=0)
    validation_fraction: float = _number(above=0.0, below=1.0)  # share of the training normals held out
    test_fraction: float = _number(above=0.0, below=1.0)  # share of the normals for test, where the source has no split
    train_images: Optional[int] = _number(minimum=2)  # of the training normals that many are used; null: all
    near_duplicates: str = _choice("error", "warn", "ignore")  # near-duplicates that cross train/test
    image: ImageConfig = _section(ImageConfig)
    folder: Optional[FolderConfig] = MISSING
    synthetic: Optional[SyntheticConfig] = MISSING


@dataclass
class PatchConfig:
    """The crops that the network learns."""

    size: int = _number(minimum=4)  # side in px; the paper's is 28
    flips: bool = MISSING  # mirror crops at random
    rotations: bool = MISSING  # turn crops by multiples of 90° at random


@dataclass
class UNetConfig:
    """Width, depth and attention of the noise predictor."""

    kind: str = _choice("ddpm", "compact")  # Ho et al. 2020, as published, or layers that suit small maps
    channels: list[int] = MISSING  # width of each level, from the finest down
    blocks: int = _number(minimum=1)  # residual blocks per level and direction
    attention_levels: list[int] = MISSING  # levels with self-attention, 0 = the finest; empty: none anywhere
    attention_heads: int = _number(minimum=1)
    embedding: int = _number(minimum=2)  # width of the timestep embedding
    groups: int = _number(minimum=1)  # of each GroupNorm; kind ddpm alone
    dropout: float = _number(minimum=0.0, below=1.0)
    fold: int = _number(minimum=1)  # px per side that become channels before the first layer; kind compact alone


@dataclass
class DiffusionConfig:
    """The forward process and how training visits it."""

    timesteps: int = _number(minimum=2)  # T
    schedule: str = _choice("linear", "cosine")
    first_beta: float = _number(above=0.0, below=1.0)  # β_1 of the linear schedule
    last_beta: float = _number(above=0.0, below=1.0)  # β_T of the linear schedule
    cosine_offset: float = _number(above=0.0)  # s of the cosine schedule
    timestep_sampling: str = _choice("uniform", "log_uniform")  # uniform as published
    validation_timesteps: list[int] = MISSING  # where the validation loss is taken


@dataclass
class TimestepConfig:
    """The step at which images are scored."""

    value: int = _number(minimum=1)  # 1…T


@dataclass
class ContaminationConfig:
    """The share of normal images that the detector may flag."""

    value: float = _number(above=0.0, maximum=0.5)


@dataclass
class BlurConfig:
    """The Gaussian blur of the noise map."""

    kernel: int = _number(minimum=1)  # side in px, odd; 1 is no blur
    sigma: float = _number(above=0.0)  # px


@dataclass
class ScoringConfig:
    """From an image to two features and a pixel map, in one network pass."""

    draws: int = _number(minimum=0)  # noise draws averaged; 1 as published, 0 scores √ᾱ_t·x₀ itself
    map: str = _choice("prediction", "residual")  # ε̂ as published, or ε̂ − ε
    field: str = _choice("whole", "stitched")  # the image in one pass, or training-size windows blended
    stride: int = _number(minimum=1)  # px between stitched windows
    micro_batch: int = _number(minimum=1)  # most windows per network pass
    tile: int = _number(minimum=1)  # px per side of what one pass over a whole image keeps; kind compact alone
    images_per_pass: int = _number(
        minimum=1
    )  # 1: scores do not depend, to the bit, on the other images; more suit a GPU
    blur: BlurConfig = _section(BlurConfig)
    edge: str = _choice("sobel", "none")
    smoothing: float = _number(
        minimum=0.0
    )  # σ in px of the pixel map's smoothing; 0: the edge map itself, as published
    window: int = _number(minimum=1)  # side of the local feature's sliding window, px


@dataclass
class DetectorConfig:
    """From features to a decision."""

    name: str = _choice("isolation_forest", "upper_tail")
    fitted_on: str = _choice("train", "validation")  # training normals as published, or held-out normals
    threshold_on: str = _choice("train", "validation")  # whose scores set the threshold; the paper has one set for both
    trees: int = _number(minimum=1)
    max_samples: int = _number(minimum=2)  # per tree


@dataclass
class ReductionConfig:
    """From a method's map `(H, W)` to its pixel map and its image score; RADAR has features instead."""

    smoothing: float = _number(minimum=0.0)  # σ in px of the map's smoothing
    statistic: str = _choice("max", "mean", "top")  # of the smoothed map
    pixels: int = _number(minimum=1)  # whose mean the statistic top is


@dataclass
class WindowsConfig:
    """Statistical models of square windows; keys that name a model are read by that one alone."""

    descriptor: str = _choice("raw", "texture")  # the pixels, or moments, gradients and spectral bands
    size: int = _number(minimum=3)  # side of a window in px
    stride: int = _number(minimum=1)  # px between windows
    fitting_windows: int = _number(minimum=2)  # most windows of training normals that are fitted, drawn by seed
    explained_variance: float = _number(above=0.0, below=1.0)  # pca: share that the kept components explain
    statistic: str = _choice("t2", "q", "both")  # pca: both is the larger of the two over their control limits
    confidence: float = _number(above=0.0, below=1.0)  # pca: of the control limits
    trees: int = _number(minimum=1)  # isolation_forest
    max_samples: int = _number(minimum=2)  # isolation_forest: windows per tree
    neighbours: int = _number(minimum=1)  # lof
    nu: float = _number(above=0.0, maximum=1.0)  # one_class_svm: bound of the share outside


@dataclass
class SimplexConfig:
    """Octaves of simplex noise (AnoDDPM)."""

    wavelength: float = _number(above=0.0)  # px per lattice cell of the first octave; each further one halves it
    octaves: int = _number(minimum=1)
    persistence: float = _number(above=0.0)  # amplitude of an octave over that of the one before


@dataclass
class ReconstructionConfig:
    """Noise to an intermediate timestep and back (DDPM, AnoDDPM, DDAD)."""

    start: int = _number(minimum=1)  # timestep the image is noised to: λ, T′
    steps: int = _number(minimum=1)  # network passes on the way back; as many as `start` is the full reverse process
    eta: float = _number(minimum=0.0, maximum=1.0)  # 1 ancestral sampling, 0 deterministic DDIM
    guidance: float = _number(minimum=0.0)  # w: pull towards the image itself
    simplex: Optional[SimplexConfig] = MISSING  # noise of training and scoring; null: Gaussian
    features: str = _choice("none", "unet", "efficientnet")  # whose distance is added to the pixels'
    pixel_weight: float = _number(minimum=0.0)  # v, of the pixel distance beside the features'
    calibration_images: int = _number(minimum=1)  # held-out normals that put both distances on one scale


@dataclass
class ResidualFieldConfig:
    """A Gaussian density of the one-step residual field (OSD-IRF)."""

    neighbourhood: int = _number(minimum=1)  # side in px of the square whose residuals are one vector, odd
    fitting_positions: int = _number(minimum=2)  # most positions of training normals that are fitted, drawn by seed


@dataclass
class InversionConfig:
    """Few DDIM steps towards the prior (InvAD)."""

    score: str = _choice("likelihood", "deviation")  # the latent's energy, or how far it is from the prior's
    timesteps: list[int] = MISSING  # rising, visited one after the other
    window: int = _number(minimum=1)  # side in px of the square over which the energy is averaged, odd


@dataclass
class SegmentationConfig:
    """Norm-guided one-step denoising and a segmentation network (DiffusionAD)."""

    channels: list[int] = MISSING  # width of each level
    near: list[int] = MISSING  # first and last timestep of the light noise in training
    far: list[int] = MISSING  # of the heavy noise
    score_near: int = _number(minimum=1)  # timesteps at which images are scored
    score_far: int = _number(minimum=1)
    anomalous: float = _number(above=0.0, below=1.0)  # share of training crops with a synthetic anomaly
    max_steps: int = _number(minimum=1)  # of the segmentation network's own training


@dataclass
class EmbeddingConfig:
    """Pretrained features (PatchCore, PaDiM); needs the extra `pretrained`."""

    side: int = _number(minimum=32)  # px that images are resized to
    blocks: list[int] = MISSING  # EfficientNet-Lite0 blocks whose outputs are concatenated
    fitting_vectors: int = _number(minimum=2)  # patchcore: most vectors that the coreset is chosen from, drawn by seed
    bank: int = _number(minimum=1)  # patchcore: vectors kept
    dimensions: int = _number(minimum=1)  # padim: channels kept, drawn by seed
    regularisation: float = _number(above=0.0)  # padim: added to every covariance's diagonal


@dataclass
class HypersphereConfig:
    """One-class deep SVDD of square windows."""

    channels: list[int] = MISSING  # width of each level
    outputs: int = _number(minimum=1)  # dimensions of the sphere
    stride: int = _number(minimum=1)  # px between scored windows, of the training size
    max_steps: int = _number(minimum=1)


@dataclass
class MethodConfig:
    """Which method scores; the controls run beside it on the same images. A section is null where its method is not used."""

    name: str = _choice(
        "radar", "pca", "isolation_forest", "lof", "one_class_svm", "mahalanobis", "elliptic_envelope", "deep_svdd",
        "ddpm", "anoddpm", "ddad", "osd_irf", "invad", "diffusion_ad", "patchcore", "padim",
    )  # fmt: skip
    controls: list[str] = MISSING  # of mean_brightness, raw_sobel, untrained
    reduction: Optional[ReductionConfig] = MISSING
    windows: Optional[WindowsConfig] = MISSING
    reconstruction: Optional[ReconstructionConfig] = MISSING
    residual_field: Optional[ResidualFieldConfig] = MISSING
    inversion: Optional[InversionConfig] = MISSING
    segmentation: Optional[SegmentationConfig] = MISSING
    embedding: Optional[EmbeddingConfig] = MISSING
    hypersphere: Optional[HypersphereConfig] = MISSING


@dataclass
class TrainingConfig:
    """How long and how the network learns."""

    max_steps: int = _number(minimum=1)
    epoch_steps: int = _number(minimum=1)  # steps between validations and checkpoints
    batch_size: int = _number(minimum=1)  # patches per step and device
    learning_rate: float = _number(above=0.0)
    learning_rate_schedule: str = _choice("constant", "cosine")
    warmup_steps: int = _number(minimum=0)
    weight_decay: float = _number(minimum=0.0)
    gradient_clip: float = _number(minimum=0.0)  # largest norm of the gradient; 0: none
    ema_decay: float = _number(minimum=0.0, below=1.0)
    validation_patches: int = _number(minimum=1)


@dataclass
class TrainerConfig:
    """The hardware: what runs where, at which precision."""

    accelerator: str = _choice("auto", "cpu", "gpu")
    devices: int = _number(minimum=1)
    strategy: str = _choice("auto", "ddp")
    precision: str = _choice("32-true", "bf16-mixed", "16-mixed")
    matmul_precision: str = _choice("highest", "high", "medium")  # of float32 products; high: TF32 on a GPU
    compile: str = _choice(
        "none", "default", "reduce-overhead"
    )  # of the training step, by torch.compile; the last with CUDA graphs
    threads: Optional[int] = _number(minimum=1)  # CPU threads; null: torch's own choice
    deterministic: bool = MISSING  # refuse GPU kernels whose bits vary from run to run
    stack: str = _choice("auto", "device", "host")  # where the training images lie
    stack_memory_fraction: float = _number(above=0.0, maximum=1.0)  # of free GPU memory, for auto
    workers: int = _number(minimum=0)  # processes that crop when the stack is on the host
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
class EvaluationConfig:
    """What is measured and drawn."""

    pixel: bool = MISSING  # pixel metrics, where masks exist
    aupro_limit: float = _number(above=0.0, maximum=1.0)  # largest false positive rate of AUPRO
    panels: int = _number(minimum=0)  # images per kind in the panel figure
    figures: bool = MISSING


@dataclass
class Config:
    """One experiment."""

    name: str = MISSING  # first part of the run directory's name
    seed: int = _number(minimum=0)
    data_root: str = MISSING  # folder above the public data sets
    output_root: str = MISSING  # folder of the run directories
    tags: list[str] = MISSING
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
