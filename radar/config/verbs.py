"""The settings of verbs that are no part of an experiment: every key, its unit and its range. Values live in `conf/` alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from omegaconf import MISSING

from radar.config.fields import choice as _choice
from radar.config.fields import number as _number
from radar.config.fields import seed as _seed
from radar.runtime.settings import PredictSettings


@dataclass
class SweepConfig:
    """How the jobs of a sweep run and which table they answer with."""

    isolated: bool = MISSING  # each job in a process of its own, as its memory is to be measured
    table: Optional[str] = _choice("noise", "patch", "timestep", "unet", "transfer")  # printed at the end; null: none


@dataclass
class ReportConfig:
    """What a report assumes."""

    seeds: Optional[int] = _number(
        minimum=1, maximum=1_000_000
    )  # that each cell should have; null: as the best-covered cell has
    level: float = _number(above=0.0, below=1.0)  # of intervals
    alpha: float = _number(above=0.0, below=1.0)  # of tests, after the correction for their number
    resamples: int = _number(minimum=10, maximum=1_000_000)  # bootstrap, over groups of images
    permutations: int = _number(minimum=1, maximum=1_000_000)  # most swaps of groups between two methods
    seed: int = _seed()  # of the bootstrap and the permutations
    borderline: float = _number(minimum=0.0, maximum=1.0)  # share of the test images that the gallery calls borderline
    vector: str = _choice("pdf", "svg")  # second format of every figure beside PNG
    development: list[str] = MISSING  # data sets whose test labels were in view when something was chosen


@dataclass
class PredictConfig(PredictSettings):
    """How a fitted model is asked about new photos."""

    device: str = MISSING  # cpu, cuda or cuda:N
    threads: Optional[int] = _number(minimum=1, maximum=1024)  # CPU threads; null: those that the model was fitted with


@dataclass
class CalibrateConfig:
    """How a fitted model gets another threshold."""

    device: str = MISSING  # cpu, cuda or cuda:N
    decode_ahead: int = _number(minimum=0, maximum=1024)  # images that are decoded while one is scored
    false_alarms: float = _number(minimum=1e-6, below=1.0)  # share of new normal images above the threshold, at most
    group: str = MISSING  # auto, none, or a regular expression: which normal images belong together


@dataclass
class MonitorConfig:
    """How a log of predictions is watched for drift."""

    run_length: float = _number(above=1.0, maximum=1e9)  # photos until a false alarm of any chart, on average
    weight: float = _number(minimum=0.005, maximum=1.0)  # of the newest photo in the moving average
    baseline: int = _number(minimum=10, maximum=1_000_000_000)  # photos of the log's first stretch
    score_baseline: str = _choice("normals", "log")  # what scores are compared with


@dataclass
class InspectConfig:
    """The page and the server that ask a fitted model, beside `PredictConfig`."""

    host: str = MISSING  # address to listen on
    port: int = _number(minimum=0, maximum=65535)  # 0: any free one
    hosts: list[str] = MISSING  # further names by which the machine may be called
    megabytes: float = _number(above=0.0, maximum=1e6)  # of one upload
    images: int = _number(minimum=1, maximum=1_000_000)  # of one upload
    megapixels: float = _number(above=0.0, maximum=1e5)  # of one image
    uploads: int = _number(minimum=1, maximum=1024)  # that are decoded at once
    timeout: float = _number(above=0.0, maximum=86_400.0)  # seconds that an upload may take to arrive
    gallery: int = _number(minimum=1, maximum=1_000_000)  # photos whose pictures are kept
    scores: int = _number(minimum=1, maximum=1_000_000_000)  # photos whose scores are kept
    side: int = _number(minimum=64, maximum=16_384)  # px, of the pictures that are kept
