"""The training module: dropout, learning rate, clipping, averaged weights, what is frozen, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_builders import diffusion_config, trainer_config, training_config, unet_config
from torch import nn

from radar.diffusion.objective import DiffusionObjective
from radar.errors import RunError
from radar.networks.build import build_unet
from radar.training.module import TrainingModule
from radar.training.objective import Objective


class SteppedModule(TrainingModule):
    """A module whose step is set by hand, in place of a trainer."""

    step = 0
    global_step = property(lambda self: self.step)


class Scale(nn.Module):
    """k·x, behind dropout."""

    def __init__(self, k: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.tensor(k))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.k * x)


class Sum(Objective):
    """The loss is the sum of the output; in validation, it and its half are averaged."""

    def __init__(self, *frozen: nn.Module, training_mode: bool = True) -> None:
        self.frozen = frozen
        self.training_mode = training_mode

    def training_loss(self, network, crops, clock):
        return network(crops).sum()

    def validation_losses(self, network, crops, clock):
        loss = network(crops).sum()
        return {"validation_loss": torch.stack([loss, loss / 2]), "step": torch.tensor(clock.step)}


def module(
    network: nn.Module | None = None, objective: Objective | None = None, *, seed=0, **training
) -> SteppedModule:
    return SteppedModule(
        network or Scale(0.5),
        objective or Sum(),
        training=training_config(**training),
        trainer=trainer_config(),
        seed=seed,
    )


ONES = torch.ones(4, 1, 6, 6)


def test_dropout_is_a_function_of_seed_and_step():
    def loss(step, seed=0, drawn=0):
        under_test = module(Scale(0.5, dropout=0.5), seed=seed)
        torch.manual_seed(drawn)
        under_test.step = step
        return under_test.training_step(ONES, 0).item()

    assert loss(3) == loss(3, drawn=9)
    assert len({loss(3), loss(4), loss(3, seed=1)}) == 3


def test_a_network_that_learns_as_it_scores_drops_nothing_and_leaves_the_global_generator():
    under_test = module(Scale(0.5, dropout=0.5), Sum(training_mode=False)).train()
    before = torch.get_rng_state()
    assert under_test.training_step(ONES, 0).item() == 0.5 * ONES.numel()
    assert torch.equal(torch.get_rng_state(), before)
    assert under_test.training and not under_test.network.training and not under_test.average.training


def test_validation_asks_the_average_and_logs_every_value(monkeypatch):
    under_test = module()
    under_test.network.k.data.fill_(9.0)
    under_test.step = 7
    logged = []
    monkeypatch.setattr(under_test, "log", lambda name, value, **_: logged.append((name, value.item())))
    under_test.validation_step(ONES[:1, :, :1, :2], 3)
    assert logged == [("validation_loss", 1.0), ("validation_loss", 0.5), ("step", 7)]


def test_frozen_networks_are_brought_along_but_neither_trained_nor_stored():
    frozen = nn.Linear(2, 2)
    under_test = module(objective=Sum(frozen)).double()
    assert frozen.weight.dtype == torch.float32
    under_test.to("meta").on_fit_start()
    assert frozen.weight.device.type == "meta"
    assert {name.split(".")[0] for name in under_test.state_dict()} == {"network", "average"}
    optimizer = under_test.configure_optimizers()["optimizer"]
    assert [id(each) for group in optimizer.param_groups for each in group["params"]] == [id(under_test.network.k)]


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        ("constant", 0, 0.1),  # nine warm-up steps: the tenth is the first at full rate
        ("constant", 8, 0.9),
        ("constant", 9, 1.0),
        ("constant", 99, 1.0),
        ("cosine", 0, 0.1),
        ("cosine", 50, 0.5),
        ("cosine", 75, 0.5 * (1 - math.sqrt(0.5))),
        ("cosine", 100, 0.0),
        ("cosine", 150, 0.0),
    ],
)
def test_learning_rate_factor(schedule, step, factor):
    assert module(learning_rate_schedule=schedule).learning_rate_factor(step) == pytest.approx(factor, abs=1e-12)


def test_the_optimizer_has_the_settings_of_the_config():
    optimizer = module(learning_rate=0.5, weight_decay=0.25).configure_optimizers()["optimizer"]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * 0.1) and optimizer.defaults["weight_decay"] == 0.25


def test_averaged_weights_are_stored_with_the_trained():
    assert list(module().state_dict()) == ["network.k", "average.k"]


def test_epoch_loss_is_the_mean_since_the_epoch_began():
    under_test = module()
    under_test.step = 4
    under_test.on_train_epoch_start()
    losses = []
    for under_test.step in (4, 5, 6):
        losses.append(under_test.training_step(under_test.step * ONES, 0).item())
    under_test.step = 7
    assert under_test.epoch_loss() == pytest.approx(np.mean(losses))


def test_a_loss_that_is_not_finite_names_the_learning_rate():
    under_test = module(Scale(float("nan")))
    under_test.training_step(ONES, 0)
    with pytest.raises(RunError, match=r"training\.learning_rate=0\.001: the loss is not finite"):
        under_test.epoch_loss()


def test_it_learns_a_constant_set():
    """x_t of a known constant gives the noise away, so the loss must fall far below that of predicting nothing, 1."""
    objective = DiffusionObjective(diffusion_config(timesteps=20, first_beta=0.1, last_beta=0.1), simplex=None)
    unet = build_unet(unet_config(channels=[8], attention_levels=[]), patch_size=28, image_channels=1, seed=0)
    under_test = module(unet, objective, learning_rate=5e-3, warmup_steps=10, max_steps=100, ema_decay=0.95)
    parts = under_test.configure_optimizers()
    patches = torch.full((12, 1, 8, 8), 0.5)
    losses = []
    for under_test.step in range(100):
        loss = under_test.training_step(patches, 0)
        parts["optimizer"].zero_grad()
        loss.backward()
        parts["optimizer"].step()
        parts["lr_scheduler"]["scheduler"].step()
        under_test.ema.update(under_test.step + 1)
        losses.append(loss.item())
    assert losses[0] == pytest.approx(1, abs=0.1)  # the head starts at zero
    assert np.mean(losses[-10:]) < 0.1
    noise = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        averaged = objective.loss(under_test.average, patches[:1].expand_as(noise), noise, torch.arange(64) % 20 + 1)
    assert averaged.mean() < 0.1


@pytest.mark.parametrize("limit", [0.5, 1e9])
def test_a_fused_step_clips_the_gradient_to_its_norm(limit):
    under_test = module(nn.Conv2d(1, 2, 3))
    under_test.training_step(ONES, 0).backward()
    weights = list(under_test.network.parameters())
    before = math.sqrt(sum(weight.grad.square().sum().item() for weight in weights))
    under_test.configure_gradient_clipping(torch.optim.SGD(weights, lr=1.0), limit)
    after = math.sqrt(sum(weight.grad.square().sum().item() for weight in weights))
    assert under_test.fused and before > 0.5
    assert after == pytest.approx(min(before, limit), rel=1e-4)
