"""Rules between keys that a method states itself: one line each, before any work."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

from radar.errors import ConfigError
from radar.methods.key_rules import check
from radar.methods.registry import method_of


@pytest.fixture(autouse=True)
def _pretrained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radar.methods.key_rules.is_installed", lambda: True)


@pytest.mark.parametrize(
    ("method", "key", "value", "message"),
    [
        ("lof", "detector.name", "isolation_forest", "detector.name=isolation_forest: lof gives one score"),
        ("pca", "windows.stride", 15, "method.windows.stride=15: must be ≤ method.windows.size=14"),
        ("osd_irf", "residual_field.neighbourhood", 4, "method.residual_field.neighbourhood=4: must be odd"),
        ("osd_irf", "residual_field.timestep", 1001, "method.residual_field.timestep=1001: "),
        ("invad", "inversion.window", 4, "method.inversion.window=4: must be odd"),
        ("invad", "inversion.timesteps", [5, 3], "method.inversion.timesteps=[5, 3]: needs rising steps"),
        ("invad", "inversion.timesteps", [], "method.inversion.timesteps=[]: needs "),
        ("invad", "inversion.timesteps", [0, 3], "method.inversion.timesteps=[0, 3]: needs "),
        ("ddpm", "reconstruction.start", 2000, "method.reconstruction.start=2000: "),
        ("ddpm", "reconstruction.steps", 251, "method.reconstruction.steps=251: must be ≤ method.reconstruction.start=250"),
        ("diffusion_ad", "segmentation.near", [9, 3], "method.segmentation.near=[9, 3]: needs a first"),
        ("diffusion_ad", "segmentation.near", [], "method.segmentation.near=[]: needs a first"),
        ("diffusion_ad", "segmentation.far", [7], "method.segmentation.far=[7]: needs a first"),
        ("diffusion_ad", "segmentation.score_far", 1001, "method.segmentation.score_far=1001: "),
        ("diffusion_ad", "segmentation.channels", [], "method.segmentation.channels=[]: needs the width of"),
        ("deep_svdd", "hypersphere.stride", 29, "method.hypersphere.stride=29: must be ≤ patch.size=28"),
        ("deep_svdd", "hypersphere.channels", [], "method.hypersphere.channels=[]: needs the width of"),
        ("deep_svdd", "hypersphere.channels", [8, 0], "method.hypersphere.channels=[8, 0]: needs the width of"),
        ("patchcore", "embedding.blocks", [], "method.embedding.blocks=[]: needs at least one block between 0 and 15"),
        ("padim", "embedding.blocks", [4, 16], "method.embedding.blocks=[4, 16]: needs at least one block"),
        ("padim", "embedding.side", 100, "method.embedding.side=100: must be a multiple of 32 px"),
        ("invad_pretrained", "feature_space.blocks", [], "method.feature_space.blocks=[]: needs at least one block"),
        ("invad_pretrained", "feature_space.channels", [], "method.feature_space.channels=[]: needs the width of"),
        ("invad_pretrained", "feature_space.crop", 29, "method.feature_space.crop=29: must lie between 2, "),
        ("invad_pretrained", "feature_space.side", 230, "method.feature_space.side=230: must be a multiple of 32 px"),
        ("invad_pretrained", "inversion.window", 29, "method.inversion.window=29: must be ≤ the side of the grid of features"),
        ("fused_densities_pretrained", "fused_densities.features.blocks", [16], "method.fused_densities.features.blocks=[16]: "),
        ("fused_densities_pretrained", "fused_densities.features.blocks", [4, 4], "method.fused_densities.features.blocks=[4, 4]: "),
        ("patchcore", "embedding.blocks", [7, 4, 7], "method.embedding.blocks=[7, 4, 7]: names a block twice"),
        ("fused_densities_pretrained", "fused_densities.features.side", 200, "method.fused_densities.features.side=200: must be"),
        ("fused_densities_pretrained", "fused_densities.features.margin", 8, "method.fused_densities.features.margin=8: must be"),
        ("fused_densities", "dataset.image.channels", "rgb", "dataset.image.channels=rgb: fused_densities reads brightness"),
        ("fused_densities", "dataset.image.channels", "grey", "method.fused_densities.colour: grey images have none"),
        ("fused_densities", "fused_densities.detail.side", 4, "method.fused_densities.detail.side=4: must be odd"),
        ("fused_densities", "fused_densities.energy.timestep", 1001, "method.fused_densities.energy.timestep=1001: must be ≤"),
        ("fused_densities", "fused_densities.appearance.blurs", [], "method.fused_densities.appearance.blurs=[]: needs"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_one_line(composed: Any, method: str, key: str, value: Any, message: str) -> None:
    config = composed(f"method={method}", "dataset.image.channels=luma_chroma")
    assert not list(method_of(config).problems())
    *path, name = key.split(".")
    section = config if path[0] in ("detector", "dataset") else config.method.settings
    setattr(reduce(getattr, path, section), name, value)
    told = list(method_of(config).problems())
    assert any(problem.startswith(message) for problem in told), told
    with pytest.raises(ConfigError) as error:
        check(config)
    assert str(error.value) in told
    assert "\n" not in str(error.value)


def test_every_part_of_fused_densities_may_be_null_but_not_all(composed: Any) -> None:
    config = composed("method=fused_densities", "dataset.image.channels=luma_chroma")
    settings = config.method.settings.fused_densities
    for part in ("energy", "detail", "context", "appearance"):
        setattr(settings, part, None)
        assert not list(method_of(config).problems())
    settings.colour = None
    assert list(method_of(config).problems()) == ["method.fused_densities: every part is null; keep at least one"]
