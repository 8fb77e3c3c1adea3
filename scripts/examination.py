"""Image AUROC of a network on a dataset, the way a run does it: the detector sees normal images alone."""

from __future__ import annotations

from dataclasses import dataclass

from radar.methods.interface import ImageSet
from radar.scoring.scorer import Mapper, measure
from sklearn.metrics import roc_auc_score

from radar.config.schema import Config
from radar.data.dataset import Dataset, open_dataset
from radar.data.sample import Split
from radar.progress import silent
from radar.scoring.detector import fit_detector

_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Examination:
    """The images of one dataset, and which of the test images are anomalous."""

    sets: dict[str, ImageSet]
    labels: list[int]

    @staticmethod
    def of(dataset: Dataset) -> Examination:
        """All images of `dataset`."""
        loaded = {split: dataset.load(dataset.split(split)) for split in _SPLITS}
        sets: dict[str, ImageSet] = {
            split: ImageSet(images.network_planes, images.identities) for split, images in loaded.items()
        }
        return Examination(sets, [sample.label for sample in dataset.split("test")])

    def aurocs(self, config: Config, mapper: Mapper) -> dict[str, float]:
        """AUROC of the decision score and of the local norm."""
        points = {
            split: measure(mapper(images.images, images.identities), config.scoring).features
            for split, images in self.sets.items()
        }
        detector = fit_detector(
            points[config.detector.fitted_on],
            points[config.detector.threshold_on],
            detector=config.detector,
            contamination=config.contamination,
            seed=config.seed,
        )
        return {
            "image_auroc": float(roc_auc_score(self.labels, detector.score(points["test"]))),
            "local_auroc": float(roc_auc_score(self.labels, points["test"][:, 1])),
        }

    @property
    def count(self) -> int:
        """Number of images of all splits."""
        return sum(len(images.identities) for images in self.sets.values())


def examination(config: Config) -> tuple[Dataset, Examination]:
    """The dataset of `config`, and its images."""
    dataset = open_dataset(config.dataset, silent)
    return dataset, Examination.of(dataset)
