"""A folder is enough: `radar train FOLDER`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radar.cli.exit_codes import REFUSED
from radar.cli.main import main

QUICK = (
    "trainer=cpu", "trainer.threads=1", "training.max_steps=2", "training.epoch_steps=2", "training.warmup_steps=0",
    "method.controls=[]", "evaluation.figures=false", "logger=csv", "dataset.image.size=40",
)  # fmt: skip


TEXTURE = ("experiment=lof_texture", *(word for word in QUICK if not word.startswith("training.")))  # without a network


def folder_of(root: Path, good: str = "good", bad: str = "bad") -> Path:
    random = np.random.default_rng(0)
    for name, count in ((good, 16), (bad, 3)):
        (root / name).mkdir(parents=True)
        for index in range(count):
            photo = random.integers(80, 160, (40, 40, 3), dtype=np.uint8)
            if name == bad:
                photo[10:30, 10:30] = 250
            Image.fromarray(photo).save(root / name / f"photo_{index:02d}.png")
    return root


def test_a_folder_is_enough_and_the_command_that_it_stands_for_is_the_same_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parts = folder_of(tmp_path / "parts, 'new'")
    Image.fromarray(np.full((40, 40), 128, np.uint8)).save(parts / "good" / "blank.png")
    assert main(["train", str(parts), *QUICK, f"output_root={tmp_path / 'outputs'}"]) == 0
    captured = capsys.readouterr()
    printed = captured.out
    assert f"{parts}: good = good, bad = defective, no masks" in printed
    assert "split one by one (dataset.split=random)" in printed
    assert "20 images decode; one size, 40 × 40 px" in printed
    assert "1 blank: one even level: good/blank.png" in captured.err
    assert " defective found" in printed or "NONE of your 3 defects was found" in printed
    assert printed.index("good rejected") < printed.index("AUROC") < printed.index("AUROC: how often")
    (status,) = (tmp_path / "outputs").glob("*/status.json")
    assert status.parent.name.startswith("parts") and json.loads(status.read_text())["state"] == "done"
    again = json.loads((status.parent / "command.json").read_text())["overrides"]
    assert main(again) == 0
    assert "Done before" in capsys.readouterr().out


@pytest.mark.parametrize("name", [".5", "1.10", "5.", "1e3", "+5", "true", "1_6", "0x1F"])
def test_a_folder_that_is_called_like_a_number_is_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder_of(tmp_path / name)
    for other in ("0.5", "1.1", "5.0", "1000.0", "5", "True", "16", "31"):  # as it would be called
        (tmp_path / other).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    assert main(["train", name, *TEXTURE, "output_root=out", "--dry-run"]) == 0
    assert f"{name}: good = good, bad = defective" in capsys.readouterr().out


def test_defective_photos_among_the_good_ones_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parts, densities = folder_of(tmp_path / "parts"), "method.fused_densities"
    bad = parts / "good" / "photo_05.png"
    bad.write_bytes((parts / "bad" / "photo_01.png").read_bytes())
    (parts / "bad" / "photo_01.png").unlink()
    without_network = [f"{densities}.{part}=null" for part in ("energy", "detail", "context")]
    words = (*without_network, "trainer=cpu", "trainer.threads=1", "method.controls=[]", "evaluation.figures=false", "logger=csv",
             "dataset.image.size=40", "dataset.split=random", "dataset.near_duplicates=ignore",
             f"output_root={tmp_path / 'outputs'}")  # fmt: skip
    assert main(["train", str(parts), *words]) == 0
    assert "1 of the 13 good photos is unlike the others (good/photo_05.png): look" in capsys.readouterr().out
    bad.unlink()
    assert main(["train", str(parts), *words]) == 0
    assert "unlike the others" not in capsys.readouterr().out


def test_what_is_told_before_is_not_told_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parts = folder_of(tmp_path / "parts")
    for path in sorted((parts / "good").iterdir()):
        Image.fromarray(np.asarray(Image.open(path)) + np.uint8(2)).save(path.with_name(f"again_{path.name}"))
    assert main(["train", str(parts), *QUICK, "dataset.split=random", f"output_root={tmp_path / 'outputs'}"]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("radar: note: ")]
    assert len(notes) == len(set(notes)) and sum("cross into test" in note for note in notes) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{}"], "none of a, b says good; rename them good and bad, or say which is which: dataset.folder.normal="),
        (["{}/gone"], "gone: no such folder"),
        (["seed=1", "{}"], "seed=1: name the folder of the photos first"),
        (["{}", "dataset.folder.normal=a"], "no sub-folder 'anomalous'; set dataset.folder.anomalous="),
    ],
    ids=["names", "no folder", "order", "half told"],
)
def test_what_cannot_be_told_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], said: str
) -> None:
    folder_of(tmp_path, "a", "b")
    assert main(["train", *(text.format(tmp_path) for text in arguments)]) == REFUSED
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("radar: ")]
    assert len(lines) == 1, lines
    assert said in lines[0]


@pytest.mark.parametrize(
    "typed",
    ["dataset.root={}/other", "++dataset.root={}/other", "data_root={}", "dataset.category=bad", "~dataset.root"],
)
def test_a_key_that_names_other_photos_than_the_folder_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, typed: str
) -> None:
    parts = folder_of(tmp_path / "parts")
    folder_of(tmp_path / "other", bad="scratch")
    word = typed.format(tmp_path)
    assert main(["train", str(parts), word, *TEXTURE, f"output_root={tmp_path / 'outputs'}"]) == REFUSED
    told = capsys.readouterr()
    assert told.err == (
        f"radar: {word}: {parts} says where the photos lie; leave it out, or name their folder after radar train\n"
    )
    assert not told.out and not (tmp_path / "outputs").exists()


def test_a_category_of_a_set_that_is_typed_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder_of(tmp_path / "set" / "caps")
    typed = ["dataset=folder", "dataset.category=caps", "dataset.folder.normal=good", "dataset.folder.anomalous=bad"]
    assert main(["train", str(tmp_path / "set"), *typed, *QUICK, "--dry-run"]) == 0
    assert "19 images decode" in capsys.readouterr().out


def test_typed_keys_win_over_names_and_a_dry_run_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parts = folder_of(tmp_path / "parts", "a", "b")
    typed = ["dataset.folder.normal=a", "dataset.folder.anomalous=null", "dataset.split=random", "dataset.name=mine"]
    outputs = tmp_path / "outputs"
    assert main(["train", str(parts), *typed, *QUICK, f"output_root={outputs}", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "mine" in printed and "1 job(s) with 1 training(s)" in printed
    assert not outputs.exists()


def test_the_same_command_inside_a_folder_of_photos_finds_its_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder_of(tmp_path / "parts"))
    monkeypatch.delenv("RADAR_OUTPUTS", raising=False)
    command = ["train", ".", "experiment=lof_texture", *(word for word in QUICK if not word.startswith("training."))]
    command = [word.replace("evaluation.figures=false", "evaluation.figures=true") for word in command]
    assert main(command) == 0 and list(Path("outputs").rglob("*.png"))
    assert main(command) == 0
    assert "Done before, reused" in capsys.readouterr().out


def test_groups_that_are_typed_are_kept_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parts = folder_of(tmp_path / "parts")
    for photo in sorted((parts / "good").iterdir()):
        photo.rename(photo.with_name(f"q{photo.stem[-2:]}_S{int(photo.stem[-2:]) // 3}x.png"))
    typed = [r"dataset.folder.group='S\d+'", "dataset.near_duplicates=warn", f"output_root={tmp_path / 'outputs'}"]
    assert main(["train", str(parts), *typed, *QUICK, "--dry-run"]) == 0
    assert "dataset.split=grouped" in capsys.readouterr().out
    assert main(["train", str(parts), "dataset.folder.group=null", *typed[1:], *QUICK, "--dry-run"]) == 0
    assert "dataset.split=grouped" not in capsys.readouterr().out
    assert main(["train", str(parts), *typed, *QUICK, "--dry-run", "dataset.split=random"]) == REFUSED
    assert "dataset.split=random keeps no groups together" in capsys.readouterr().err


def test_a_score_that_is_no_number_is_told_of_its_photo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parts = folder_of(tmp_path / "parts")
    for index, photo in enumerate(sorted((parts / "good").iterdir())):
        Image.fromarray(np.full((40, 40), 100 + index, np.uint8)).save(photo)
    words = ["experiment=lof_texture", "logger=csv", "trainer=cpu", "dataset.near_duplicates=warn"]
    assert main(["train", str(parts), *words, f"output_root={tmp_path / 'outputs'}"]) == REFUSED
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("radar: bad/photo_00.png: its score is inf, no finite number; look for blank photos")


def test_without_a_folder_help_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 0
    assert "usage: radar train" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["~", "~x", "???", "~/parts"])
def test_a_folder_that_is_called_like_something_else_is_that_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    folder_of(tmp_path / "home")
    folder_of(tmp_path / "home" / "parts")
    (tmp_path / "work").mkdir()
    folder_of(tmp_path / "work" / name, bad="ng")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    assert main(["train", f"./{name}", *TEXTURE]) == 0
    assert f"{name}: good = good, ng = defective" in capsys.readouterr().out
    (manifest,) = (tmp_path / "work" / "outputs").glob("*/manifest.csv")
    assert "ng/photo_00.png" in manifest.read_text()


def test_a_folder_that_is_called_like_another_key_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder_of(tmp_path / "0")
    assert (
        main(["train", str(folder_of(tmp_path / "${seed}")), *QUICK, f"output_root={tmp_path / 'outputs'}"]) == REFUSED
    )
    assert "holds ${, which stands for another key in a config; rename it" in capsys.readouterr().err
    assert not (tmp_path / "outputs").exists()


def test_masks_beside_their_photos_are_masks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parts = folder_of(tmp_path / "parts")
    for index in range(3):
        marked = np.zeros((40, 40), np.uint8)
        marked[10:30, 10:30] = 255
        Image.fromarray(marked).save(parts / "bad" / f"photo_{index:02d}_mask.png")
    assert main(["train", str(parts), *TEXTURE, f"output_root={tmp_path / 'outputs'}"]) == 0
    assert "bad = defective, masks beside them" in capsys.readouterr().out
    (metrics,) = (tmp_path / "outputs").glob("*/metrics.json")
    found = json.loads(metrics.read_text())
    assert found["image"]["anomalous"] == 3 and found["pixel"]["regions"] == 3
