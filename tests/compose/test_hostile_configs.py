"""Config folders and overrides that Hydra answers with a traceback, a hang or by running code: one line each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from radar.compose import experiment, output_root
from radar.compose.command_line import CommandLine
from radar.compose.config_files import CheckedFiles, load_config_file
from radar.compose.consent import refuse_code
from radar.compose.overrides import quoted, read_overrides
from radar.compose.plan import plan
from radar.compose.settings import verb_settings
from radar.config.verbs import CalibrateConfig, InspectConfig, PredictConfig, ReportConfig
from radar.data.dataset import open_dataset
from radar.errors import ConfigError, RadarError
from radar.files import expanded

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n" for before, after in zip("abcdefg", "bcdefgh", strict=True)
)
FILES = {  # what stands in unet/mine.yaml, and what is said
    "latin-1": (b"# caf\xe9\nchannels: [16]\n", "mine.yaml, line 1: is no UTF-8"),
    "UTF-16": ("channels: [16]\n".encode("utf-16"), "mine.yaml, line 1: is no UTF-8"),
    "a number": (b"42\n", "mine.yaml: holds no keys and values"),
    "a list": (b"- a\n", "mine.yaml: holds no keys and values"),
    "itself as a default": (b"defaults: [mine]\n", "lead back to themselves"),
    "an alias in itself": (b"channels: &a [*a]\n", "mine.yaml, line 1: *a stands for what it is in"),
    "deep lists": (b"channels: " + b"[" * 3000 + b"]" * 3000 + b"\n", "more than 50 sections"),
    "billion laughs": (LAUGHS.encode(), "mine.yaml, line 6: its aliases stand for more than 100,000 values"),
    "laughs by merging": (b"a: &a {x: 1}\nb: {<<: *b}\n", "mine.yaml, line 2: *b stands for"),
    "a wrong type": (b"channels: notalist\n", "unet=mine: Invalid value assigned"),
    "a key twice": (b"kind: ddpm\nkind: compact\n", "mine.yaml, line 2: found duplicate key kind"),
    "an object": (b"a: !!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    "a NUL": (b"channels: [1,2\x00]\n", "mine.yaml: unacceptable character"),
    "a tab": (b"channels:\n\t- 1\n", "mine.yaml, line 2: found character"),
    "defaults of a number": (b"defaults: 3\n", "defaults must be a list"),
    "a class": (b"_target_: os.system\n", "_target_: no such key"),
    "a variable that is not set": (b"channels: ${oc.env:NOTHING_IS_SET}\n", "unet.channels: "),
    "endless hexadecimal digits": (b"base: 0x" + b"f" * 5000 + b"\n", "line 1: a number of more than 100 digits"),
    "endless digits": (b"base: " + b"9" * 5000 + b"\n", "line 1: a number of more than 100 digits"),
    "base 60": (b"base: " + b"59:" * 100_000 + b"59\n", "line 1: a number of more than 100 digits"),
    "base 60 with a tag": (b"base: !!int '" + b"59:" * 100_000 + b"59'\n", "line 1: a number of more than 100 digits"),
    "a name of digits": (
        b"base: 1_6\n",
        "line 1: 1_6 would be read as the number 16; write that, or put a name in quotes",
    ),
    "an octal number": (b"channels: [010]\n", "line 1: 010 would be read as the number 8; write that"),
    "a time of day": (b"base: 1:30\n", "line 1: 1:30 would be read as the number 90; write that"),
    "hexadecimal digits": (b"base: 0x1F\n", "line 1: 0x1F would be read as the number 31; write that"),
    "an empty number": (b"base: !!float ''\n", "mine.yaml: a tag does not fit its value"),
    "no truth": (b"base: !!bool maybe\n", "mine.yaml: a tag does not fit its value"),
    "no date": (b"base: !!timestamp soon\n", "mine.yaml: a tag does not fit its value"),
    "megabytes": (b"#" * 1_000_001, "mine.yaml: is larger than 1,000,000 bytes"),
}


@pytest.mark.parametrize(("content", "expected"), FILES.values(), ids=FILES.keys())
def test_a_file_that_is_no_config_is_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "mine.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as error:
        plan(CommandLine(("unet=mine",), config_dir=str(tmp_path)))
    assert expected in str(error.value) and "\n" not in str(error.value)


def test_a_pipe_is_no_config(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "mine.yaml")
    with pytest.raises(ConfigError, match=r"mine\.yaml: cannot be read \(it is no file\)"):
        load_config_file(pipe)
    with pytest.raises(ConfigError, match=r"mine\.yaml: cannot be read \(it is no file\)"):
        CheckedFiles("mine", f"file://{tmp_path}").load_config("mine")


def test_aliases_within_limits_are_read(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "mine.yaml").write_text("defaults: [small]\nchannels: &a [16, 32]\nattention_levels: []\n")
    (job,) = plan(CommandLine(("unet=mine",), config_dir=str(tmp_path))).jobs
    assert job.config.unet.channels == [16, 32]


def _canary(folder: Path) -> str:
    """A module that leaves a file behind when it is imported."""
    module = "canary_of_a_config"
    (folder / f"{module}.py").write_text(
        f"import pathlib\npathlib.Path({str(folder / 'ran')!r}).touch()\nclass Called:\n    pass\n"
    )
    return module


@pytest.mark.parametrize(
    "hydra",
    [
        "callbacks: {x: {_target_: MODULE.Called}}",
        "job_logging: {handlers: {x: {(): MODULE.Called}}}",
        "hydra_logging: {formatters: {x: {class: MODULE.Called}}}",
        "hydra_logging: {handlers: {x: {class: logging.StreamHandler, stream: 'ext://MODULE.Called'}}}",
        "launcher: {_target_: MODULE.Called}",
        "sweeper: {_target_: MODULE.Called}",
        "searchpath: ['pkg://MODULE']",
    ],
)
def test_a_config_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hydra: str) -> None:
    module = _canary(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    text = f"defaults:\n  - config\n  - _self_\nhydra:\n  {hydra.replace('MODULE', module)}\n"
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"--plugins {module}"):
        plan(CommandLine((), config_name="mine", config_dir=str(tmp_path)))
    assert not (tmp_path / "ran").exists()


HYDRAS_FILE = "${hydra.runtime.output_dir}/${hydra.job.name}.log"


def _planned_with(hydra: str, folder: Path) -> None:
    text = f"defaults:\n  - config\n  - _self_\nhydra:\n  {hydra}\n"
    (folder / "mine.yaml").write_text(text)
    plan(CommandLine((), config_name="mine", config_dir=str(folder)))


@pytest.mark.parametrize(
    "code",
    [
        "logging.os.system",
        "logging.io.open",
        "logging.config.fileConfig",
        "logging.handlers.SocketHandler",
        "logging.handlers.RotatingFileHandler",
        "sys.exit",
        "sys.breakpointhook",
        "colorlog.logging.os.remove",
        "optuna.samplers.warnings.sys.exit",
        "hydra._internal.core_plugins.basic_sweeper.Path.touch",
        "hydra_plugins.hydra_optuna_sweeper._impl.sys.exit",
        "${hydra.job.name}",
    ],
)
@pytest.mark.parametrize(
    "hydra",
    [
        "callbacks: {x: {_target_: 'CODE'}}",
        "sweeper: {_target_: 'CODE'}",
        "sweeper: {custom_search_space: 'CODE'}",
        "job_logging: {handlers: {x: {class: 'CODE'}}}",
        "hydra_logging: {formatters: {x: {(): 'CODE'}}}",
        "hydra_logging: {filters: {x: {(): 'CODE'}}}",
        "job_logging: {handlers: {x: {class: logging.StreamHandler, stream: 'ext://CODE'}}}",
    ],
)
def test_what_a_known_module_imports_is_no_code_of_a_config(hydra: str, code: str) -> None:
    with pytest.raises(ConfigError, match=r"no code of its own|may name code"):
        refuse_code(OmegaConf.create(f"{{{hydra.replace('CODE', code)}}}"), [])


@pytest.mark.parametrize(
    "hydra",
    [
        "job_logging: {handlers: {x: {class: logging.FileHandler, filename: /tmp/elsewhere}}}",
        "job_logging: {handlers: {x: {class: logging.FileHandler, filename: mine.log, mode: w}}}",
        "job_logging: {handlers: {x: {class: logging.FileHandler}}}",
        f"job_logging: {{handlers: {{x: {{(): logging.FileHandler, filename: '{HYDRAS_FILE}'}}}}}}",
        f"hydra_logging: {{handlers: {{x: {{class: logging.FileHandler, filename: '{HYDRAS_FILE}'}}}}}}",
        f"job_logging: {{handlers: {{x: {{class: logging.FileHandler, filename: '{HYDRAS_FILE}', .: {{mode: w}}}}}}}}",
        "job_logging: {handlers: {x: {class: logging.StreamHandler, .: {stream: 1}}}}",
        f"{{job: {{name: ../../up}}, job_logging: {{handlers: {{x: {{class: logging.FileHandler, filename: '{HYDRAS_FILE}'}}}}}}}}",
    ],
)
def test_a_config_names_no_file_of_its_own_to_write(tmp_path: Path, hydra: str) -> None:
    with pytest.raises(ConfigError, match=r"runs no code|names no file|sets no attributes|called after it"):
        _planned_with(hydra, tmp_path)


@pytest.mark.parametrize(
    "hydra",
    [
        """callbacks: "${oc.decode:'{a: {_target_: os.abort}}'}" """,
        """job_logging: {handlers: "${oc.decode:'{a: {class: logging.FileHandler}}'}"}""",
        "job_logging: {handlers: {x: {class: logging.StreamHandler, stream: 'e${oc.decode:xt}://os.abort'}}}",
        "job_logging: {handlers: {x: {class: logging.StreamHandler, stream: '${hydra.runtime.output_dir}'}}}",
    ],
)
def test_a_reference_leads_to_no_code(tmp_path: Path, hydra: str) -> None:
    with pytest.raises(ConfigError, match=r"no code of its own|may name code"):
        _planned_with(hydra, tmp_path)


@pytest.mark.parametrize(
    "override",
    [
        "hydra/job_logging=default",
        "hydra/job_logging=stdout",
        "hydra/job_logging=disabled",
        "hydra/hydra_logging=default",
        "hydra/launcher=basic",
        "+hydra.job_logging.root.level=${oc.env:NOTHING_IS_SET,INFO}",
    ],
)
def test_what_hydra_has_itself_is_let_through(override: str) -> None:
    assert plan(CommandLine((override,))).jobs


def test_a_plug_in_consents_to_what_it_defines_and_not_to_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = _canary(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    settings = OmegaConf.create({"callbacks": {"x": {"_target_": f"{module}.Called"}}})
    refuse_code(settings, [module])
    settings.callbacks.x["_target_"] = f"{module}.pathlib.os.abort"
    with pytest.raises(ConfigError, match="no code of its own"):
        refuse_code(settings, [module])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["logger=null"], "logger=null: group logger needs an option; use one of csv"),
        (["experiment=null"], "leave it out"),
        (["timestep=glob(z*)"], "timestep=glob(z*): stands for nothing; group timestep has t1"),
        (["seed=glob(*)"], "seed=glob(*): stands for nothing"),
        (["seed=interval(0,1)"], "seed=interval(0,1): a range is for a search"),
        (["seed=" + "9" * 5000], "9…"),
        (["scoring.sigma=" + "[" * 3000 + "]" * 3000], "is nested too deeply to be read"),
        (["+a=" + "{b:" * 3000 + "1" + "}" * 3000], "is nested too deeply to be read"),
        (["seed=range(0,1000000000)"], "more than 10,000 values"),
        (["seed=range(0,1,1e-300)"], "more than 10,000 values"),
        (["seed=range(0,500)", "dataset.split_seed=range(0,500)"], "250,000 jobs"),
        (["seed=${seed}"], "seed: Recursive interpolation detected"),
        (["name=${nothing:x}"], "name: Unsupported interpolation type nothing"),
        (["+hydra.callbacks.x._target_=os.getcwd"], "a config runs no code of its own"),
        (["dataset={a:b}"], "a: no such key"),
        (["seed=1e400"], "seed=inf: "),
    ],
)
def test_an_override_without_meaning_is_one_line(overrides: list[str], expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        plan(CommandLine(tuple(overrides), multirun=True))
    assert expected in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("drawn_from", "expected"),
    [
        ("interval(0,inf)", "needs two finite ends"),
        ("interval(nan,1)", "needs two finite ends"),
        ("interval(1,1e-3)", "needs two finite ends"),
        ("tag(log,interval(0,1))", "have no logarithm"),
        ("range(1,5,0)", "name values"),
        ("tag(log,interval(-1,1))", "have no logarithm"),
    ],
)
@pytest.mark.parametrize("whose", ["command line", "config"])
def test_a_range_of_no_numbers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_from: str, expected: str, whose: str
) -> None:
    pytest.importorskip("optuna")
    axis = f"training.learning_rate={drawn_from}"
    if whose == "config":
        key, value = axis.split("=")
        (tmp_path / "mine.yaml").write_text(
            f"defaults: [sweep_search, _self_]\nhydra: {{sweeper: {{params: {{{key}: '{value}'}}}}}}\n"
        )
        line = CommandLine((), config_name="mine", config_dir=str(tmp_path), multirun=True)
    else:
        line = CommandLine((axis,), config_name="sweep_search", multirun=True)
    with pytest.raises(ConfigError, match=expected):
        plan(line)


def test_a_config_may_fix_what_others_of_its_sweep_vary(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "defaults: [config, _self_]\nhydra: {sweeper: {params: {seed: 3, timestep: 't1,t5'}}}\n"
    )
    planned = plan(CommandLine((), config_name="mine", config_dir=str(tmp_path), multirun=True))
    assert [(job.config.seed, job.config.timestep.value) for job in planned.jobs] == [(3, 1), (3, 5)]


def test_a_glob_stands_for_the_options_of_its_group() -> None:
    planned = plan(CommandLine(("timestep=glob(t*,exclude=t5)",), multirun=True))
    assert {job.config.timestep.value for job in planned.jobs} == {1, 10, 50}


def test_home_is_one_place_for_data_and_outputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RADAR_OUTPUTS", "~/runs")
    (job,) = plan(CommandLine(("data_root='~/data'",))).jobs
    assert (job.config.output_root, job.config.data_root) == (str(tmp_path / "runs"), str(tmp_path / "data"))


@pytest.mark.parametrize("key", ["output_root", "data_root", "dataset.manifest", "dataset.root"])
@pytest.mark.parametrize("name", ["~nobody.of.this.name", "~nobody.of.this.name/photos"])
def test_a_home_that_is_none_is_one_line(tmp_path: Path, key: str, name: str) -> None:
    with pytest.raises(RadarError, match=f"^{name}: there is no home folder of that name; write ./{name} for what is"):
        (job,) = plan(CommandLine(("dataset=mvtec_folder", f"dataset.root={tmp_path}", f"{key}='{name}'"))).jobs
        open_dataset(job.config.dataset)


def test_a_name_that_begins_like_a_home_is_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name in ("~", "~x", "~/y"):
        (job,) = plan(CommandLine((f"data_root='./{name}'", f"output_root='./{name}'"))).jobs
        for place in (job.config.output_root, job.config.data_root):
            assert os.path.abspath(expanded(place)) == f"{tmp_path}/{name}"  # noqa: PTH100 - of the text, as it is read


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text("'\\\"$ {},=", max_size=8))
def test_what_is_quoted_is_read_back_or_refused(text: str) -> None:
    if "${" in text:
        with pytest.raises(ConfigError, match="rename it"):
            quoted(text)
    else:
        assert read_overrides([f"name={quoted(text)}"])[0].value() == text


@pytest.mark.parametrize(
    "word",
    [
        "seed=1_6",
        "seed=1,1_6",
        "dataset.category=2_0",
        "tags=[a,1_6 ]",
        "x={a:1_6}",
        "x=-1_6.5",
        "x=1_0e3",
        "seed=range(0,1_0)",
        "dataset.category=+5",
        "dataset.category=a,+5.5",
        "tags=[+1]",
        "name=-0",
    ],
)
def test_a_name_that_would_become_a_number_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"would be read as the number -?[\d.e]+; write that, or quote a name"):
        read_overrides([word])


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("name='1_6'", "1_6"),
        ('name="a=1_6"', "a=1_6"),
        ("name=lot_1_6", "lot_1_6"),
        ("dataset.root=/d/1_6", "/d/1_6"),
        ("name=1_6a", "1_6a"),
        ("name=a 1_6", "a 1_6"),
        ("lot_1=3", 3),
        ("x=[16,a_b]", [16, "a_b"]),
        ("dataset.root=a:1_6", "a:1_6"),
        ("tags=[a:1_6]", ["a:1_6"]),
        ("x=2026:1_6", "2026:1_6"),
        ("name=a\\,1_6", "a,1_6"),
        ("name=a+5", "a+5"),
        ("x=1e+5", 1e5),
        ("x=-0.5", -0.5),
    ],
)
def test_a_name_with_digits_stays_one(word: str, value: object) -> None:
    assert read_overrides([word])[0].value() == value


@pytest.mark.parametrize(
    "key",
    ["name", "output_root", "data_root", "preset", "dataset.root", "dataset.category", "dataset.manifest",
     "dataset.folder.normal", "logger.wandb.group"],
)  # fmt: skip
@pytest.mark.parametrize("written", ["1.10", "1e5", ".5", "5.", "true", "TRUE", "NaN", "inf"])
def test_what_may_be_another_name_than_was_written_is_refused(key: str, written: str) -> None:
    """Hydra and YAML read 1.10 as they read 1.1, and a folder of that name would be read, or emptied, in its place."""
    of_folder = ["dataset=folder", "dataset.root=none", "dataset.folder.anomalous=null"]
    base = ["experiment=lof_texture", "logger=csv_wandb", *(of_folder if key.startswith("dataset") else [])]
    with pytest.raises(ConfigError, match=rf"^{key}=.*: is read as .*; put quotes around the name"):
        experiment([*base, f"{key}={written}"])
    assert experiment([*base, f'{key}="{written}"'])


@pytest.mark.parametrize("word", ["tags=[a,1.10]", "method.controls=[1.10]", "dataset.root=1.1,1.10"])
def test_so_is_one_of_several(word: str) -> None:
    with pytest.raises(ConfigError, match="is read as a number"):
        plan(
            CommandLine(
                ("experiment=lof_texture", "dataset=mvtec_folder", word), multirun="," in word and "[" not in word
            )
        )


def test_so_is_one_of_a_config_file(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("defaults: [mvtec_folder]\nroot: 1.10\n")
    with pytest.raises(ConfigError, match=r"^dataset\.root=1\.1: is read as a number"):
        experiment(["dataset=mine"], config_dir=str(tmp_path))
    (tmp_path / "dataset" / "mine.yaml").write_text("defaults: [mvtec_folder]\nroot: '1.10'\n")
    assert experiment(["dataset=mine"], config_dir=str(tmp_path)).dataset.root == "1.10"


def test_so_is_a_folder_whose_results_are_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"^output_root=2\.5: is read as a number"):
        output_root(["output_root=2.50"])
    assert output_root(['output_root="2.50"']) == Path("2.50")


@pytest.mark.parametrize(
    ("schema", "verb", "word"),
    [
        (CalibrateConfig, "calibrate", "group=1.10"),
        (InspectConfig, "inspect", "hosts=[a,10.10]"),
        (ReportConfig, "report", "development=[1.10]"),
    ],
)
def test_so_is_a_verbs(schema: type, verb: str, word: str) -> None:
    with pytest.raises(ConfigError, match="is read as a number"):
        verb_settings(schema, verb, [word])


@pytest.mark.parametrize("word", ["regions=1_6", "regions=010", "regions=+5", "interval=1:30", "regions=0x1F"])
def test_a_verbs_number_is_read_as_it_is_written(word: str) -> None:
    with pytest.raises(ConfigError, match="would be read as the number"):
        verb_settings(PredictConfig, "predict", [word])


@pytest.mark.parametrize(("word", "shown"), [("regions=1e1", "10.0"), ("regions=5.0", "5.0"), ("regions=2.5", "2.5")])
def test_a_whole_number_is_written_so(word: str, shown: str) -> None:
    with pytest.raises(ConfigError, match=rf"^regions={shown}: must be a whole number, without '\.' and 'e'$"):
        verb_settings(PredictConfig, "predict", [word])


@pytest.mark.parametrize("text", ["2026-31-12", "4711-20-33", "1234-56-78", "2026-01-31"])
def test_what_is_almost_a_date_is_a_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"name: {text}\n")
    assert load_config_file(tmp_path / "mine.yaml").name == text
