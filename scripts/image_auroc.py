"""Image AUROC of a fitted method on a data set, the way a run does it: the detector sees normal images alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score
from torch import nn

from radar.config.schema import Config
from radar.data.images import Images
from radar.experiment.method_stages import splits_named
from radar.experiment.session import OpenData
from radar.methods.method import Measured
from radar.methods.parts.denoising import denoiser
from radar.methods.radar import FittedRadar
from radar.methods.responses import read, responses
from radar.progress import silent
from radar.scoring.detector import fit_detector
from radar.scoring.forest import Floats


@dataclass(frozen=True, eq=False)
class RadarOnData:
    """RADAR with a given network, scored as `config` says, on the images of a data set. It fits no density."""

    config: Config
    data: OpenData

    def maps(self, network: nn.Module, images: Images) -> Measured:
        """What it says of the images."""
        config = self.config
        fitted = FittedRadar(config, denoiser(config, network), images.network_planes.channels).eval()
        size = config.scoring.images_per_pass
        response = responses(
            fitted, images.planes, images.identities, seed=config.seed, images_per_pass=size, report=silent
        )
        return read(fitted, response, images_per_pass=size)

    def aurocs(self, network: nn.Module) -> dict[str, float]:
        """AUROC of the decision score and of the local norm, on the test images."""
        points = {split: self.maps(network, images).points.cpu().numpy() for split, images in self.data.images.items()}

        def of_normals(name: str) -> Floats:
            return np.concatenate([points[split] for split in splits_named(name)])

        config, labels, test = self.config, self.data.images["test"].labels, points["test"]
        detector, _ = fit_detector(
            of_normals(config.detector.fitted_on),
            of_normals(config.detector.threshold_on),
            config=config.detector,
            contamination=config.contamination,
            seed=config.seed,
        )
        return {
            "image_auroc": float(roc_auc_score(labels, detector.score(test))),
            "local_auroc": float(roc_auc_score(labels, test[:, 1])),
        }
