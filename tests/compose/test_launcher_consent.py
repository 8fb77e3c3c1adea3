"""What a launcher runs or writes is said on the command line; what it takes of a machine may stand in a config file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from radar.compose.command_line import CommandLine
from radar.compose.plan import Plan, plan
from radar.errors import ConfigError


def _planned(folder: Path, launcher: str, hydra: str, *overrides: str) -> Plan:
    defaults = f"defaults:\n  - config\n  - override hydra/launcher: {launcher}\n  - _self_\n"
    (folder / "mine.yaml").write_text(f"{defaults}hydra:\n  {hydra}\n")
    return plan(CommandLine(overrides, config_name="mine", config_dir=str(folder)))


TOLD = {  # a config file's own words, and the key that is refused
    "commands before a job": ("submitit_slurm", "launcher: {setup: ['touch ran']}", "hydra.launcher.setup"),
    "options of sbatch": (
        "submitit_slurm", "launcher: {additional_parameters: {wrap: 'touch ran'}}", "hydra.launcher.additional_parameters.wrap",
    ),
    "a folder of jobs": ("submitit_local", "launcher: {submitit_folder: /somewhere}", "hydra.launcher.submitit_folder"),
    "a line break in a name": ("submitit_slurm", 'launcher: {partition: "a\\ntouch ran"}', "hydra.launcher.partition"),
    "a folder of arrays": ("joblib", "launcher: {temp_folder: /somewhere}", "hydra.launcher.temp_folder"),
    "an expression": ("joblib", "launcher: {pre_dispatch: '__import__(1)'}", "hydra.launcher.pre_dispatch"),
    "a backend": ("joblib", "launcher: {backend: dask}", "hydra.launcher.backend"),
    "an environment": (
        "ray", "launcher: {ray: {init: {runtime_env: {pip: [x]}}}}", "hydra.launcher.ray.init.runtime_env.pip",
    ),
    "a worker's command": (
        "ray", "launcher: {ray: {init: {runtime_env: {py_executable: x}}}}", "hydra.launcher.ray.init.runtime_env.py_executable",
    ),
    "an address": ("ray", "launcher: {ray: {init: {address: 'ray://x:1'}}}", "hydra.launcher.ray.init.address"),
    "a cluster's commands": ("ray_aws", "launcher: {env_setup: {commands: [x]}}", "hydra.launcher.env_setup.commands"),
    "variables": ("basic", "job: {env_set: {LD_PRELOAD: /x.so}}", "hydra.job.env_set.LD_PRELOAD"),
    "variables by reference": ("basic", "job: {env_set: '${oc.create:{LD_PRELOAD:/x.so}}'}", "hydra.job.env_set"),
    "a line break by reference": (
        "submitit_slurm", 'help: {header: "a\\nran"}\n  launcher: {partition: "${hydra.help.header}"}', "hydra.launcher.partition",
    ),
    "an environment's own name": (
        "ray", "launcher: {ray: {init: {runtime_env: {env_vars: {memory: x}}}}}", "hydra.launcher.ray.init.runtime_env.env_vars",
    ),
    "Hydra's own records": ("basic", "output_subdir: /somewhere", "hydra.output_subdir"),
    "records elsewhere": ("joblib", "output_subdir: ../../somewhere", "hydra.output_subdir"),
    "a run's folder": ("basic", "run: {dir: /somewhere}", "hydra.run.dir"),
    "a sweep's folder": ("basic", "sweep: {dir: /somewhere}", "hydra.sweep.dir"),
    "a job's folder": ("basic", "sweep: {subdir: ../x}", "hydra.sweep.subdir"),
    "a folder to work in": ("basic", "job: {chdir: true}", "hydra.job.chdir"),
    "an axis of Hydra's": ("basic", "sweeper: {params: {hydra.job.env_set.A: 'a,b'}}", "hydra.sweeper.params"),
    "an axis of a package": ("basic", "sweeper: {params: {+group@hydra.job.env_set: 'a,b'}}", "hydra.sweeper.params"),
    "an axis that is Hydra": ("basic", "sweeper: {params: {hydra: '{job: {}}'}}", "hydra.sweeper.params"),
    "an axis that is added": ("basic", "sweeper: {params: {+hydra.job.env_set.A: 'a,b'}}", "hydra.sweeper.params"),
}  # fmt: skip


@pytest.mark.parametrize(("launcher", "hydra", "key"), TOLD.values(), ids=TOLD.keys())
def test_a_config_file_has_no_commands_for_a_launcher(tmp_path: Path, launcher: str, hydra: str, key: str) -> None:
    if launcher != "basic":
        pytest.importorskip(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher")
    with pytest.raises(ConfigError, match=re.escape(key) + ".*say it on the command line") as error:
        _planned(tmp_path, launcher, hydra)
    assert "\n" not in str(error.value)


def test_a_config_file_has_no_data_base_for_a_search(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    (tmp_path / "mine.yaml").write_text(
        "defaults: [sweep_search, _self_]\nhydra: {sweeper: {storage: 'sqlite:////somewhere.db'}}\n"
    )
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.storage=sqlite"):
        plan(CommandLine((), config_name="mine", config_dir=str(tmp_path)))


@pytest.mark.parametrize(
    ("launcher", "hydra"),
    [
        ("submitit_slurm", "launcher: {partition: gpu, timeout_min: 600, mem_gb: 32, gpus_per_node: 1, array_parallelism: 4}"),
        ("submitit_slurm", "launcher: {setup: null}"),
        ("joblib", "launcher: {n_jobs: 2, pre_dispatch: '2*n_jobs'}"),
        ("ray", "launcher: {ray: {init: {num_cpus: 4}, remote: {num_gpus: 0.5}}}"),
        ("basic", "sweeper: {params: {seed: '0,1'}}"),
    ],
)  # fmt: skip
def test_a_config_file_says_what_a_launcher_takes(tmp_path: Path, launcher: str, hydra: str) -> None:
    if launcher != "basic":
        pytest.importorskip(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher")
    assert _planned(tmp_path, launcher, hydra, "dataset=tile").jobs


@pytest.mark.parametrize(
    "said", ["hydra.launcher.setup=[module load cuda]", "hydra.launcher={setup:[module load cuda]}"]
)
def test_the_command_line_says_what_a_launcher_runs(tmp_path: Path, said: str) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    planned = _planned(tmp_path, "submitit_slurm", "launcher: {setup: ['touch ran']}", said)
    assert planned.settings.launcher.setup == ["module load cuda"]


def test_a_section_on_the_command_line_says_its_own_keys_alone(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    with pytest.raises(ConfigError, match=r"hydra\.launcher\.setup"):
        _planned(tmp_path, "submitit_slurm", "launcher: {setup: ['touch ran']}", "hydra.launcher={timeout_min:5}")


EVIL = "# @package _global_\nhydra: {job: {env_set: {PATH: /somewhere}}}\n"


@pytest.mark.parametrize(
    ("overrides", "sweeper"),
    [
        (("unet=evil",), ""),
        (("unet=evil,small",), ""),
        (("unet=small,evil",), ""),
        (("unet=choice(small,evil)",), ""),
        ((), "sweeper: {params: {unet: 'small,evil'}}"),
    ],
    ids=str,
)
def test_a_group_of_one_job_is_judged_too(tmp_path: Path, overrides: tuple[str, ...], sweeper: str) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "evil.yaml").write_text(EVIL)
    (tmp_path / "mine.yaml").write_text(f"defaults: [config, _self_]\nhydra:\n  mode: MULTIRUN\n  {sweeper}\n")
    line = CommandLine(("dataset=tile", *overrides), config_name="mine", config_dir=str(tmp_path), multirun=True)
    with pytest.raises(ConfigError, match=r"hydra\.job\.env_set\.PATH"):
        plan(line)


@pytest.mark.parametrize("node", ["launcher: null", "sweeper: null"])
def test_no_launcher_is_one_line(tmp_path: Path, node: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"defaults: [config, _self_]\nhydra: {{{node}}}\n")
    with pytest.raises(ConfigError, match="has no launcher or no sweeper"):
        plan(CommandLine((), config_name="mine", config_dir=str(tmp_path)))


def test_jobs_have_a_plain_name(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        'defaults:\n  - config\n  - override hydra/job_logging: stdout\n  - _self_\nhydra: {job: {name: "a\\ntouch ran"}}\n'
    )
    with pytest.raises(ConfigError, match=r"hydra\.job\.name=a\\ntouch ran: no config file says this"):
        plan(CommandLine((), config_name="mine", config_dir=str(tmp_path)))
