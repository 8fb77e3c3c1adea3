"""A search: its study outlives the process, its objective is the held-out loss, what was killed is tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_main import QUICK

from radar import install_command
from radar.cli.exit_codes import FAILED, REFUSED

optuna = pytest.importorskip("optuna", reason=f"optuna is not installed; {install_command('search')}")

from radar.cli.main import main  # noqa: E402
from radar.experiment.sweep import Sweep, sweeps  # noqa: E402

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
