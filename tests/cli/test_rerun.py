"""A stored command is composed once more, wherever its run lies; what runs code is named once more."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_main import FEW_IMAGES, QUICK

from radar import plugins
from radar.cli.exit_codes import REFUSED
from radar.cli.main import main
from radar.cli.rerun import again
from radar.compose import command_line
from radar.compose.plan import Plan, plan
from radar.errors import RunError
from radar.experiment.command import Command, read_command, write_command
from radar.experiment.log import LOG_FILE
from radar.experiment.sweep import sweeps
from radar.files import read_yaml


def repeated(run: Path, *arguments: str) -> Plan:
    return plan(again(run, command_line.read(arguments)))


def test_a_copied_run_is_repeated_with_what_is_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FEW_IMAGES, "method=pca", "seed=4", f"output_root={tmp_path}"]) == 0
    (run,) = tmp_path.glob("*/command.json")
    said = capsys.readouterr().out
    log = (run.parent / LOG_FILE).read_text()
    assert "seed=4" in log and "Results: " in log
    assert all(line.rstrip() in log for line in said.splitlines())
    shutil.copytree(run.parent, tmp_path / "copies" / "one")
    assert main(["--rerun", str(tmp_path / "copies" / "one"), f"output_root={tmp_path}"]) == 0
    assert f"Done before, reused (--force runs it again): {run.parent}" in capsys.readouterr().out
    (job,) = repeated(tmp_path / "copies" / "one", "seed=5").jobs
    assert (job.config.seed, job.config.method.name, job.config.preset) == (5, "pca", "debug")
    assert repeated(run.parent, "-m", "seed=1,2").names == ["seed=1", "seed=2"]


def test_what_was_stored_is_dropped_where_the_method_that_is_added_does_not_read_it(tmp_path: Path) -> None:
    write_command(tmp_path, Command(("timestep=t50", "seed=2"), None, ()))
    assert repeated(tmp_path).jobs[0].overrides == ("timestep=t50", "seed=2")
    assert repeated(tmp_path, "method=pca").jobs[0].overrides == ("seed=2", "method=pca")


@pytest.mark.parametrize(
    ("stored", "chosen", "told"),
    [
        (["timestep.value=7", "seed=2"], "timestep=t50", "timestep.value=7"),
        (["dataset=folder", "dataset.root=parts", "dataset.folder.normal=good"], "dataset=prints",
         "dataset.root=parts dataset.folder.normal=good"),
        (["unet.channels=[8,8]", "patch.size=14"], "unet=small", "unet.channels=[8,8]"),
        (["timestep.value=7"], "seed=3", ""),
        (["timestep.value=7"], "experiment=fast", ""),
        (["unet={groups:4,dropout:0.1}", "seed=2"], "unet={dropout:0.3}", "unet={groups:4,dropout:0.1}"),
    ],
)  # fmt: skip
def test_an_option_that_is_chosen_anew_takes_its_keys_with_it(
    tmp_path: Path, stored: list[str], chosen: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_command(tmp_path, Command(tuple(stored), None, ()))
    kept = again(tmp_path, command_line.read([chosen])).presets
    group = chosen.partition("=")[0]
    assert list(kept) == [word for word in stored if word not in told.split() and word.partition("=")[0] != group]
    said = capsys.readouterr().err
    assert (f"note: {told} of {tmp_path} gives way to what is chosen in its place: {chosen}" in said) == bool(told)
    assert bool(said) == bool(told)


@pytest.mark.parametrize(
    ("stored", "typed", "kept"),
    [
        (["dataset=folder", "dataset.root=old", "dataset.folder.normal=good"], ["dataset=folder", "dataset.root=new"],
         ["dataset.folder.normal=good"]),
        (["unet=compact", "unet.dropout=0.1"], ["unet=compact", "seed=2"], ["unet.dropout=0.1"]),
        (["unet=compact", "unet.dropout=0.1"], ["-m", "unet=compact,small"], []),
        (["unet=compact", "unet={dropout:0.1}"], ["unet=compact"], ["unet={dropout:0.1}"]),
        (["unet=compact", "unet={dropout:0.1}"], ["unet=small"], []),
        (["unet=compact", "unet.blocks=1"], ["unet={dropout:0.1}"], ["unet=compact", "unet.blocks=1"]),
    ],
)  # fmt: skip
def test_an_option_that_the_run_had_takes_nothing_with_it(
    tmp_path: Path, stored: list[str], typed: list[str], kept: list[str]
) -> None:
    write_command(tmp_path, Command(tuple(stored), None, ()))
    assert list(again(tmp_path, command_line.read(typed)).presets) == kept


def test_of_stored_braces_only_what_is_read_is_taken(tmp_path: Path) -> None:
    stored = (
        "scoring={window:7,draws:2}",
        "detector={trees:5}",
        "method={windows:{size:9,stride:2}}",
        "unet={dropout:0.1}",
    )
    write_command(tmp_path, Command(stored, None, ()))
    assert repeated(tmp_path, "method=pca").jobs[0].overrides == (
        "scoring={window:7}",
        "method=pca",
    )
    assert repeated(tmp_path).jobs[0].overrides == (stored[0], stored[3])


def test_several_options_that_are_chosen_anew_are_several_jobs(tmp_path: Path) -> None:
    write_command(tmp_path, Command(("timestep.value=7", "seed=2"), None, ()))
    assert repeated(tmp_path, "-m", "timestep=t1,t10").names == ["timestep=t1", "timestep=t10"]


def test_a_job_of_a_sweep_config_is_repeated_alone(tmp_path: Path) -> None:
    write_command(tmp_path, Command(("timestep=t5", "seed=1"), None, (), config_name="sweep_timestep"))
    planned = repeated(tmp_path)
    assert not planned.is_sweep
    assert planned.names == ["timestep=t5 seed=1"]


def test_nothing_that_runs_code_is_taken_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_command(tmp_path, Command(("+hydra.callbacks.own._target_=os.abort", "seed=2"), None, ()))
    planned = repeated(tmp_path)
    assert not planned.settings.callbacks and planned.jobs[0].overrides == ("seed=2",)
    write_command(tmp_path, Command((), None, ("antigravity",)))
    with pytest.raises(RunError, match=r"was made with plug-ins; add --plugins antigravity$"):
        repeated(tmp_path)
    monkeypatch.setattr(plugins, "_imported", {"antigravity": pytest})
    assert repeated(tmp_path, "seed=2").jobs[0].config.seed == 2
    write_command(tmp_path, Command((), None, (), config_dir=str(tmp_path)))
    with pytest.raises(RunError, match=r"was made with configs from elsewhere; add --config-dir "):
        repeated(tmp_path)
    repeated(tmp_path, "--config-dir", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rerun"], "radar: --rerun: name a run directory after it"),
        (["--rerun", "nowhere"], "radar: nowhere: no such run directory"),
        (["--plugins"], "radar: --plugins : name a module, or several as --plugins MODULE,MODULE"),
        (["status", "--plugins=,"], "radar: --plugins ,: name a module"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == REFUSED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)


def test_the_stored_command_is_one_that_the_shell_takes(tmp_path: Path) -> None:
    write_command(tmp_path, Command(("seed=2",), None, (), config_name="sweep_seed"))
    _, *words = json.loads((tmp_path / "command.json").read_text())["command"]
    assert plan(command_line.read(words)).jobs[0].config.seed == 2


def test_where_results_go_is_not_taken_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "it's, {here}" / "run"
    run.mkdir(parents=True)
    write_command(run, Command(("seed=2", f"output_root={tmp_path / 'elsewhere'}"), None, ()))
    assert repeated(run).jobs[0].config.output_root == str(run.parent)
    assert repeated(run, "output_root=typed").jobs[0].config.output_root == "typed"
    (run / "figures").mkdir()
    for here, named in ((run, "."), (run / "figures", ".."), (run / "figures", "../figures/..")):
        monkeypatch.chdir(here)
        assert Path(repeated(Path(named)).jobs[0].config.output_root) == run.parent


@pytest.mark.parametrize("name", ["../../own", "/own", "sub/../../own"])
def test_a_config_that_lies_elsewhere_is_not_taken_from_the_file(tmp_path: Path, name: str) -> None:
    write_command(tmp_path, Command((), None, (), config_name=name))
    with pytest.raises(RunError, match="lies elsewhere; name it once more with --config-name"):
        repeated(tmp_path)


def test_a_file_names_no_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evil.py").write_text("from pathlib import Path; Path('ran').touch()")
    (tmp_path / "--plugins=evil").touch()
    for words in (["predict", "run", "--plugins=evil", "evil.py"], ["predict", "run", "--", "--plugins=evil"]):
        assert main(words) == REFUSED
    (tmp_path / "--plugins=evil").unlink()
    (tmp_path / "--plugins").touch()
    assert main(["predict", "run", "--plugins", "evil"]) == REFUSED
    assert main(["predict", "run", "--", "--plugins", "evil"]) == REFUSED
    (tmp_path / "--plugins").unlink()
    (tmp_path / "--plugins=evil").symlink_to("nowhere")
    assert main(["predict", "run", "--plugins=evil", "evil.py"]) == REFUSED
    (tmp_path / "--plugins=evil").unlink()
    for behind in (["--plugins=evil"], ["--plugins", "evil"], ["--version"]):
        words = ["predict", "run", "--", *behind]
        assert command_line.without_plugins(words) == (words, [])
        assert main(words) == REFUSED
    assert not (tmp_path / "ran").exists()
    told = capsys.readouterr().err
    assert "--plugins=evil: is a file here; name it ./--plugins=evil" in told


def test_a_run_that_is_repeated_on_other_photos_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, here in enumerate(("one", "other")):
        for number in range(12):
            photo = np.random.default_rng([seed, number]).integers(80, 160, (32, 32), dtype=np.uint8)
            (tmp_path / here / "parts").mkdir(parents=True, exist_ok=True)
            Image.fromarray(photo).save(tmp_path / here / "parts" / f"{number}.png")
    quick = [
        "experiment=lof_texture",
        "dataset.image.size=32",
        "logger=csv",
        "method.controls=[]",
        "evaluation.figures=false",
    ]
    monkeypatch.chdir(tmp_path / "one")
    assert main(["train", "parts", *quick, "output_root=../runs"]) == 0
    (run,) = (path for path in (tmp_path / "runs").glob("parts-*"))
    assert main(["--rerun", str(run)]) == 0
    assert "was made of other photos" not in capsys.readouterr().err
    monkeypatch.chdir(tmp_path / "other")
    assert main(["--rerun", str(run)]) == 0
    assert f"radar: note: {run}: was made of other photos" in capsys.readouterr().err


OWN = ("dataset=stochastic_tile", "seed=4")  # by which a run is known from the default one


def own_run(root: Path) -> Path:
    assert main([*QUICK, *OWN, f"output_root={root}"]) == 0
    (run,) = (path.parent for path in root.glob("*/command.json"))
    return run


def seeds_and_sets(root: Path) -> set[tuple[int, str]]:
    configs = [read_yaml(path, "") for path in root.glob("*/config.yaml")]
    return {(config["seed"], config["dataset"]["name"]) for config in configs}


def test_a_search_that_repeats_a_run_is_of_that_run(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    run, root = own_run(tmp_path / "runs"), tmp_path / "trials"
    more = ["-m", "--config-name", "sweep_search", "hydra.sweeper.n_trials=1", f"output_root={root}"]
    assert main(["--rerun", str(run), *more]) == 0
    assert seeds_and_sets(root) == {(4, "stochastic_tile")}
    assert main(["--rerun", str(run), *more, "seed=5"]) == 0
    assert seeds_and_sets(root) == {(4, "stochastic_tile"), (5, "stochastic_tile")}
    write_command(run, replace(read_command(run), overrides=(*QUICK, "dataset=printed_layers", "seed=4")))
    assert main(["--rerun", str(run), *more]) == 0  # of another run, so another search
    assert seeds_and_sets(root) >= {(4, "printed_layers")}
    assert len(sweeps(root)) == 3


def test_a_run_that_is_repeated_with_a_callback_is_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, root = own_run(tmp_path / "runs"), tmp_path / "again"
    (tmp_path / "heard.py").write_text(
        "from pathlib import Path\nfrom hydra.experimental.callback import Callback\n"
        "class Heard(Callback):\n    def on_job_start(self, config, **_):\n        Path('heard').write_text(str(config.seed))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    callback = ["--plugins", "heard", "+hydra.callbacks.own._target_=heard.Heard"]
    assert main(["--rerun", str(run), *callback, f"output_root={root}"]) == 0
    assert seeds_and_sets(root) == {(4, "stochastic_tile")}
    assert (tmp_path / "heard").read_text() == "4"
    assert {path.name for path in root.glob("stochastic*")} == {run.name}  # the very same experiment
    # what another method does not read is dropped, as it is without a callback
    assert main(["--rerun", str(run), *callback, "method=pca", f"output_root={tmp_path / 'pca'}"]) == 0
