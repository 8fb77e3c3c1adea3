"""A wrong command line is one line that names the key and the fix, before anything is loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hydra.errors import HydraException

from radar import install_command
from radar.cli.exit_codes import REFUSED
from radar.cli.main import main
from radar.compose.config_tree import config_folder
from radar.compose.messages import one_line
from radar.errors import ConfigError


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == REFUSED
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert captured.out == ""
    return lines[0]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        pytest.param(
            "unett.channels=3", "unett.channels=3: no such key; did you mean unet.channels?", id="unknown section"
        ),
        pytest.param(
            "unet.chanels=[8]", "unet.chanels=[8]: no such key; did you mean unet.channels?", id="unknown key"
        ),
        pytest.param("+extra=1", "extra: no such key", id="added key"),
        pytest.param("+unet.extra=1", "unet.extra: no such key", id="added key in a section"),
        pytest.param(
            "timestep=1", "timestep=1: group timestep has no option 1; use timestep=t1", id="number for a group"
        ),
        pytest.param(f"name={'a' * 201}", "has 201 characters, and a folder's name has room for 200", id="long name"),
        pytest.param("name=a/b", "name=a/b: is part of a folder's name", id="path for a name"),
        pytest.param("contamination=0.05", "contamination.value=0.05", id="fraction for a group"),
        pytest.param("patch=28", "use patch=28x28", id="size for a group"),
        pytest.param(
            "unet=huge",
            "use one of attention, compact, compact_narrow, compact_wide, large, no_attention, small",
            id="unknown option",
        ),
        pytest.param("seed=range(0,10,0)", "seed=range(0,10,0): range() arg 3 must not be zero", id="no step"),
        pytest.param("--shell-completion", "--shell-completion: radar completes nothing in a shell", id="completion"),
        pytest.param("-s", "--shell-completion: radar completes nothing in a shell", id="completion, short"),
        pytest.param("unet.blocks=many", "unet.blocks=many", id="wrong type"),
        pytest.param("unet.blocks=0", "unet.blocks=0: must be ≥ 1", id="too small"),
        pytest.param("contamination.value=0.7", "contamination.value=0.7: must be ≤ 0.5", id="too large"),
        pytest.param("unet.dropout=nan", "unet.dropout=nan: must be", id="not a number"),
        pytest.param("scoring.edge=canny", "scoring.edge=canny: must be one of sobel, none", id="unknown choice"),
        pytest.param("timestep.value=1001", "timestep.value=1001: must be ≤ diffusion.timesteps=1000", id="beyond T"),
        pytest.param("patch.size=120", "patch.size=120: must be ≤ the image's side, 100 px", id="patch beyond image"),
        pytest.param("scoring.stride=29", "scoring.stride=29: must be ≤ patch.size=28", id="gaps"),
        pytest.param(
            ("scoring=density", "scoring.density.timesteps=[1001]"),
            "needs steps between 1 and 1000",
            id="density beyond T",
        ),
        pytest.param(
            ("scoring=density", "scoring.density.blurs=[]"), "needs at least one σ", id="density without a blur"
        ),
        pytest.param("detector.threshold=largest", "must be one of quantile, shifted", id="unknown threshold"),
        pytest.param("detector.spread_prior=0", "detector.spread_prior=0.0: must be > 0.0", id="no prior"),
        pytest.param("scoring.blur.kernel=4", "scoring.blur.kernel=4: must be odd", id="even kernel"),
        pytest.param("unet.fold=2", "only unet.kind=compact folds pixels", id="folded ddpm"),
        pytest.param("scoring.images_per_pass=65", "must be ≤ scoring.micro_batch=64", id="images beyond windows"),
        pytest.param("unet.channels=[12,24]", "unet.groups=8", id="groups"),
        pytest.param("unet.attention_levels=[5]", "levels are 0 to 2", id="attention level"),
        pytest.param("scoring.map=residual", "scoring.draws=1", id="residual of no noise"),
        pytest.param("method.controls=[magic]", "magic is not one of mean_brightness", id="unknown control"),
        pytest.param("trainer.devices=2", "several devices need trainer=ddp", id="devices"),
        pytest.param("dataset=mvtec", "dataset.category: no value is set", id="missing value"),
        pytest.param("dataset=folder", "dataset.root: no value is set", id="missing root"),
        pytest.param(
            "dataset.root=parts",
            "dataset.root=parts: layout synthetic draws its images and reads no folder; radar train parts trains on it",
            id="folder that nothing reads",
        ),
        pytest.param("conf", "conf: is a folder; radar train conf trains on its photos", id="folder without a verb"),
        pytest.param("patch=14x14,28x28", "add -m", id="sweep without -m"),
        pytest.param("seed=[1", "seed=[1: cannot be read", id="unreadable"),
        pytest.param("list", "list: is neither a command", id="unknown command"),
        pytest.param("trian", "trian: no such command; did you mean radar train?", id="mistyped command"),
        pytest.param("pred1ct", "pred1ct: no such command; did you mean radar predict?", id="mistyped letter"),
        pytest.param("patch=40x40", "use one of 14x14, 28x28, 56x56", id="size that is no option"),
        pytest.param("hydra/launcher=slurm", install_command("launchers"), id="launcher of an extra"),
        pytest.param("--bogus", "--bogus: unknown option", id="unknown flag"),
    ],
)
def test_config_errors(capsys: pytest.CaptureFixture[str], override: str | tuple[str, ...], expected: str) -> None:
    assert expected in refused(capsys, *([override] if isinstance(override, str) else override))


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("detector=isolation_forest",), "isolation_forest takes a quantile alone"),
        (("detector.fitted_on=validation",), "both are validation"),
        (("detector.threshold_on=train",), "both are train"),
    ],
)
def test_a_threshold_needs_something_to_shift(
    capsys: pytest.CaptureFixture[str], overrides: tuple[str, ...], expected: str
) -> None:
    line = refused(capsys, "detector.threshold=shifted", *overrides)
    assert expected in line and "use detector=shifted_tail" in line


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("method=radar",), "method radar fits no densities without the image it scores"),
        (("dataset.image.channels=rgb",), "use luma_chroma or grey"),
        (("dataset.image.channels=grey",), "grey images have none"),
        (("method.fused_densities.detail.side=4",), "method.fused_densities.detail.side=4: must be odd"),
        (("method.fused_densities.energy.timestep=2000",), "energy.timestep=2000: must be ≤ diffusion.timesteps"),
        (("method.fused_densities.colour.blurs=[]",), "colour.blurs=[]: needs at least one"),
        (("method.fused_densities.appearance.contrasts=[0.0]",), "appearance.contrasts=[0.0]: must be ≥ 0.01"),
        (tuple(f"method.fused_densities.{part}=null" for part in ("energy", "detail", "context", "appearance", "colour")),
         "every part is null"),
    ],
)  # fmt: skip
def test_what_cannot_be_fused(capsys: pytest.CaptureFixture[str], overrides: tuple[str, ...], expected: str) -> None:
    assert expected in refused(capsys, "experiment=recommended", *overrides)


def test_a_broken_config_file_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "mine.yaml").write_text("defaults: [small]\nchannels: [8\n")
    assert "mine.yaml, line" in refused(capsys, "--config-dir", str(tmp_path), "unet=mine")


def test_every_job_of_a_sweep_is_checked_before_the_first_starts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    line = refused(capsys, "-m", "timestep.value=1,10,5000", f"output_root={tmp_path}")
    assert "timestep.value=5000" in line
    assert list(tmp_path.iterdir()) == []


def test_a_missing_data_root_says_where_to_put_the_images(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = refused(capsys, "dataset=tile", f"data_root={tmp_path}/nowhere", f"output_root={tmp_path}/outputs")
    assert "data_root=" in line
    assert "mvtec.com" in line
    assert not (tmp_path / "outputs").exists()


def test_an_empty_folder_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "parts" / "normal").mkdir(parents=True)
    line = refused(capsys, "dataset=folder", f"dataset.root={tmp_path / 'parts'}", f"output_root={tmp_path}/outputs")
    assert str(tmp_path / "parts") in line


@pytest.mark.skipif("__import__('torch').cuda.is_available()")
def test_a_gpu_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "use trainer=cpu" in refused(capsys, "trainer=gpu", f"output_root={tmp_path}")


def test_a_launcher_that_is_not_installed_names_its_own_extra() -> None:
    with pytest.raises(ConfigError, match=re.escape(install_command("ray"))), one_line([]):
        raise HydraException("Could not find 'hydra/launcher/ray'")


@pytest.mark.parametrize(
    "arguments", [("--config-name", "x" * 300), ("--config-name", "ä" * 200), ("data", "check", f"dataset={'x' * 300}")]
)
def test_a_name_longer_than_any_files_is_no_config(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    said = refused(capsys, *arguments)
    assert "site-packages" not in said and "Errno" not in said and "OSError" not in said


def test_a_config_that_one_of_radars_own_hides_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    hidden = tmp_path / "unet" / "small.yaml"
    hidden.write_bytes((config_folder() / "unet" / "small.yaml").read_bytes())
    assert main(["--config-dir", str(tmp_path), "--cfg", "job"]) == 0, "the same is no harm"
    capsys.readouterr()
    hidden.write_text("kind: compact\n")
    said = refused(capsys, "--config-dir", str(tmp_path), "unet=small")
    assert f"{hidden}: radar's own unet/small.yaml is read in its place; give it another name" in said
