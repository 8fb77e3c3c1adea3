"""From the name of a method to the method."""

from __future__ import annotations

import torch

from radar.config import Config
from radar.method_rules import EMBEDDINGS, RECONSTRUCTIONS, WINDOW_METHODS
from radar.methods.deep_svdd import DeepSvddMethod
from radar.methods.embedding import PadimMethod, PatchCoreMethod
from radar.methods.interface import Inputs, MapMethod, Recall
from radar.methods.inversion import InversionMethod
from radar.methods.peer import Fit
from radar.methods.radar import RadarMethod, Train
from radar.methods.reconstruction import ReconstructionMethod
from radar.methods.residual_field import ResidualFieldMethod
from radar.methods.segmentation import SegmentationMethod
from radar.methods.windows import WindowMethod


def build_method(
    config: Config, recall: Recall, *, train: Train, identity: Inputs, fit: Fit, device: torch.device
) -> MapMethod:
    """The method that `method.name` names.

    `train` gives the shared diffusion network, which depends on `identity`; `fit` trains a network of the method's own.
    """
    name = config.method.name
    if name == "radar":
        return RadarMethod(config, recall, train, identity)
    if name in WINDOW_METHODS:
        return WindowMethod(config, recall)
    if name in EMBEDDINGS:
        return {"patchcore": PatchCoreMethod, "padim": PadimMethod}[name](config, recall, device)
    if name == "deep_svdd":
        return DeepSvddMethod(config, recall, fit, device)
    if name == "diffusion_ad":
        return SegmentationMethod(config, recall, train, identity, fit)
    if name in RECONSTRUCTIONS:
        return ReconstructionMethod(config, recall, train, identity)
    return {"osd_irf": ResidualFieldMethod, "invad": InversionMethod}[name](config, recall, train, identity)
