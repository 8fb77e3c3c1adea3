"""Whether a run is the paper's recipe: judged by its settings, whatever its command says, on composed configs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_builders import result

from radar.compose import command_line
from radar.compose.plan import plan
from radar.methods.relevance import effective
from radar.report.cells import cells, main_cells
from radar.report.recipes import option_values, told_by
from radar.report.result import Result
from radar.report.settings import chosen_option, method_names
from radar.report.tables_ablation import ablation_tables, ablations
from radar.report.tables_results import main_table
from radar.report.tables_sweep import sweep_table

_PAPER = ("experiment=paper", "dataset=tile")
_FOLDER = "--config-dir"


def composed(*words: str) -> Result:
    """What a run of this command would have as its config and its command."""
    (job,) = plan(command_line.read([*words])).jobs
    one, told = result(), " ".join(words)
    command = replace(one.command, preset=job.config.preset, overrides=job.overrides)
    return replace(one, config=effective(job.config), command=command, name=told, fingerprint=told)


def name_of(one: Result) -> str:
    return method_names([one])[one.identity]


def paper_figure(one: Result) -> str:
    """What stands in the column of the paper, and that the row has the run's name."""
    content = main_table(main_cells(cells([one], None)))
    (row,) = [row for row in content.rows if row[content.headings.index("method")].text == name_of(one)]
    return row[content.headings.index("F1 in the paper")].text


def folder_with(tmp_path: Path, name: str, text: str) -> tuple[str, str]:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(text)
    return _FOLDER, str(tmp_path)


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param((), id="nothing"),
        pytest.param(("trainer=cpu",), id="another device"),
        pytest.param(("trainer.compile=default",), id="compiled"),
        pytest.param(("trainer.deterministic=true",), id="deterministic"),
        pytest.param(("dataset.megapixels=300",), id="a limit that no file reaches"),
        pytest.param(("method.controls=[raw_sobel]",), id="fewer controls"),
        pytest.param(("timestep.value=1",), id="what the recipe has"),
        pytest.param(("timestep=t1", "unet=attention"), id="options that the recipe has"),
    ],
)
def test_the_papers_figure_stands_beside_its_settings(typed: tuple[str, ...]) -> None:
    assert paper_figure(composed(*_PAPER, *typed)) == "0.67"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        pytest.param(
            ("trainer=gpu",), "RADAR, trainer.matmul_precision = high, trainer.precision = bf16-mixed", id="half precision"
        ),
        pytest.param(("trainer=ddp",), "RADAR, trainer.devices = 2", id="a batch of each device"),
        pytest.param(("trainer=gpu", "trainer.precision=32-true"), "RADAR, trainer.precision=32-true, "
                     "trainer.matmul_precision = high", id="half of a trainer"),
        pytest.param(("timestep=t5",), "RADAR, timestep=t5", id="typed"),
        pytest.param(("unet=small",), "RADAR, unet=small", id="an option"),
        pytest.param(("patch=whole",), "RADAR, patch=whole", id="an option that follows another key"),
        pytest.param(("dataset.train_images=30",), "RADAR, dataset.train_images=30", id="fewer images"),
        pytest.param(("dataset.split_seed=3",), "RADAR, dataset.split_seed=3", id="another split"),
    ],
)  # fmt: skip
def test_what_departs_is_told_and_has_no_figure_of_the_paper(typed: tuple[str, ...], name: str) -> None:
    one = composed(*_PAPER, *typed)
    assert (name_of(one), paper_figure(one)) == (name, "–")


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ("timestep: {value: 10}", "RADAR, timestep.value = 10"),
        ("dataset: {train_images: 30}", "RADAR, dataset.train_images = 30"),
        ("dataset: {image: {size: 64}}", "RADAR, dataset.image.size = 64"),
        ("contamination: {value: 0.2}\nscoring: {window: 7}", "RADAR, contamination.value = 0.2, scoring.window = 7"),
        ("training: {max_steps: 20, batch_size: 8, warmup_steps: 2}", "RADAR, training = changed"),
    ],
)
@pytest.mark.parametrize("is_primary", [True, False])
def test_a_file_of_ones_own_that_carries_the_papers_name_is_told_by_what_it_changes(
    tmp_path: Path, keys: str, name: str, is_primary: bool
) -> None:
    if is_primary:
        options = folder_with(tmp_path, "mine.yaml", f"defaults: [config, _self_]\n{keys}\n")
        one = composed(*options, "--config-name", "mine", *_PAPER)
        typed = composed(*options, "--config-name", "mine", *_PAPER, "unet=small")
    else:
        own = f"# @package _global_\ndefaults: [paper]\n{keys}\npreset: paper\n"
        options = folder_with(tmp_path, "experiment/mine.yaml", own)
        one = composed(*options, "experiment=mine", "dataset=tile")
        typed = composed(*options, "experiment=mine", "dataset=tile", "unet=small")
    assert (name_of(one), paper_figure(one)) == (name, "–")
    assert name_of(typed) == name.replace("RADAR", "RADAR, unet=small")


def test_the_order_of_keys_in_what_is_stored_names_nothing() -> None:
    one = composed(*_PAPER, "trainer=gpu")
    turned = replace(one, config=dict(reversed(list(one.config.items()))))
    turned.config["trainer"] = dict(reversed(list(turned.config["trainer"].items())))
    assert name_of(turned) == name_of(one)


@pytest.mark.parametrize(
    "typed", [("working_size=texture",), ("dataset.image.working_size.least_size=80", "working_size=texture")]
)
def test_what_came_of_a_working_size_is_told_by_the_word(typed: tuple[str, ...]) -> None:
    one = composed(*_PAPER)
    image = {**one.config["dataset"]["image"], "size": None, "resolution": 0.5, "file_resolution": 1.0}
    config = {**one.config, "dataset": {**one.config["dataset"], "image": image}}
    found = replace(one, config=config, command=replace(one.command, overrides=(*one.command.overrides, *typed)))
    assert (name_of(found), paper_figure(found)) == (", ".join(("RADAR", *typed)), "–")
    untyped = replace(one, config=config)
    assert (name_of(untyped), paper_figure(untyped)) == ("RADAR, dataset.image = changed", "–")


def test_a_split_of_ones_own_has_no_figure_of_the_paper() -> None:
    one = composed(*_PAPER)
    typed = (*one.command.overrides, "dataset.manifest=own.csv")
    assert paper_figure(replace(one, command=replace(one.command, overrides=typed))) == "–"


def test_the_word_alone_makes_no_recipe() -> None:
    for words in (("preset=paper", "dataset=tile"), ("experiment=debug", "preset=paper", "dataset=tile")):
        one = composed(*words)
        assert name_of(one).startswith("RADAR, ") and "scoring = changed" in name_of(one)
        assert paper_figure(one) == "–"


def test_an_option_that_a_file_changed_is_not_called_by_its_name(tmp_path: Path) -> None:
    options = folder_with(tmp_path, "mine.yaml", "defaults: [config, _self_]\nunet: {blocks: 2}\n")
    changed = composed(*options, "--config-name", "mine", *_PAPER, "unet=small")
    plain_one = composed(*_PAPER, "unet=small")
    assert name_of(changed) == "RADAR, unet=small, unet.blocks = 2"
    assert (chosen_option(changed, "unet"), chosen_option(plain_one, "unet")) == (None, "small")
    own = folder_with(tmp_path, "unet/narrow.yaml", "defaults: [attention]\nchannels: [8, 8, 8]\n")
    assert chosen_option(composed(*own, *_PAPER, "unet=narrow"), "unet") == "narrow"
    (one,) = [each for each in ablations([changed, composed(*_PAPER, "unet=large")], None) if each.key == "unet"]
    assert "small" not in one.shown


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("unet=small",), "small"),
        (("unet.channels=[8,8,8]", "unet=small"), "–"),
        (("unet=small", "unet.channels=[8,8,8]"), "–"),
        (("unet.dropout=0.1", "unet=compact"), "–"),
        (("unet.dropout=0.1",), "–"),
    ],
)
def test_the_option_column_shows_an_option_as_it_is(words: tuple[str, ...], option: str) -> None:
    content = sweep_table("unet", [composed(*_PAPER, *words)], None, [])
    assert content.rows[0][content.headings.index("option")].text == option


def test_options_are_read_with_what_they_build_on() -> None:
    for group, option in (
        ("unet", "compact_narrow"),
        ("detector", "upper_tail"),
        ("scoring", "paper"),
        ("patch", "14x14"),
    ):
        assert option_values(group, option) == told_by(f"{group}={option}")[group]
    assert option_values("unet", "of_ones_own") is None


_LEFT_TO_THE_COMMAND = [
    ("folder", "dataset.root=parts"),
    ("mvtec_folder", "dataset.root=parts"),
    ("mvtec", "dataset.category=tile"),
]


def test_an_option_that_gives_no_config_by_itself_is_not_told() -> None:
    words = ("dataset=mvtec", "dataset.category=null", "dataset.name=own", "dataset.root=parts")
    assert chosen_option(composed("experiment=lof_texture", *words), "dataset") is None


@pytest.mark.parametrize("option", _LEFT_TO_THE_COMMAND)
@pytest.mark.parametrize("preset", ["lof_texture", "paper", "recommended"])
def test_an_option_that_leaves_a_key_to_the_command_is_told_of_runs_that_depart(
    option: tuple[str, str], preset: str
) -> None:
    words = (f"experiment={preset}", f"dataset={option[0]}", option[1], "dataset.image.channels=luma_chroma")
    one = composed(*words)
    assert chosen_option(one, "dataset") == option[0]
    other = replace(one, config={**one.config, "dataset": {**one.config["dataset"], "validation_fraction": 0.37}})
    assert chosen_option(other, "dataset") is None
    # a record does not tell where photos lie
    config = {**one.config, "dataset": {key: value for key, value in one.config["dataset"].items() if key != "root"}}
    assert chosen_option(replace(one, config=config), "dataset") == option[0]


def test_an_ablation_of_runs_that_all_depart_says_so() -> None:
    some = [composed(*_PAPER, "trainer=gpu", f"timestep.value={value}") for value in (1, 5)]
    (content,) = ablation_tables(some, None)
    method = content.headings.index("method")
    assert {row[method].text for row in content.rows} == {
        "RADAR, trainer.matmul_precision = high, trainer.precision = bf16-mixed"
    }


def on_data(one: Result, data: str) -> Result:
    return replace(one, environment={**one.environment, "data_manifest_hash": data}, fingerprint=f"{one.name} {data}")


@pytest.mark.parametrize(
    "key", ["image.size=64", "image.aspect=pad", "image.resize=box", "image.channels=rgb", "megapixels=300"]
)
def test_how_images_are_read_is_compared_on_one_training_set(key: str) -> None:
    plain_one, changed = composed(*_PAPER), composed(*_PAPER, f"dataset.{key}")
    (one,) = ablations([on_data(plain_one, "whole"), on_data(changed, "whole")], None)
    assert one.key == f"dataset.{key.partition('=')[0]}"
    assert ablations([on_data(plain_one, "fewer"), on_data(changed, "whole")], None) == []
    beside = [on_data(plain_one, "fewer"), on_data(plain_one, "whole"), on_data(changed, "whole")]
    (one,) = ablations(beside, None)
    assert {result.data for cell in one.cells for result in cell.results} == {"whole"} and one.fixed == "data = whole"


@pytest.mark.parametrize("key", ["train_images=30", "split_seed=3", "validation_fraction=0.3"])
def test_what_chooses_the_images_is_compared_on_the_sets_that_it_chose(key: str) -> None:
    some = [on_data(composed(*_PAPER), "whole"), on_data(composed(*_PAPER, f"dataset.{key}"), "fewer")]
    (one,) = ablations(some, None)
    assert one.fixed == ""
    (content,) = ablation_tables(some, None)
    assert not any("preset and data" in note for note in content.notes)
    assert any("test images" in note and "follows from the setting" in note for note in content.notes)
