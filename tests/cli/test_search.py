"""A search: its study outlives the process, its objective is the held-out loss, what was killed is tried again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_main import QUICK

from radar import install_command
from radar.cli.exit_codes import FAILED, REFUSED

optuna = pytest.importorskip("optuna", reason=f"optuna is not installed; {install_command('search')}")

import torch  # noqa: E402

from radar.cli.main import main  # noqa: E402
from radar.cli.running import Runner  # noqa: E402
from radar.compose import command_line  # noqa: E402
from radar.compose.config_tree import options  # noqa: E402
from radar.compose.plan import plan  # noqa: E402
from radar.data.images import Images  # noqa: E402
from radar.data.preprocessing import Frame  # noqa: E402
from radar.data.sample import NORMAL_DEFECT, Sample  # noqa: E402
from radar.errors import ConfigError, RunError  # noqa: E402
from radar.experiment.sweep import Sweep, sweeps  # noqa: E402
from radar.methods.method import Normals  # noqa: E402
from radar.methods.parts.denoising import DENOISER, trains_denoiser  # noqa: E402
from radar.methods.registry import method_of  # noqa: E402
from radar.rasters import Rasters  # noqa: E402

SEARCH = ("--config-name", "sweep_search", *QUICK)


def search(root: Path, trials: int, *more: str) -> int:
    return main([*SEARCH, f"hydra.sweeper.n_trials={trials}", *more, f"output_root={root}"])


def trials(sweep: Sweep) -> list[optuna.trial.FrozenTrial]:
    study: optuna.Study = optuna.load_study(study_name="radar", storage=f"sqlite:///{sweep.path / 'study.db'}")
    return study.get_trials()


@pytest.fixture(autouse=True)
def _one_configuration_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_search_minimises_the_loss_on_held_out_normals_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(tmp_path, 2) == 0
    (only,) = sweeps(tmp_path)
    first = trials(only)
    runs = [json.loads((state.directory / "metrics.json").read_text()) for state in only.states() if state.directory]
    assert [trial.value for trial in first] == [run["validation_loss"] for run in runs]
    assert search(tmp_path, 2) == 0  # all there: nothing runs
    assert len(trials(only)) == 2
    assert search(tmp_path, 3) == 0
    after = trials(only)
    assert [trial.params for trial in after[:2]] == [trial.params for trial in first]
    assert after[2].params not in [trial.params for trial in first]
    assert len(only.states()) == 3
    best = min(trial.value for trial in after)
    assert f"Smallest validation_loss {best:.4f}" in capsys.readouterr().out


def test_a_killed_trial_is_tried_again_with_its_own_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("radar.cli.running.Runner._run", killed)
        assert search(tmp_path, 2) == 130
    (only,) = sweeps(tmp_path)
    (running,) = trials(only)
    assert running.state == optuna.trial.TrialState.RUNNING
    assert search(tmp_path, 2) == 0
    complete = [trial for trial in trials(only) if trial.state == optuna.trial.TrialState.COMPLETE]
    assert len(complete) == 2
    assert complete[0].params == running.params


def test_a_forced_search_makes_every_trial_again_and_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(tmp_path, 2) == 0
    (only,) = sweeps(tmp_path)
    before, drawn = made(tmp_path), [trial.params for trial in trials(only)]
    run, calls = Runner._run, list[int]()

    def second_killed(*arguments: Any, **named: Any) -> float | None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Runner, "_run", second_killed)
        assert search(tmp_path, 2, "--force") == 130
    assert [trial.state.name for trial in trials(only)] == ["COMPLETE", "RUNNING"]
    assert len(only.states()) == 1  # what was made before does not read as done
    between = made(tmp_path)
    assert search(tmp_path, 2, "--force") == 0
    after = made(tmp_path)
    assert before.keys() == between.keys() == after.keys()
    networks = [path for path in after if path.parent.parent.name == "network"]
    assert len(networks) == 2 and all(after[path] != before[path] for path in networks)
    assert sum(between[path] == after[path] for path in networks) == 1  # made by the interrupted command
    assert [trial.params for trial in trials(only) if trial.state.name == "COMPLETE"] == drawn
    assert "Smallest validation_loss" in capsys.readouterr().out
    assert search(tmp_path, 2) == 0 and made(tmp_path) == after
    assert search(tmp_path, 1, "--force") == 0  # anew, with the trials of this command
    assert len(trials(only)) == len(only.states()) == 1


def made(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.glob("cache/*/*/made.json")}


def test_a_search_that_was_stopped_between_two_trials_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, made = Runner._run, []

    def stopped(*given: Any) -> float | None:
        if made:
            raise KeyboardInterrupt
        made.append(run(*given))
        return made[0]

    with monkeypatch.context() as patch:
        patch.setattr("radar.cli.running.Runner._run", stopped)
        assert search(tmp_path, 2) == 130
    assert main(["status", f"output_root={tmp_path}"]) == FAILED
    assert "1 done, trials of the search are left" in capsys.readouterr().out
    assert search(tmp_path, 2) == 0
    assert main(["status", f"output_root={tmp_path}"]) == 0
    assert "are left" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        "hydra.sweeper.params.unet=choice(small,compact)",
        "hydra.sweeper.n_trials=2,3",
        "hydra/launcher=basic,joblib",
        "hydra.run.dir=elsewhere",
    ],
)
def test_what_is_hydras_own_is_not_swept_over_nor_set_in_vain(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ((), ("--dry-run",)):
        assert main([*SEARCH, words, f"output_root={tmp_path}", *more]) == REFUSED
        assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_failed_trial_does_not_stop_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from radar.experiment import networks  # noqa: PLC0415

    train, calls = networks.fit_network, []

    def fails_first(*arguments, **named):
        calls.append(1)
        if len(calls) == 1:
            raise ArithmeticError("planted")
        return train(*arguments, **named)

    monkeypatch.setattr(networks, "fit_network", fails_first)
    assert search(tmp_path, 2) == FAILED
    (only,) = sweeps(tmp_path)
    assert [state.state for state in only.states()] == ["failed", "done"]
    assert [trial.state.name for trial in trials(only)] == ["FAIL", "COMPLETE"]


def test_a_search_of_which_every_trial_fails_ends_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from radar.experiment import networks  # noqa: PLC0415

    def fails(*_: object, **__: object) -> None:
        raise RunError("planted")

    monkeypatch.setattr(networks, "fit_network", fails)
    for _ in range(2):  # nothing is left to try the second time
        assert search(tmp_path, 2) == FAILED
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        assert told.out.count("failed") == 2 and "No job has a validation_loss" in told.out
    assert told.err == ""
    (only,) = sweeps(tmp_path)
    assert [(state.state, state.error) for state in only.states()] == [("failed", "RunError: planted")] * 2


def test_a_search_whose_trials_tell_no_loss_ends_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from radar.experiment import computation  # noqa: PLC0415

    trained = computation._trained
    monkeypatch.setattr(computation, "_trained", lambda method: (trained(method)[0], []))
    for _ in range(2):
        assert search(tmp_path, 1) == FAILED
        told = capsys.readouterr()
        assert "Traceback" not in told.err and "No job has a validation_loss" in told.out


WITHOUT_A_LOSS = "leaves no validation_loss, the one thing that a search goes by"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["method=pca"], f"method pca: {WITHOUT_A_LOSS}"),
        (["method=deep_svdd"], f"method deep_svdd: {WITHOUT_A_LOSS}"),  # whose network is not the shared one
        (["method=choice(radar,lof)"], f"method lof: {WITHOUT_A_LOSS}"),
        (["method.windows.neighbours=choice(3,5)"], "method.windows.neighbours=choice(3,5): method radar does not read it"),
        (["unet.groups=choice(2,4)", "unet=compact"], "unet.groups=choice(2,4): unet.kind=compact does not read it"),
        (["dataset.folder.normal=choice(a,b)"], "dataset.folder.normal=a: the dataset that was chosen has no such key"),
        (["training.batch_size=choice(16,0)"], "training.batch_size=0"),
        (["training.learning_rate=1e-3", "training.ema_decay=0.9", "training.weight_decay=0.0", "training.batch_size=8",
          "unet=compact"], "hydra/sweeper: a search with nothing to vary; name an axis"),
    ],
)  # fmt: skip
def test_a_search_in_vain_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: list[str], said: str
) -> None:
    few = [word for word in SEARCH if not word.startswith(("training", "patch", "scoring"))]
    assert main([*few, "hydra.sweeper.n_trials=1", *typed, f"output_root={tmp_path}"]) == REFUSED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"radar: {said}")
    assert list(tmp_path.iterdir()) == []


def test_an_axis_that_one_trial_reads_is_searched() -> None:
    words = ["--config-name", "sweep_search", "experiment=debug", "diffusion.schedule=choice(linear,cosine)"]
    own = ["diffusion.cosine_offset=interval(0.001,0.1)", "training.weight_decay=interval(0,1)"]
    assert len(plan(command_line.read([*words, *own])).jobs) == 1
    own[0] = "diffusion.first_beta=interval(0.0001,0.001)"
    plan(command_line.read([*words, *own]))
    with pytest.raises(ConfigError, match=r"diffusion\.schedule=cosine does not read it"):
        plan(command_line.read([*words[:-1], "diffusion.schedule=cosine", *own]))


def test_what_a_search_goes_by_is_known_of_every_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radar.methods.key_rules.is_installed", lambda: True)  # no weights are read
    for name in options("method"):
        (job,) = plan(
            command_line.read(["experiment=debug", f"method={name}", "dataset.image.channels=luma_chroma"])
        ).jobs
        noise = Rasters.of(torch.zeros(2, 1, 64, 64))
        frames = (Frame(64, 64, 0, 0, 64, 64),) * 2
        samples = tuple(Sample(each, each, "train", 0, NORMAL_DEFECT, None, each) for each in "ab")
        images = Images(noise, ("luma",), samples, frames)
        trained = {training.name for training in method_of(job.config).trainings(Normals(images, images))}
        assert trains_denoiser(method_of(job.config)) == (DENOISER in trained), name


def test_a_bad_key_fails_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(tmp_path, 1, "training.max_step=3") == REFUSED
    assert "did you mean" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("direction", ["maximize", "[minimize]", "null", "3"])
def test_a_search_of_anything_but_the_smallest_loss_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], direction: str
) -> None:
    assert search(tmp_path, 1, f"hydra.sweeper.direction={direction}") == REFUSED
    assert "a search looks for the smallest validation_loss" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
