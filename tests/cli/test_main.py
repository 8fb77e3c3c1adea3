"""The command itself: runs, sweeps, dry runs, help, configs from elsewhere, data verbs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import radar
from radar.cli.estimate import Estimate, estimate
from radar.cli.exit_codes import FAILED, REFUSED
from radar.cli.main import main
from radar.cli.running import _published
from radar.config.schema import Config
from radar.experiment.command import Command
from radar.experiment.log import LOG_FILE
from radar.experiment.run_directory import RunDirectory
from radar.experiment.sweep import sweeps
from radar.report.recipes import told_by
from radar.report.settings import method_names
from radar.report.stored import read_run

FEW_IMAGES = (
    "experiment=debug", "trainer=cpu", "trainer.threads=1", "dataset.synthetic.side=32", "dataset.image.size=32",
    "dataset.validation_fraction=0.25", "dataset.synthetic.train=8", "dataset.synthetic.test_normal=3",
    "dataset.synthetic.test_defective=5", "method.controls=[]", "evaluation.figures=false",
)  # fmt: skip
QUICK = (*FEW_IMAGES, "training.max_steps=2", "training.epoch_steps=2", "patch=14x14", "scoring.micro_batch=16")


def statuses(folder: Path) -> list[str]:
    return [json.loads(path.read_text())["state"] for path in folder.glob("*/status.json")]


def test_a_run_prints_its_table_and_where_its_results_lie(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([*QUICK, f"output_root={tmp_path}"]) == 0
    printed = capsys.readouterr().out
    for expected in (
        " radar ",
        "all anomalous",
        "AUROC of the features alone",
        f"New photos: radar predict {tmp_path}",
    ):
        assert expected in printed
    assert "RADAR" not in printed  # which is experiment=paper alone
    assert statuses(tmp_path) == ["done"]


def test_a_sweep_runs_every_job_in_its_own_directory_and_sums_up(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["-m", *QUICK, f"output_root={tmp_path}", "timestep=t1,t10", "seed=0,1"]) == 0
    assert statuses(tmp_path) == ["done"] * 4
    summary = capsys.readouterr().out.partition("All jobs")[2]
    for directory in tmp_path.glob("*/status.json"):
        assert directory.parent.name in summary
    for job in ("timestep=t1 seed=0", "timestep=t1 seed=1", "timestep=t10 seed=0", "timestep=t10 seed=1"):
        assert job in summary


def test_a_failed_job_does_not_stop_the_others_and_the_exit_code_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from radar.experiment import networks  # noqa: PLC0415

    train = networks.fit_network

    def fails_for_seed_one(*arguments, **named):
        if named["seed"] == 1:
            raise ArithmeticError("planted")
        return train(*arguments, **named)

    monkeypatch.setattr(networks, "fit_network", fails_for_seed_one)
    assert main(["-m", *QUICK, f"output_root={tmp_path}", "seed=0,1,2"]) == FAILED
    assert sorted(statuses(tmp_path)) == ["done", "done", "failed"]
    assert "planted" in capsys.readouterr().err
    (sweep,) = sweeps(tmp_path)
    assert [state.state for state in sweep.states()] == ["done", "failed", "done"]
    assert main(["status", f"output_root={tmp_path}"]) == FAILED
    table = capsys.readouterr().out
    assert "2 done, 1 failed" in table and "ArithmeticError: planted" in " ".join(table.split())


def test_a_dry_run_estimates_and_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["-m", *QUICK, f"output_root={tmp_path}", "seed=0,1", "--dry-run"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 job(s) with 2 training(s), about" in printed
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_a_method_without_training_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([*FEW_IMAGES, f"output_root={tmp_path}", "method=pca", "--dry-run"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "1 job(s); nothing is trained" in printed
    assert "1 printed_layers 0 – – nothing" in printed
    assert list(tmp_path.iterdir()) == []


OWN_SIZE = ("dataset.image.size=null", "dataset.image.aspect=short")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (OWN_SIZE, ((72, 40), "timed at 40 × 72 px, that of good/0.png")),
        (("dataset.image.size=20", OWN_SIZE[1]), ((36, 20), "timed at 20 × 36 px, that of good/0.png")),
        (("dataset.image.size=400", OWN_SIZE[1]),
         ((256, 256), "timed at 256 × 256 px, a part of 400 × 720 px, which are 4.39 times as many: that of good/0.png")),
        (("dataset.image.size=null", "dataset.image.resolution=4", "dataset.image.file_resolution=8", OWN_SIZE[1]),
         ((36, 20), "timed at 20 × 36 px, that of good/0.png")),
        ((*OWN_SIZE, "working_size=texture"), ((72, 40), "good/0.png, before working_size makes pictures smaller")),
        (("dataset.image.size=24",), ((24, 24), "")),
        ((*OWN_SIZE, "dataset.root=gone"),
         ((100, 100), "timed at 100 × 100 px, which is assumed, as no file tells it (gone: no such folder")),
        ((*OWN_SIZE, "dataset=printed_layers", "dataset.root=null", "dataset.synthetic.side=48"),
         ((48, 48), "timed at 48 × 48 px, that of a drawn image")),
    ],
)  # fmt: skip
def test_a_dry_run_times_pictures_as_large_as_they_are(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: tuple[str, ...],
    told: tuple[tuple[int, int], str],
) -> None:
    (tmp_path / "good").mkdir()
    for index, shape in enumerate([(72, 40), (40, 60), (64, 64)]):
        Image.fromarray(np.full(shape, 90, np.uint8)).save(tmp_path / "good" / f"{index}.png")
    timed, found, (size, said) = list[object](), estimate, told

    def watched(config: Config, threads: int, given: tuple[int, int]) -> Estimate:
        timed.append(given)
        return found(config, threads, given)

    monkeypatch.setattr("radar.cli.dry_run.estimate", watched)
    words = [
        "dataset=folder",
        f"dataset.root={tmp_path}",
        "dataset.folder.normal=good",
        "dataset.folder.anomalous=null",
    ]
    keys = {word.partition("=")[0] for word in typed}
    kept = [word for word in words if word.partition("=")[0] not in keys and "dataset=printed_layers" not in typed]
    assert main(["experiment=lof_texture", "method=pca", *kept, *typed, "--dry-run"]) == 0
    assert timed == [size]
    printed = capsys.readouterr().out
    assert said in printed and ("timed at" in printed) == bool(said)


def test_a_dry_run_counts_what_each_method_trains(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    methods = "method=radar,ddpm,anoddpm,deep_svdd,diffusion_ad,lof"
    own = ("method.controls=[]", "training.max_steps=20")
    assert main(["-m", *QUICK, *own, f"output_root={tmp_path}", methods, "seed=0,1", "--dry-run"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    # for each seed: Gaussian and simplex networks, the sphere, the segmentation network
    assert "12 job(s) with 8 training(s)" in printed
    assert printed.count("20 + 8") == 2
    assert printed.count(" nothing ") == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--help"],
            ["unet: attention, compact, compact_narrow, compact_wide, large, no_attention, small", "--dry-run"],
        ),
        (["--cfg", "job"], ["max_steps: 3000", "timestep:"]),
        (["--info", "defaults"], ["unet", "attention"]),
    ],
    ids=["help", "cfg", "info"],
)
def test_help_is_useful(capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[str]) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert all(text in printed for text in expected)


def test_configs_of_ones_own_from_outside_the_checkout(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "unet"
    folder.mkdir(parents=True)
    (folder / "tiny.yaml").write_text("defaults: [small]\nchannels: [8, 16]\nattention_levels: [1]\n")
    assert (
        main(["--config-dir", str(tmp_path / "mine"), *QUICK, "unet=tiny", f"output_root={tmp_path / 'outputs'}"]) == 0
    )
    config = next((tmp_path / "outputs").glob("*/config.yaml")).read_text()
    assert re.search(r"channels:\n  - 8\n  - 16\n", config)


def test_python_m_radar_is_the_same_command() -> None:
    answer = subprocess.run([sys.executable, "-m", "radar", "timestep=1"], capture_output=True, text=True, check=False)
    assert answer.returncode == REFUSED
    assert answer.stderr.startswith("radar: timestep=1: ")


def test_data_check_counts_and_data_write_exports(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    drawn = ["dataset.synthetic.train=8", "dataset.synthetic.test_normal=3", "dataset.synthetic.test_defective=5"]
    assert main(["data", "check", *drawn]) == 0
    assert "16 images decode" in capsys.readouterr().out
    assert main(["data", "write", str(tmp_path / "set"), *drawn]) == 0
    assert len(list((tmp_path / "set" / "test" / "good").iterdir())) == 3
    assert main(["data", "check", "dataset=mvtec", f"dataset.root={tmp_path}", "dataset.category=set"]) == 0
    assert "16 images decode" in capsys.readouterr().out


def test_data_split_writes_a_manifest_that_a_run_accepts(tmp_path: Path) -> None:
    assert main(["data", "write", str(tmp_path / "set"), "dataset.synthetic.train=8", "dataset.synthetic.side=32"]) == 0
    own = [
        "dataset=mvtec",
        f"dataset.root={tmp_path}",
        "dataset.category=set",
        "dataset.image.size=32",
    ]
    share = "dataset.validation_fraction=0.25"
    assert main(["data", "split", str(tmp_path / "split.csv"), *own, share, "dataset.split_seed=5"]) == 0
    quick = [override for override in QUICK if "dataset" not in override]
    assert main([*quick, *own, f"dataset.manifest={tmp_path / 'split.csv'}", f"output_root={tmp_path / 'out'}"]) == 0
    assert statuses(tmp_path / "out") == ["done"]


def test_data_split_leaves_an_edited_manifest_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    edited = tmp_path / "split.csv"
    edited.write_text("mine")
    assert main(["data", "split", str(edited)]) == REFUSED
    assert "is there already" in capsys.readouterr().err
    assert edited.read_text() == "mine"


def test_the_version_is_radars_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"radar {radar.__version__}\n"


def test_data_list_names_every_preset_and_what_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["data", "list", f"data_root={tmp_path}"]) == 0
    printed = capsys.readouterr().out
    for preset in ("tile", "grid", "magnetic_tile", "piped", "prints", "printed_layers"):
        assert preset in printed


def test_a_change_of_the_published_preset_is_called_as_in_a_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    changed = ("unet=compact_narrow", "timestep=t50", *(word for word in QUICK if word != "experiment=debug"))
    assert main(["experiment=paper", *changed, "training.warmup_steps=1", f"output_root={tmp_path}"]) == 0
    (run,) = (path.parent for path in tmp_path.glob("*/metrics.json"))
    result = read_run(RunDirectory(run))
    (name,) = method_names([result]).values()
    assert name.startswith("RADAR, unet=compact_narrow, timestep=t50, ")
    lines = capsys.readouterr().out.splitlines()
    heading, last = next((n, line) for n, line in enumerate(lines) if " AUROC " in line), "· all anomalous"
    rows = lines[heading[0] + 2 : next(n for n, line in enumerate(lines) if last in line)]
    column = [line[: heading[1].index("AUROC")] for line in rows]
    assert "".join("".join(column).split()) == "".join(name.split())
    assert all(line.strip() in (run / LOG_FILE).read_text() for line in rows)
    unsaid = replace(result, command=replace(result.command, overrides=("dataset=grid", "seed=3")))
    told = str(_published(unsaid))
    assert told.startswith("RADAR, ") and "timestep.value = 50" in told and "unet = changed" in told
    assert _published(replace(unsaid, config=dict(told_by("experiment=paper")))) == "RADAR"
    assert _published(replace(result, command=Command((), "debug", ()))) is None
