"""The training module: loss, timestep frequencies, stateless noise, learning rate, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_builders import diffusion_config, training_config, unet_config
from scipy import stats

from radar.errors import RunError
from radar.networks.build import build_schedule, build_unet
from radar.training.module import DiffusionModule


class SteppedModule(DiffusionModule):
    """A module whose step, rank and number of processes are set by hand, in place of a trainer."""

    step = 0
    rank = 0
    world_size = 1
    global_step = property(lambda self: self.step)
    global_rank = property(lambda self: self.rank)


def module(*, unet=None, seed=0, diffusion=None, **training) -> SteppedModule:
    diffusion = diffusion or diffusion_config()
    return SteppedModule(
        unet or build_unet(unet_config(), patch_size=28, image_channels=1, seed=seed),
        build_schedule(diffusion),
        diffusion=diffusion,
        training=training_config(**training),
        seed=seed,
        fused=False,
    )


class Recorder(torch.nn.Module):
    """A network that predicts k·x and remembers what it was given."""

    def __init__(self, k: float) -> None:
        super().__init__()
        self.k = torch.nn.Parameter(torch.tensor(k))
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __deepcopy__(self, memo) -> Recorder:
        return Recorder(self.k.item())

    def forward(self, x, timestep):
        self.seen.append((x.detach().clone(), timestep.clone()))
        return self.k * x


def test_loss_is_the_mean_square_of_each_image():
    stream = np.random.default_rng(0)
    clean, noise = stream.normal(size=(2, 3, 1, 5, 5)).astype(np.float32)
    timestep = np.array([1, 30, 1000])
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[timestep - 1][:, None, None, None]
    predicted = 0.7 * (np.sqrt(alpha_bar) * clean + np.sqrt(1 - alpha_bar) * noise)
    expected = ((predicted - noise) ** 2).mean(axis=(1, 2, 3))
    under_test = module(unet=Recorder(0.7))
    loss = under_test.loss(under_test.unet, *map(torch.from_numpy, (clean, noise, timestep)))
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-5)


def draws(sampling: str, steps: int, count: int) -> np.ndarray:
    under_test = module(diffusion=diffusion_config(timesteps=steps, timestep_sampling=sampling))
    return under_test.draw_timesteps(count, torch.Generator().manual_seed(7)).numpy()


@pytest.mark.parametrize("steps", [2, 10, 1000])
@pytest.mark.parametrize("sampling", ["uniform", "log_uniform"])
def test_timesteps_have_the_designed_frequencies(sampling, steps):
    count = 200_000
    drawn = draws(sampling, steps, count)
    assert drawn.min() >= 1 and drawn.max() <= steps
    t = np.arange(1, steps + 1)
    share = np.full(steps, 1 / steps) if sampling == "uniform" else np.log((t + 1) / t) / math.log(steps + 1)
    assert share.sum() == pytest.approx(1)
    assert stats.chisquare(np.bincount(drawn, minlength=steps + 1)[1:], count * share).pvalue > 1e-4


@pytest.mark.parametrize("sampling", ["uniform", "log_uniform"])
@pytest.mark.parametrize("value", [0.0, 1 - 2**-24], ids=["smallest", "largest"])
def test_extreme_draws_stay_inside(monkeypatch, sampling, value):
    monkeypatch.setattr(torch, "rand", lambda count, **_: torch.full((count,), value))
    assert draws(sampling, 1000, 3).tolist() == [1 if value == 0 else 1000] * 3


def seen_at(step: int, *, history: tuple[int, ...] = (), rank: int = 0, seed: int = 0):
    """Noisy patches and timesteps that the network meets at `step` after the steps in `history`."""
    torch.manual_seed(len(history))
    under_test = module(unet=Recorder(0.5), seed=seed)
    under_test.rank = rank
    patches = torch.zeros(4, 1, 6, 6)
    for under_test.step in (*history, step):
        under_test.training_step(patches, 0)
    return under_test.unet.seen[-1]


def test_noise_and_timesteps_of_a_step_do_not_depend_on_history():
    noisy, timestep = seen_at(5)
    for history in ((0, 1, 2, 3, 4), (9,)):
        again, same = seen_at(5, history=history)
        assert torch.equal(again, noisy) and torch.equal(same, timestep)
    for other in (seen_at(6), seen_at(5, seed=1)):
        assert not torch.equal(other[0], noisy)


def test_two_processes_see_what_one_sees_with_twice_the_batch():
    seen = []
    for rank, world_size, count in ((0, 1, 8), (0, 2, 4), (1, 2, 4)):
        under_test = module(unet=Recorder(0.5))
        under_test.rank, under_test.world_size = rank, world_size
        under_test.training_step(torch.zeros(count, 1, 6, 6), 0)
        seen.append(under_test.unet.seen[0])
    (alone, *together) = seen
    for part in (0, 1):
        assert torch.equal(torch.cat([each[part] for each in together]), alone[part])


def test_training_noise_is_standard_normal():
    under_test = module(unet=Recorder(0.0))
    under_test.training_step(torch.zeros(64, 1, 20, 20), 0)
    noisy, timestep = under_test.unet.seen[0]
    noise = noisy / under_test.schedule.noise[timestep - 1].view(-1, 1, 1, 1)  # of images that are zero
    assert stats.kstest(noise.numpy().ravel(), "norm").pvalue > 1e-4


def test_validation_noise_is_the_same_at_every_epoch(monkeypatch):
    diffusion = diffusion_config(validation_timesteps=[1, 50])
    under_test = module(unet=Recorder(0.5), diffusion=diffusion)
    logged = []
    monkeypatch.setattr(under_test, "log", lambda name, value, **_: logged.append((name, value.item())))
    for under_test.step in (0, 500):
        under_test.validation_step(torch.ones(2, 1, 6, 6), 3)
    first, second = logged[:4], logged[4:]
    assert first == second
    assert [name for name, _ in first] == [
        "validation_loss/t1",
        "validation_loss",
        "validation_loss/t50",
        "validation_loss",
    ]
    assert not under_test.unet.seen, "the averaged weights are validated"
    assert [timestep.tolist() for _, timestep in under_test.average.seen[:2]] == [[1, 1], [50, 50]]


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


def test_the_optimizer_moves_the_trained_weights_alone():
    under_test = module(learning_rate=0.5, weight_decay=0.25)
    optimizer = under_test.configure_optimizers()["optimizer"]
    trained = {id(parameter) for parameter in under_test.unet.parameters()}
    assert {id(parameter) for group in optimizer.param_groups for parameter in group["params"]} == trained
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * 0.1) and optimizer.defaults["weight_decay"] == 0.25


def test_averaged_weights_are_stored_with_the_trained():
    names = module().state_dict().keys()
    trained = {name.removeprefix("unet.") for name in names if name.startswith("unet.")}
    assert trained == {name.removeprefix("average.") for name in names if name.startswith("average.")} != set()


def test_epoch_loss_is_the_mean_since_the_epoch_began():
    under_test = module(unet=Recorder(0.5))
    under_test.step = 4
    under_test.on_train_epoch_start()
    losses = []
    for under_test.step in (4, 5, 6):
        losses.append(under_test.training_step(torch.zeros(4, 1, 6, 6), 0).item())
    under_test.step = 7
    assert under_test.epoch_loss() == pytest.approx(np.mean(losses))


def test_a_loss_that_is_not_finite_names_the_learning_rate():
    under_test = module(unet=Recorder(float("nan")))
    under_test.training_step(torch.zeros(4, 1, 6, 6), 0)
    with pytest.raises(RunError, match=r"training\.learning_rate=0\.001: the loss is not finite"):
        under_test.epoch_loss()


def test_it_learns_a_constant_set():
    """x_t of a known constant gives the noise away, so the loss must fall far below that of predicting nothing, 1."""
    diffusion = diffusion_config(timesteps=20, first_beta=0.1, last_beta=0.1)
    under_test = module(
        unet=build_unet(unet_config(), patch_size=28, image_channels=1, seed=0),
        diffusion=diffusion,
        learning_rate=5e-3,
        warmup_steps=10,
        max_steps=100,
        ema_decay=0.95,
    )
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
        averaged = under_test.loss(under_test.average, patches[:1].expand_as(noise), noise, torch.arange(64) % 20 + 1)
    assert averaged.mean() < 0.1


@pytest.mark.parametrize("limit", [0.5, 1e9])
def test_a_fused_step_clips_the_gradient_to_its_norm(limit):
    under_test = module()
    under_test.fused = True
    under_test.training_step(torch.randn(4, 1, 14, 14), 0).backward()
    weights = [weight for weight in under_test.unet.parameters() if weight.grad is not None]
    for weight in weights:
        weight.grad.add_(1.0)
    before = math.sqrt(sum(weight.grad.square().sum().item() for weight in weights))
    under_test.configure_gradient_clipping(torch.optim.SGD(weights, lr=1.0), limit)
    after = math.sqrt(sum(weight.grad.square().sum().item() for weight in weights))
    assert after == pytest.approx(min(before, limit), rel=1e-4)
