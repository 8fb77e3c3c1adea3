"""Sweeps: what is missing is computed, what is there is not, what fails is written down, and who asks is told."""

from __future__ import annotations

import csv
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_main import FEW_IMAGES, QUICK

from radar.cli.estimate import Estimate, estimate
from radar.cli.exit_codes import FAILED, REFUSED
from radar.cli.isolation import in_own_process
from radar.cli.main import main
from radar.compose import command_line
from radar.compose.plan import plan
from radar.config.schema import Config
from radar.errors import Interrupted
from radar.experiment.artefact_inventory import artefacts
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import CACHE_FOLDER
from radar.experiment.sweep import Sweep, sweeps
from radar.files import read_json, write_json
from radar.methods.relevance import effective
from radar.rasters import Size


def sweep(root: Path, *arguments: str) -> int:
    return main(["-m", *QUICK, *arguments, f"output_root={root}"])


# composing all cells of the largest would take a minute
SHORTENED = {
    "sweep_paper_grid": ["timestep=t1", "contamination.value=0.05"],
    "sweep_border": ["scoring.border.width=3"],
    "sweep_edges": ["scoring.window=5"],
    "sweep_unet": ["unet=small,compact"],
    "sweep_transfer": ["method=radar,pca"],
    "sweep_depth_attention": ["unet.channels=[32,32],[32,32,32]"],
}


def made(root: Path, stage: str) -> int:
    return [each.stage for each in artefacts(root / CACHE_FOLDER)].count(stage)


def test_a_job_that_was_to_be_made_again_and_could_not_is_not_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = ["contamination.value=0.05,0.2"]
    assert sweep(tmp_path, *axes) == 0
    run = next(path.parent for path in tmp_path.glob("printed_layers-*/status.json"))
    status = (run / "status.json").read_bytes()
    assert main(["calibrate", str(run), "--threshold", "1.5"]) == 0
    assert sweep(tmp_path, *axes, "--force") == FAILED
    assert "has thresholds that were made after the run" in capsys.readouterr().err
    (made_before,) = sweeps(tmp_path)
    assert sorted(each.state for each in made_before.states()) == ["done", "failed"]
    assert (run / "status.json").read_bytes() == status
    assert sweep(tmp_path, *axes) == 0, "what is there is what was asked for"


@pytest.mark.parametrize(
    "axes",
    [
        ["diffusion=linear,cosine"],
        ["diffusion.timestep_sampling=uniform,log_uniform"],
        ["timestep=t1,t10", "seed=0,1"],
        ["dataset.image.size=40,48"],
        ["dataset.train_images=null,4"],
        ["dataset.synthetic.seed=0,1"],
        ["dataset.near_duplicates=warn,ignore"],
        ["trainer.threads=1,2"],
        ["dataset.name=a,b"],
        ["method=radar,ddpm", "trainer.threads=1,2"],
        ["trainer.matmul_precision=highest,high"],
    ],
    ids=lambda axes: axes[0],
)
def test_a_dry_run_counts_the_trainings_that_the_sweep_makes(
    axes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(tmp_path, *axes, "--dry-run") == 0
    told = re.search(r"with (\d+) training", " ".join(capsys.readouterr().out.split()))
    assert sweep(tmp_path, *axes) == 0
    assert told is not None and int(told[1]) == made(tmp_path, "network")


def test_a_job_that_leaves_threads_to_torch_is_not_timed_with_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    own, taken = torch.get_num_threads(), list[int]()

    def timed(config: Config, threads: int, size: Size) -> Estimate:
        found = estimate(config, threads, size)
        taken.append(torch.get_num_threads())
        return found

    monkeypatch.setattr("radar.cli.dry_run.estimate", timed)
    words = [word for word in FEW_IMAGES if not word.startswith("trainer.threads")]
    other = own + 1
    assert main(["-m", *words, "method=pca", f"trainer.threads={other},null,1", "--dry-run"]) == 0
    assert taken == [other, own, 1]
    torch.set_num_threads(own)


def test_a_grid_trains_once_per_model_and_passes_once_per_timestep(tmp_path: Path) -> None:
    axes = ["patch.size=10,14", "scoring.stride=7", "timestep=t1,t10", "contamination=c05,c20"]
    assert sweep(tmp_path, *axes) == 0
    assert len(list(tmp_path.glob("printed_layers-*/status.json"))) == 8
    assert made(tmp_path, "network") == 2
    assert made(tmp_path, "responses") == 2 * 2 * 3  # three splits
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("printed_layers-*/metrics.json")}
    assert sweep(tmp_path, *reversed(axes)) == 0  # another order is the same sweep
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("printed_layers-*/metrics.json")} == before
    assert len(sweeps(tmp_path)) == 1


def test_only_what_is_missing_runs_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "contamination=c05,c20") == 0
    (only,) = sweeps(tmp_path)
    lost, kept = (state.directory for state in only.states())
    assert lost is not None and kept is not None
    status = read_json(lost / "status.json", "")
    write_json(lost / "status.json", {**status, "state": "running"})  # as a killed process leaves it
    assert [state.state for state in only.states()] == ["interrupted", "done"]
    before = (kept / "metrics.json").stat().st_mtime_ns
    assert sweep(tmp_path, "contamination=c05,c20") == 0
    assert (kept / "metrics.json").stat().st_mtime_ns == before
    assert [state.state for state in only.states()] == ["done", "done"]
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "radar status" in line][-1:]
    for words in ([only.path.name, f"output_root={tmp_path}"], shlex.split(told.partition("radar status")[2])):
        assert main(["status", *words]) == 0
        assert "2 done" in capsys.readouterr().out


def test_ddp_in_a_sweep_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "trainer=ddp", "seed=0,1") == REFUSED
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "trainer=ddp" in line and "one job per device" in line
    assert not list(tmp_path.iterdir())


def test_jobs_of_a_sweep_that_lie_in_several_folders_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-m", *QUICK, "seed=1,2", f"output_root={tmp_path}/of_${{seed}}"]) == REFUSED
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"output_root: {tmp_path}/of_1 of one job and {tmp_path}/of_2 of another" in line
    assert not list(tmp_path.iterdir())


def test_an_unknown_sweep_names_those_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Sweep.of(tmp_path, ["a", "b"]).begin(["-m", "x=1,2"], ["x=1", "x=2"])
    assert main(["status", "nothing", f"output_root={tmp_path}"]) == REFUSED
    assert sweeps(tmp_path)[0].path.name in capsys.readouterr().err
    assert main(["status", f"output_root={tmp_path}"]) == FAILED
    assert "2 missing" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{", '{"started": 5, "command": [], "jobs": []}', "\0\0"])
def test_a_damaged_sweep_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    broken, whole = Sweep.of(tmp_path, ["a", "b"]), Sweep.of(tmp_path, ["c", "d"])
    broken.begin(["-m", "x=a,b"], ["x=a", "x=b"])
    (broken.path / "sweep.json").write_text(text)
    assert main(["status", f"output_root={tmp_path}"]) == REFUSED
    said = capsys.readouterr().err
    assert str(broken.path / "sweep.json") in said and "no sweep was started" not in said and said.count("\n") == 1
    whole.begin(["-m", "x=c,d"], ["x=c", "x=d"])
    assert main(["status", f"output_root={tmp_path}"]) == FAILED
    shown = capsys.readouterr()
    assert "2 missing" in shown.out and str(broken.path / "sweep.json") in shown.err


def test_the_cache_is_listed_explained_and_pruned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*QUICK, f"output_root={tmp_path}"]
    assert main(arguments) == 0
    capsys.readouterr()
    assert main(["cache", "list", f"output_root={tmp_path}"]) == 0
    assert "network" in capsys.readouterr().out
    assert main(["cache", "explain", *arguments, "timestep=t50"]) == 0
    explained = capsys.readouterr().out
    assert "keys.timestep.value: 10 → 50" in " ".join(explained.split())
    unfinished = tmp_path / CACHE_FOLDER / "network" / "0123456789.part"
    unfinished.mkdir()
    (unfinished / "last.ckpt").write_bytes(bytes(3_000_000))
    assert main(["cache", "list", f"output_root={tmp_path}"]) == 0
    assert "3.00  unfinished: the same command goes on from it" in capsys.readouterr().out
    results = len(list(artefacts(tmp_path / CACHE_FOLDER)))
    assert main(["cache", "prune", "--days", "0", f"output_root={tmp_path}"]) == 0
    assert f"{results} results, 1 unfinished removed, " in capsys.readouterr().out
    assert not unfinished.exists()
    assert not list(artefacts(tmp_path / CACHE_FOLDER))
    assert main(arguments) == 0  # the run itself needs nothing of it


@pytest.mark.parametrize("spoilt", ["appended", "cut", "removed", "inputs"])
def test_a_damaged_result_is_not_explained_as_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoilt: str
) -> None:
    words = [*FEW_IMAGES, "method=pca", f"output_root={tmp_path}"]
    assert main(words) == 0
    capsys.readouterr()
    assert main(["cache", "explain", *words]) == 0
    assert "damaged" not in (whole := capsys.readouterr().out)
    (folder,) = (each.path for each in artefacts(tmp_path / CACHE_FOLDER) if each.stage == "fitted")
    file = next(path for path in folder.iterdir() if path.name != "made.json")
    content = file.read_bytes()
    match spoilt:
        case "appended":
            file.write_bytes(content + b"x")
        case "cut":
            file.write_bytes(content[:-1])
        case "removed":
            file.unlink()
        case _:
            made = read_json(folder / "made.json", "")
            write_json(folder / "made.json", {**made, "inputs": {**made["inputs"], "seed": 99}})
    assert main(["cache", "explain", *words]) == 0
    told = capsys.readouterr().out
    assert told.count("damaged") >= 1 and told.count(" stored ") == whole.count(" stored ") - 1
    assert "it is made again" in " ".join(told.split())


@pytest.mark.parametrize(
    "name",
    sorted(
        path.stem for path in (Path(__file__).parents[2] / "conf").glob("sweep_*.yaml") if path.stem != "sweep_search"
    ),
)
def test_every_sweep_config_is_a_sweep(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path: Path
) -> None:
    if name == "sweep_methods_pretrained":
        pytest.importorskip("efficientnet_lite_pytorch", reason="the extra pretrained is not installed")
    started: list[int] = []
    monkeypatch.setattr(
        "radar.cli.running.Runner._run", lambda self, config, name, number, overrides, session: started.append(number)
    )
    main(
        ["--config-name", name, "seed=0,1", "sweep.isolated=false", *SHORTENED.get(name, []), f"output_root={tmp_path}"]
    )
    (only,) = sweeps(tmp_path)
    jobs = only.content()["jobs"]
    assert len(jobs) == len(set(jobs)) >= 2
    assert started == list(range(len(jobs)))


@pytest.mark.slow
def test_kills_at_random_moments_leave_nothing_but_time_to_make_up(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "scripts.kill_sweep",
        "--kills",
        "4",
        "--work",
        str(tmp_path / "kills"),
        "--",
        "-m",
    ]
    axes = [
        "patch.size=10,14",
        "scoring.stride=7",
        "timestep=t1,t10",
        "contamination=c05,c20",
        "training.max_steps=40",
        "trainer.threads=1",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([*command, *QUICK, *axes], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 of 8 cells, 0 differ" in done.stdout


def test_a_job_that_another_process_computes_does_not_become_a_failure(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "x-1")
    sweep = Sweep.of(tmp_path, ["seed=0"])
    sweep.begin(["-m", "seed=0"], ["seed=0"])
    sweep.begin_job("seed=0", run.path, "first command")
    with run.held(), run.recorded("1"):
        sweep.fail_job("seed=0", "another process is computing this run", "first command")
        assert [state.state for state in sweep.states()] == ["running"]
        sweep.fail_job("seed=0", "a photo cannot be read", "a command that has not come so far")
        assert [state.state for state in sweep.states()] == ["running"]
    assert [state.state for state in sweep.states()] == ["done"]
    sweep.fail_job("seed=0", "the process died when all was done", "first command")
    assert [state.state for state in sweep.states()] == ["done"]
    sweep.begin_job("seed=0", run.path, "second command")
    assert [state.state for state in sweep.states()] == ["done"]
    sweep.fail_job("seed=0", "it could not be made again, or be read", "second command")
    assert [state.state for state in sweep.states()] == ["failed"]


def test_a_job_that_fails_before_it_begins_has_nothing_of_an_earlier_command(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "x-1")
    sweep = Sweep.of(tmp_path, ["seed=0"])
    sweep.begin(["-m", "seed=0"], ["seed=0"])
    sweep.begin_job("seed=0", run.path, "first command")
    with run.recorded("1"):
        pass
    assert sweep.done() == [run.path]
    sweep.fail_job("seed=0", "a photo cannot be read", "second command")
    (state,) = sweep.states()
    assert (state.state, state.error, state.directory) == ("failed", "a photo cannot be read", None)
    assert sweep.done() == []
    sweep.begin_job("seed=0", run.path, "third command")
    assert sweep.done() == [run.path]


@pytest.mark.parametrize("more", [[], ["--force"], ["sweep.isolated=true"]])
def test_a_sweep_whose_data_broke_meanwhile_does_not_show_what_was_made_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    drawn = ["dataset.synthetic.train=8", "dataset.synthetic.test_normal=2", "dataset.synthetic.test_defective=2"]
    assert main(["data", "write", str(tmp_path / "photos"), "dataset=printed_layers", *drawn]) == 0
    chosen = ["-m", "experiment=debug", "method=pca,lof", "method.controls=[]", "evaluation.figures=false"]
    words = [*chosen, "dataset=mvtec_folder", f"dataset.root={tmp_path / 'photos'}", f"output_root={tmp_path / 'out'}"]
    assert main(words) == 0
    photo = next((tmp_path / "photos" / "train" / "good").glob("*.png"))
    photo.write_bytes(photo.read_bytes()[:200])
    capsys.readouterr()
    assert main([*words, *more]) == FAILED
    (again,) = sweeps(tmp_path / "out")
    assert again.done() == [] and [state.state for state in again.states()] == ["failed", "failed"]
    assert all(str(photo) in str(state.error) for state in again.states())
    assert "1.000" not in capsys.readouterr().out.partition("All jobs")[2]
    assert main(["status", f"output_root={tmp_path / 'out'}"]) == FAILED


def test_a_sweep_is_read_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sweep(Path("outputs"), "seed=0,1") == 0
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outputs").rename(tmp_path / "elsewhere" / "moved")
    monkeypatch.chdir("/")
    (only,) = sweeps(tmp_path / "elsewhere" / "moved")
    assert [state.state for state in only.states()] == ["done", "done"]
    assert main(["status", str(only.path)]) == 0
    (tmp_path / "link").symlink_to(only.path)
    (tmp_path / "twice").symlink_to(tmp_path / "link")
    for here, named in (
        (Path("/"), str(tmp_path / "link")),
        (tmp_path / "elsewhere", str(tmp_path / "elsewhere" / ".." / "twice")),
        (only.path, "."),
        (only.path.parent, only.path.name),
        (only.path / "jobs", ".."),
        (tmp_path, "link"),
    ):
        monkeypatch.chdir(here)
        assert main(["status", named]) == 0
        assert main(["report", named, "--out", str(tmp_path / "report"), "resamples=20"]) == 0
        assert re.search(r"[|] 2 ?¶? [|]", (tmp_path / "report" / "tables" / "results.md").read_text())


def test_a_run_that_is_being_removed_does_not_say_that_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sweep(tmp_path, "seed=0") == 0
    (run,) = tmp_path.glob("printed_layers-*")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("radar.experiment.run_directory.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        RunDirectory(run).clear()
    assert RunDirectory(run).read_status().state == "missing"


def test_a_cached_sweep_is_explained_job_by_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-m", *QUICK, "timestep=t1,t10", f"output_root={tmp_path}"]
    assert main(["cache", "explain", *arguments]) == 0
    # a network, what is fitted; responses and points of three splits; pixels, noise statistics, data
    assert capsys.readouterr().out.count("to be made") == 2 * 11


@pytest.mark.slow
def test_a_job_in_a_process_of_its_own_takes_the_memory_that_it_takes_alone(tmp_path: Path) -> None:
    """A large job before a small one leaves the peak of the small one as it is."""
    held = ["dataset.synthetic.side=96", "dataset.image.size=96", "training.batch_size=48", "sweep.isolated=true"]
    assert sweep(tmp_path / "shared", "patch.size=96,14", *held) == 0
    assert sweep(tmp_path / "alone", "patch.size=14", *held) == 0
    large, small = (training_peak(tmp_path / "shared", size) for size in (96, 14))
    assert training_peak(tmp_path / "alone", 14) == pytest.approx(small, rel=0.05)
    assert large > small + 100  # MiB


def training_peak(root: Path, patch: int) -> float:
    """Of the run with that patch, MiB."""
    for state in sweeps(root)[0].states():
        assert state.directory is not None
        if f"size: {patch}\n" in (state.directory / "config.yaml").read_text().partition("patch:")[2][:20]:
            peak = RunDirectory(state.directory).read_metrics().value("memory", "training", "host")
            assert peak is not None
            return peak
    raise AssertionError(f"{root}: no run with patches of {patch} px")


def test_a_process_that_does_not_end_properly_is_told() -> None:
    assert in_own_process(_killed) == "its process was ended by SIGKILL"
    assert in_own_process(_ended, 3) == "its process ended with exit code 3"
    assert in_own_process(print, "done") is None
    with pytest.raises(Interrupted):
        in_own_process(_interrupted)


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _ended(code: int) -> None:  # W&B may have put its own in the place of sys.exit, which no process can be given
    sys.exit(code)


def _interrupted() -> None:
    raise KeyboardInterrupt


def test_a_launcher_has_processes_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra launchers is not installed")
    assert sweep(tmp_path, "seed=0,1", "hydra/launcher=joblib", "sweep.isolated=true") == REFUSED
    assert "sweep.isolated=true: a launcher" in capsys.readouterr().err


def test_how_jobs_run_together_is_no_part_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = plan(command_line.read(["-m", *QUICK, "seed=0,1", "sweep.isolated=true", "sweep.table=noise"]))
    assert (planned.sweep.isolated, planned.sweep.table) == (True, "noise")
    assert all("sweep" not in text for job in planned.jobs for text in job.overrides)
    assert "sweep" not in effective(planned.jobs[0].config)
    assert sweep(tmp_path, "seed=0,1", "sweep.table=nothing") == REFUSED
    assert "sweep.table=nothing: must be one of noise, patch" in capsys.readouterr().err


def test_a_sweep_answers_with_its_table_and_a_report_gives_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = ["dataset=printed_layers,stochastic_tile", "timestep=t1,t10"]
    assert sweep(tmp_path, *axes, "sweep.table=timestep") == 0
    (only,) = sweeps(tmp_path)
    told = (only.path / "sweep_timestep.md").read_text()
    assert told in capsys.readouterr().out
    assert told.count("| printed_layers |") == told.count("| stochastic_tile |") == 2
    assert main(["report", str(only.path), "--table", "timestep"]) == 0
    assert capsys.readouterr().out == told
    assert main(["report", str(tmp_path), "--table", "timestep"]) == 0  # of the same runs without the sweep
    assert capsys.readouterr().out == told
    assert main(["report", str(only.path), "--table", "nothing"]) == REFUSED
    assert "--table nothing: there is none of this name; there are: noise, patch" in capsys.readouterr().err
    assert main(["report", str(only.path)]) == REFUSED
    assert "name a folder with --out" in capsys.readouterr().err


def test_a_sweep_of_transfers_asks_every_model_about_the_other_sets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = ["dataset=printed_layers,stochastic_tile", "method=radar,pca"]
    assert sweep(tmp_path, *axes, "sweep.table=transfer") == 0
    assert "Nothing is fitted anew" in capsys.readouterr().out
    (only,) = sweeps(tmp_path)
    rows = list(csv.DictReader((only.path / "sweep_transfer.csv").open()))
    assert [(row["method"], row["trained on"]) for row in rows] == [
        (method, name) for method in ("pca, debug", "radar, debug") for name in ("printed_layers", "stochastic_tile")
    ]
    assert all(0 <= float(row["printed_layers: AUROC (value)"]) <= 1 for row in rows)
    assert main(["report", str(only.path), "--table", "transfer"]) == 0
    assert capsys.readouterr().out == (only.path / "sweep_transfer.md").read_text()
