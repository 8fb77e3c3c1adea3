"""Rules of section `method`: one line each, before any work."""

from __future__ import annotations

from dataclasses import replace

import pytest
from radar.compose.method_rules import method_problems

from radar.errors import ConfigError


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method.name=pca"], r"method\.reduction=null: method pca needs it"),
        (["method=pca", "method.windows=null"], r"method\.windows=null: method pca needs it"),
        (["method=lof", "detector=isolation_forest"], r"detector\.name=isolation_forest: lof gives one score"),
        (["method=pca", "method.windows.size=200"], r"method\.windows\.size=200: must be ≤ the image's side, 100 px"),
        (["method=pca", "method.windows.stride=15"], r"method\.windows\.stride=15: must be ≤ method\.windows\.size=14"),
        (["method=osd_irf", "method.residual_field.neighbourhood=4"], r"neighbourhood=4: must be odd"),
        (
            ["method=osd_irf", "method.residual_field.timestep=1001"],
            r"residual_field\.timestep=1001: must be ≤ diffusion",
        ),
        (["method=invad", "method.inversion.window=4"], r"method\.inversion\.window=4: must be odd"),
        (["method=invad", "method.inversion.timesteps=[5,3]"], r"timesteps=\[5, 3\]: needs rising steps"),
        (["method=invad", "method.inversion.timesteps=[]"], r"needs rising steps"),
        (["method=invad", "method.inversion.timesteps=[0,3]"], r"between 1 and 1000"),
        (["method=ddpm", "method.reconstruction.start=2000"], r"start=2000: must be ≤ diffusion\.timesteps=1000"),
        (["method=ddpm", "method.reconstruction.steps=251"], r"steps=251: must be ≤ method\.reconstruction\.start=250"),
        (["method=anoddpm", "method.reconstruction.simplex=null"], r"anoddpm needs simplex noise"),
        (
            ["method=diffusion_ad", "method.segmentation.near=[9,3]"],
            r"method\.segmentation\.near=\[9, 3\]: needs a first",
        ),
        (["method=diffusion_ad", "method.segmentation.score_far=1001"], r"must be ≤ diffusion\.timesteps=1000"),
        (
            ["method=deep_svdd", "method.hypersphere.stride=29"],
            r"method\.hypersphere\.stride=29: must be ≤ patch\.size=28",
        ),
        (["method=deep_svdd", "method.hypersphere.channels=[]"], r"hypersphere\.channels=\[\]: needs the width of"),
        (
            ["method=deep_svdd", "method.hypersphere.channels=[8,0]"],
            r"hypersphere\.channels=\[8, 0\]: needs .* each ≥ 1",
        ),
        (
            ["method=diffusion_ad", "method.segmentation.channels=[]"],
            r"segmentation\.channels=\[\]: needs the width of",
        ),
        (["method=diffusion_ad", "method.segmentation.near=[]"], r"segmentation\.near=\[\]: needs a first"),
        (["method=diffusion_ad", "method.segmentation.far=[7]"], r"segmentation\.far=\[7\]: needs a first"),
        (["method=nothing"], r"method=nothing: group method has no option nothing"),
        (["method=pca", "method.windows.nu=0"], r"method\.windows\.nu=0.*must be > 0"),
    ],
)
def test_a_broken_rule_is_one_line(composed, overrides, message):
    with pytest.raises(ConfigError, match=message) as caught:
        composed(*overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.embedding.blocks=[]", r"method\.embedding\.blocks=\[\]: needs at least one block between 0 and 15"),
        ("method.embedding.blocks=[4,16]", r"method\.embedding\.blocks=\[4, 16\]: needs at least one block"),
        ("method.embedding.side=100", r"method\.embedding\.side=100: must be a multiple of 32 px"),
    ],
)
@pytest.mark.parametrize("method", ["patchcore", "padim"])
def test_a_broken_rule_of_pretrained_features_is_one_line(composed, monkeypatch, method, override, message):
    monkeypatch.setattr("radar.compose.method_rules.find_spec", lambda name: True)
    with pytest.raises(ConfigError, match=message):
        composed(f"method={method}", override)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.feature_space.blocks=[]", r"method\.feature_space\.blocks=\[\]: needs at least one block"),
        ("method.feature_space.channels=[]", r"method\.feature_space\.channels=\[\]: needs the width of"),
        ("method.feature_space.crop=29", r"feature_space\.crop=29: must lie between 2, .* and the grid's side, 28"),
        ("method.feature_space.side=230", r"method\.feature_space\.side=230: must be a multiple of 32 px"),
        ("method.inversion.window=29", r"method\.inversion\.window=29: must be ≤ the side of the grid of features, 28"),
    ],
)
def test_a_broken_rule_of_the_feature_space_is_one_line(composed, monkeypatch, override, message):
    monkeypatch.setattr("radar.compose.method_rules.find_spec", lambda name: True)
    with pytest.raises(ConfigError, match=message):
        composed("method=invad_pretrained", override)


def test_the_feature_space_is_read_by_two_methods_alone(composed, monkeypatch):
    monkeypatch.setattr("radar.compose.method_rules.find_spec", lambda name: True)
    config, space = composed("method=pca"), composed("method=invad_pretrained").method.feature_space
    config = replace(config, method=replace(config.method, feature_space=space))
    assert list(method_problems(config)) == ["method.feature_space: pca does not read it; only osd_irf, invad do"]


@pytest.mark.parametrize("method", ["pca", "ddpm", "anoddpm", "ddad", "osd_irf", "invad", "diffusion_ad", "deep_svdd"])
def test_the_options_are_sound(composed, method):
    assert composed(f"method={method}").method.reduction is not None
