"""AnoDDPM (Wyatt et al. 2022): simplex noise in training and scoring, so its network is its own."""

from __future__ import annotations

from dataclasses import dataclass

from radar.config.fields import section
from radar.config.method_settings import ReductionConfig, SimplexConfig
from radar.methods.parts.reconstruction import ReconstructionConfig, ReconstructionMethod


@dataclass
class SimplexReconstructionConfig(ReconstructionConfig):
    """Noise to an intermediate timestep and back."""

    simplex: SimplexConfig = section(SimplexConfig)  # the noise


@dataclass
class AnoDdpmSettings:
    """Keys of `method=anoddpm`."""

    reduction: ReductionConfig = section(ReductionConfig)
    reconstruction: SimplexReconstructionConfig = section(SimplexReconstructionConfig)


class AnoDdpmMethod(ReconstructionMethod[AnoDdpmSettings]):
    """Reconstruction that removes structure of the noise's sizes, too."""

    name = "anoddpm"
    Settings = AnoDdpmSettings

    @property
    def simplex(self) -> SimplexConfig:
        return self.settings.reconstruction.simplex
