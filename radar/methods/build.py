"""From the name of a method to the method."""

from __future__ import annotations

from collections.abc import Callable

import torch

from radar.compose.method_rules import RECONSTRUCTIONS, WINDOW_METHODS
from radar.config.schema import Config
from radar.methods.deep_svdd import DeepSvddMethod
from radar.methods.embedding import PadimMethod, PatchCoreMethod
from radar.methods.feature_space import FeatureSpaceMethod
from radar.methods.fused_densities import FusedDensitiesMethod
from radar.methods.interface import Inputs, MapMethod, Recall
from radar.methods.inversion import InversionMethod
from radar.methods.peer import Fit
from radar.methods.radar import RadarMethod, Train
from radar.methods.reconstruction import ReconstructionMethod
from radar.methods.residual_field import ResidualFieldMethod
from radar.methods.segmentation import SegmentationMethod
from radar.methods.windows import WindowMethod

Make = Callable[[], MapMethod]


def build_method(
    config: Config, recall: Recall, *, train: Train, identity: Inputs, fit: Fit, device: torch.device
) -> MapMethod:
    """The method that `method.name` names.

    `train` gives the shared diffusion network, which depends on `identity`; `fit` trains a network of the method's own.
    """

    def on_features(kind: type[ResidualFieldMethod | InversionMethod]) -> Make:
        if config.method.feature_space is None:
            return shared(kind)
        return lambda: FeatureSpaceMethod(config, recall, kind, fit, device)

    def shared(kind: type[RadarMethod | ResidualFieldMethod | FusedDensitiesMethod | InversionMethod]) -> Make:
        return lambda: kind(config, recall, train, identity)

    make: dict[str, Make] = {
        "radar": shared(RadarMethod),
        **dict.fromkeys(WINDOW_METHODS, lambda: WindowMethod(config, recall)),
        **dict.fromkeys(RECONSTRUCTIONS, lambda: ReconstructionMethod(config, recall, train, identity, fit)),
        "osd_irf": on_features(ResidualFieldMethod),
        "fused_densities": shared(FusedDensitiesMethod),
        "invad": on_features(InversionMethod),
        "diffusion_ad": lambda: SegmentationMethod(config, recall, train, identity, fit),
        "deep_svdd": lambda: DeepSvddMethod(config, recall, fit, device),
        "patchcore": lambda: PatchCoreMethod(config, recall, device),
        "padim": lambda: PadimMethod(config, recall, device),
    }
    return make[config.method.name]()
