"""Plain DDPM reconstruction, the Gaussian variant of AnoDDPM (Wyatt et al. 2022): full reverse process, squared error."""

from __future__ import annotations

from radar.methods.parts.reconstruction import ReconstructionMethod, ReconstructionSettings


class DdpmMethod(ReconstructionMethod[ReconstructionSettings]):
    """Reconstruction by ancestral sampling with RADAR's own network."""

    name = "ddpm"
    Settings = ReconstructionSettings
